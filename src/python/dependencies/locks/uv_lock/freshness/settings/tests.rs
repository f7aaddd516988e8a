//! What `[tool.uv]` says for all. `scripts/locks.d/mutate.py` asks uv itself.

use super::super::super::super::{LockError, Manifests};
use super::super::super::file::Lock;
use super::super::check;

/// A project and its lock, each with more of it.
fn checked(settings: &str, locked: &str) -> Result<(), String> {
    checked_with(settings, locked, Manifests::default())
}

fn checked_with(settings: &str, locked: &str, manifests: Manifests) -> Result<(), String> {
    let pyproject = format!(
        "[project]\nname = 'app'\nversion = '1'\nrequires-python = '>=3.9'\n\
         dependencies = ['click', 'six']\n[project.optional-dependencies]\nx = []\ny = []\n\
         {settings}\n"
    );
    let lock = format!(
        r#"version = 1
        revision = 3
        requires-python = ">=3.9"
        {locked}
        [[package]]
        name = "app"
        version = "1"
        source = {{ virtual = "." }}
        dependencies = [{{ name = "click" }}, {{ name = "six" }}]
        [package.metadata]
        requires-dist = [{{ name = "click" }}, {{ name = "six" }}]
        provides-extras = ["x", "y"]
        [[package]]
        name = "flask"
        version = "3"
        source = {{ registry = "https://pypi.org/simple" }}
        [[package]]
        name = "click"
        version = "8"
        source = {{ registry = "https://pypi.org/simple" }}
        dependencies = [{{ name = "colorama" }}]
        [[package]]
        name = "colorama"
        version = "1"
        source = {{ registry = "https://example.org/other" }}
        [[package]]
        name = "six"
        version = "1"
        source = {{ registry = "https://example.org/simple" }}
        "#
    );
    let lock: Lock = toml::from_str(&lock).unwrap();
    let manifests = Manifests { pyproject: pyproject.parse().unwrap(), ..manifests };
    check(&lock, &manifests).map_err(|error| match error {
        LockError::Stale { why, .. } => why,
        other => panic!("{other}"),
    })
}

#[test]
fn what_takes_the_place_of_requirements_is_compared() {
    let of_all = "overrides = [{ name = 'click', specifier = '<9' }]";
    let of_one = "overrides = [{ package = { name = 'flask', version = '3' }, \
                  dependencies = [{ name = 'click', specifier = '<9' }] }]";
    for (now, then, is_fresh) in [
        ("['click<9']", of_all, true),
        ("['Click < 9.0']", of_all, true),
        ("['click<8']", of_all, false),
        ("[]", of_all, false),
        ("['click<9']", "", false),
        ("[{package = {name = 'Flask', version = '3'}, dependencies = ['click<9']}]", of_one, true),
        ("[{package = {name = 'flask'}, dependencies = ['click<9']}]", of_one, false),
        ("['click<9']", of_one, false),
    ] {
        let settings = format!("[tool.uv]\noverride-dependencies = {now}");
        let checked = checked(&settings, &format!("[manifest]\n{then}"));
        assert_eq!(checked.is_ok(), is_fresh, "{now} {then}: {checked:?}");
    }
}

/// `uv lock` would leave such a lock as it is.
#[test]
fn what_is_about_a_package_that_the_lock_lacks_is_no_change() {
    for setting in [
        "constraint-dependencies = ['nothing<9']",
        "override-dependencies = ['nothing<9']",
        "override-dependencies = [{package = {name = 'nothing'}, dependencies = ['click']}]",
        "exclude-dependencies = ['nothing']",
        "exclude-dependencies = [{package = {name = 'nothing'}, dependencies = ['click']}]",
        "dependency-metadata = [{name = 'nothing', requires-dist = ['six']}]",
    ] {
        assert_eq!(checked(&format!("[tool.uv]\n{setting}"), ""), Ok(()), "{setting}");
        let of_click = setting.replace("nothing", "click");
        assert!(checked(&format!("[tool.uv]\n{of_click}"), "").is_err(), "{setting}");
    }
    let of_builds = "[tool.uv]\nbuild-constraint-dependencies = ['nothing<9']";
    assert!(checked(of_builds, "").is_err());
    let locked = "[manifest]\nconstraints = [{ name = 'nothing', specifier = '<9' }]";
    assert!(checked("", locked).is_err());
    assert_eq!(checked("[tool.uv]\nconstraint-dependencies = ['nothing<9']", locked), Ok(()));
}

#[test]
fn what_is_left_out_is_compared() {
    let of_one = "{ package = { name = 'flask' }, dependencies = ['click'] }";
    for (now, then, is_fresh) in [
        ("'Foo_Bar', 'a'", "'a', 'foo-bar'", true),
        ("'a'", "'a', 'b'", false),
        ("'a', 'click'", "'a'", false),
        ("", "'a'", false),
        (of_one, of_one, true),
        ("'click'", of_one, false),
    ] {
        let settings = format!("[tool.uv]\nexclude-dependencies = [{now}]");
        let checked = checked(&settings, &format!("[manifest]\nexcludes = [{then}]"));
        let expected = Err("exclude-dependencies has changed there".to_owned());
        assert_eq!(checked, if is_fresh { Ok(()) } else { expected }, "{now} {then}");
    }
}

#[test]
fn stated_metadata_is_compared() {
    let then = "[[manifest.dependency-metadata]]\nname = 'flask'\nversion = '1.0'\n\
                requires-dist = ['click>=8', \"six ; extra == 'x'\"]\n\
                requires-python = '>=3.8'\nprovides-extras = ['x']\n";
    let now = "[[tool.uv.dependency-metadata]]\nname = 'Flask'\nversion = '1.0'\n\
               requires-dist = ['click >= 8', \"six; extra=='x'\"]\n\
               requires-python = '>= 3.8'\nprovides-extra = ['x']\n";
    let stale = Err("dependency-metadata has changed there".to_owned());
    assert_eq!(checked(now, then), Ok(()));
    assert_eq!(checked("", then), stale);
    assert_eq!(checked(now, ""), stale);
    for (from, to) in [
        ("1.0", "1.1"),
        (">= 8", ">= 9"),
        ("'click >= 8', ", ""),
        ("=='x'", "=='y'"),
        ("; extra=='x'", ""),
        ("3.8", "3.9"),
        ("provides-extra = ['x']", ""),
    ] {
        assert!(now.contains(from), "{from}");
        assert_eq!(checked(&now.replace(from, to), then), stale, "{from} -> {to}");
    }
    // Where there is a uv.toml, uv does not look for it in pyproject.toml.
    let uv_toml = Some(now.replace("tool.uv.", "").parse().unwrap());
    let with = |settings: &str, uv_toml: Option<toml::Table>, then: &str| {
        checked_with(settings, then, Manifests { uv_toml, ..Manifests::default() })
    };
    assert_eq!(with("", uv_toml, then), Ok(()));
    assert_eq!(with(now, Some(toml::Table::new()), ""), Ok(()));
}

#[test]
fn each_index_has_to_be_named() {
    let index = |url: &str, more: &str| format!("[[tool.uv.index]]\nurl = '{url}'\n{more}\n");
    let own = "https://example.org/simple";
    let named = index(own, "");
    assert_eq!(checked(&named, ""), Ok(()));
    // Then uv takes the lock as it is.
    assert_eq!(checked("", ""), Ok(()));
    let gone =
        |name: &str, index: &str| Err(format!("{name} is from {index}, which is no index there"));
    let of_six = gone("six", "https://example.org/simple");
    let other = index("https://example.org/another", "");
    assert_eq!(checked(&other, ""), of_six);
    assert_eq!(checked(&(other.clone() + &named), ""), Ok(()));
    let instead_of_pypi = index(own, "default = true");
    assert_eq!(checked(&instead_of_pypi, ""), gone("click", "https://pypi.org/simple"));
    let older = |settings: &str| checked(&format!("[tool.uv]\n{settings}"), "");
    assert_eq!(older(&format!("extra-index-url = ['{own}']")), Ok(()));
    assert_eq!(older("extra-index-url = ['https://example.org/another']"), of_six);
    assert_eq!(older(&format!("index-url = '{own}'")), gone("click", "https://pypi.org/simple"));
    // To uv, this is another one.
    let with_slash = "six is from https://example.org/simple, and the index there is \
                      https://example.org/simple/, which is another one to uv";
    let checked_with_slash = checked(&index("https://example.org/simple/", ""), "");
    assert_eq!(checked_with_slash.unwrap_err(), with_slash);
    assert_eq!(checked(&index("https://user:secret@Example.org/simple", ""), ""), Ok(()));
    assert_eq!(older("no-index = true"), gone("click", "https://pypi.org/simple"));
    let pages = |own: &str| older(&format!("no-index = true\nfind-links = {own}"));
    assert_eq!(pages(&format!("['{own}', 'https://pypi.org/simple']")), Ok(()));
    let with_other_slash = pages("['https://pypi.org/simple', 'https://example.org/simple/']");
    assert_eq!(with_other_slash.unwrap_err(), with_slash);
    let elsewhere = Manifests { has_other_indexes: true, ..Manifests::default() };
    assert_eq!(checked_with(&other, "", elsewhere), Ok(()));
    // One that a setting names counts, and takes the place of none.
    for (of_site, expected) in [
        ("https://mirror.example.org/simple", &of_six),
        ("https://me:secret@example.org/simple", &Ok(())),
        ("https://example.org/simple/", &Ok(())),
    ] {
        let indexes_of_site = vec![of_site.to_owned()];
        let manifests = Manifests { indexes_of_site, ..Manifests::default() };
        assert_eq!(checked_with(&other, "", manifests), *expected, "{of_site}");
    }
}

#[test]
fn environments_and_conflicts_are_compared_by_what_they_mean() {
    for (key, name) in
        [("environments", "supported-markers"), ("required-environments", "required-markers")]
    {
        for (now, then, is_fresh) in [
            ("sys_platform=='linux'", "sys_platform == 'linux'", true),
            ("sys_platform == 'darwin'", "sys_platform == 'linux'", false),
            ("sys_platform == 'darwin'", "", false),
            ("", "sys_platform == 'linux'", false),
            // uv does not keep what is true of all the Pythons of the project.
            ("python_version >= '3.8'", "", true),
        ] {
            let list = |marker: &str| {
                if marker.is_empty() { String::new() } else { format!("\"{marker}\"") }
            };
            let settings = format!("[tool.uv]\n{key} = [{}]", list(now));
            let checked = checked(&settings, &format!("{name} = [{}]", list(then)));
            assert_eq!(checked.is_ok(), is_fresh, "{key} {now} {then}");
        }
    }
    let then = "conflicts = [[{package = 'app', extra = 'x'}, {package = 'app', extra = 'y'}]]";
    for (now, is_fresh) in [
        ("[[{extra = 'y'}, {extra = 'x'}]]", true),
        ("[[{extra = 'x'}, {package = 'App', extra = 'Y'}]]", true),
        ("[[{extra = 'x'}, {group = 'y'}]]", false),
        ("[]", false),
    ] {
        let checked = checked(&format!("[tool.uv]\nconflicts = {now}"), then);
        assert_eq!(checked.is_ok(), is_fresh, "{now}: {checked:?}");
    }
}
