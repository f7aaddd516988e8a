use std::collections::BTreeSet;

use toml::Table;

use super::super::{Lack, Lock, Manifests, Origin, Package, ResolvedSet};
use super::{IndexOptions, Indexes};
use crate::user_error::UserError;

const PRIVATE: &str = "https://example.org/simple";

fn set(index: &str) -> ResolvedSet {
    let package = |name: &str, index: Option<&str>| Package {
        name: name.to_owned(),
        version: Some("1.0".to_owned()),
        origin: Origin::Index(index.map(str::to_owned)),
        hashes: [].into(),
        lacks: Lack::Nothing,
        is_built: false,
    };
    let index = Some(index).filter(|index| !index.is_empty());
    let packages = vec![package("grass", index), package("oryx", None), package("zebra", index)];
    ResolvedSet { packages, left_out: Vec::new() }
}

fn options(
    lock: Lock,
    manifest: &str,
    index: &str,
    settings: &[(&str, &str)],
) -> Result<IndexOptions, UserError> {
    let variable = |name: &str| {
        let found = settings.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let manifest: Table = manifest.parse().unwrap();
    let (pyproject, pipfile) = match lock {
        Lock::Pipfile => (Table::new(), Some(manifest)),
        _ => (manifest, None),
    };
    let manifests = Manifests { pyproject, pipfile, ..Manifests::default() };
    Indexes::new(lock, &manifests, &variable).options(&set(index))
}

/// The options of the file that an installer is given for a package of that index.
fn lines(lock: Lock, pyproject: &str, index: &str, settings: &[(&str, &str)]) -> String {
    lines_for("grass", &set(index), options(lock, pyproject, index, settings).unwrap())
}

fn lines_for(package: &str, set: &ResolvedSet, options: IndexOptions) -> String {
    let parts = set.requirements(options).parts;
    let part = parts.into_iter().find(|part| part.text.contains(package)).unwrap();
    let text = part.search.options(&|_| None) + &part.text;
    text.split_inclusive('\n').filter(|line| line.starts_with("--")).collect()
}

#[test]
fn credentials_come_from_the_settings_that_each_tool_reads() {
    let uv = "[[tool.uv.index]]\nname = 'my-own.x'\nurl = 'https://example.org/simple/'\n";
    let of_uv = [("UV_INDEX_MY_OWN_X_USERNAME", "ada"), ("UV_INDEX_MY_OWN_X_PASSWORD", "a@b/c")];
    let given = "--index-url https://ada:a%40b%2Fc@example.org/simple\n";
    assert_eq!(lines(Lock::Uv, uv, PRIVATE, &of_uv), given);
    assert_eq!(lines(Lock::Pylock, uv, PRIVATE, &of_uv), given);
    let poetry = "[[tool.poetry.source]]\nname = 'my-own'\nurl = 'https://example.org/simple'\n";
    let of_poetry = [
        ("POETRY_HTTP_BASIC_MY_OWN_USERNAME", "ada"),
        ("POETRY_HTTP_BASIC_MY_OWN_PASSWORD", "a@b/c"),
    ];
    assert_eq!(lines(Lock::Poetry, poetry, PRIVATE, &of_poetry), given);
    // Of another tool, or of another index.
    let plain = "--index-url https://example.org/simple\n";
    assert_eq!(lines(Lock::Poetry, poetry, PRIVATE, &of_uv), plain);
    assert_eq!(lines(Lock::Uv, &uv.replace("my-own", "other"), PRIVATE, &of_uv), plain);
    assert_eq!(lines(Lock::Uv, &uv.replace("/simple/", "/other"), PRIVATE, &of_uv), plain);
    // A token alone, and one that the address has already.
    let token = &of_uv[..1];
    let expected = "--index-url https://ada@example.org/simple\n";
    assert_eq!(lines(Lock::Uv, uv, PRIVATE, token), expected);
    let own = "https://eve:x@example.org/simple";
    assert_eq!(lines(Lock::Uv, uv, own, &of_uv), format!("--index-url {own}\n"));
}

#[test]
fn variables_in_an_address_are_expanded_as_pdm_and_pipenv_do() {
    let settings = [("INDEX_USER", "ada"), ("password", "a@b"), ("HOST", "example.org/x")];
    let url = "https://${INDEX_USER}:${password}@${HOST}/simple";
    let given = "--extra-index-url https://ada:a%40b@example.org/x/simple\n";
    let only = given.replace("--extra-index-url", "--index-url");
    assert_eq!(lines(Lock::Pipfile, "", url, &settings), only);
    let pdm = format!("[[tool.pdm.source]]\nname = 'own'\nurl = '{url}'\n");
    assert_eq!(lines(Lock::Pdm, &pdm, "", &settings), given);
    assert_eq!(lines(Lock::Pipfile, "", &url.replace(['{', '}'], ""), &settings), only);
    // In a requirements file each would be an option, or another line.
    for value in ["x --pre", "x\n--pre"] {
        assert!(options(Lock::Pipfile, "", "https://$HOST/x", &[("HOST", value)]).is_err());
    }
}

#[test]
fn what_pdm_declares_is_searched_for_every_package() {
    let pdm = "[[tool.pdm.source]]\nname = 'pypi'\nurl = 'https://pypi.org/simple'\n\
               [[tool.pdm.source]]\nname = 'own'\nurl = 'https://example.org/simple'\n\
               username = 'ada'\npassword = 'x'\n\
               [[tool.pdm.source]]\nname = 'page'\nurl = 'https://example.org/files'\n\
               type = 'find_links'\n";
    assert_eq!(
        lines(Lock::Pdm, pdm, "", &[]),
        "--find-links https://example.org/files\n\
         --extra-index-url https://ada:x@example.org/simple\n"
    );
}

#[test]
fn a_flat_index_of_uv_is_a_page_of_links() {
    let uv = "[[tool.uv.index]]\nname = 'flat'\nurl = 'https://example.org/simple'\n\
              format = 'flat'\n";
    assert_eq!(lines(Lock::Uv, uv, PRIVATE, &[]), format!("--no-index\n--find-links {PRIVATE}\n"));
}

#[test]
fn an_index_without_credentials_has_advice_that_names_the_settings() {
    let advice = |lock, pyproject: &str, index: &str| {
        options(lock, pyproject, index, &[("A", "x")]).unwrap().advice.join("\n")
    };
    let uv = "[[tool.uv.index]]\nname = 'own'\nurl = 'https://example.org/simple'\n";
    insta::assert_snapshot!(advice(Lock::Uv, uv, PRIVATE), @r"
    If https://example.org/simple needs credentials, set UV_INDEX_OWN_USERNAME and UV_INDEX_OWN_PASSWORD with nyala config set
    ");
    let without_name = uv.replace("name = 'own'\n", "");
    assert_eq!(advice(Lock::Uv, &without_name, PRIVATE), advice(Lock::Uv, "", PRIVATE));
    insta::assert_snapshot!(advice(Lock::Uv, "", PRIVATE), @r"
    If https://example.org/simple needs credentials, set PIP_EXTRA_INDEX_URL with nyala config set: the address with them in it
    ");
    let poetry = "[[tool.poetry.source]]\nname = 'own'\nurl = 'https://example.org/simple'\n";
    insta::assert_snapshot!(advice(Lock::Poetry, poetry, PRIVATE), @r"
    If https://example.org/simple needs credentials, set POETRY_HTTP_BASIC_OWN_USERNAME and POETRY_HTTP_BASIC_OWN_PASSWORD with nyala config set
    ");
    insta::assert_snapshot!(advice(Lock::Pipfile, "", PRIVATE), @r"
    If https://example.org/simple needs credentials, name settings in its address, such as https://${INDEX_USER}:${INDEX_PASSWORD}@…, and set them with nyala config set
    ");
    assert_eq!(advice(Lock::Pipfile, "", "https://$A@example.org/simple"), "");
    assert_eq!(advice(Lock::Uv, "", ""), "");
}

#[test]
fn a_variable_that_is_not_set_is_named() {
    let url = "https://ada:${TOKEN}@example.org/simple";
    let error = options(Lock::Pipfile, "", url, &[]).unwrap_err();
    insta::assert_snapshot!(error, @r"
    the address of an index of Pipfile.lock needs TOKEN, which is not set
    found: https://****@example.org/simple
    Set it: nyala config set --stdin TOKEN
    
");
}

#[test]
fn a_host_whose_certificate_is_not_checked_is_one_that_the_manifest_names() {
    let source = "url = \"https://$USER@h:8443/simple\"\nname = \"own\"\nverify_ssl = false";
    let pipfile = format!("[[source]]\n{source}\n");
    let url = "https://$USER@h:8443/simple";
    let settings = [("USER", "ada")];
    assert_eq!(
        lines(Lock::Pipfile, &pipfile, url, &settings),
        "--index-url https://ada@h:8443/simple\n--trusted-host h:8443\n"
    );
    let options = options(Lock::Pipfile, &pipfile, url, &settings).unwrap();
    assert_eq!(options.trusted_hosts, BTreeSet::from(["h:8443".to_owned()]));
    let pdm = "[[tool.pdm.source]]\nurl = \"https://h/simple\"\nverify_ssl = false\n";
    let found = lines(Lock::Pdm, pdm, "https://h/simple", &[]);
    assert_eq!(found, "--extra-index-url https://h/simple\n--trusted-host h\n");
    let checked = pipfile.replace("false", "true");
    assert!(!lines(Lock::Pipfile, &checked, url, &[("USER", "ada")]).contains("trusted"));
}

#[test]
fn each_package_is_looked_for_where_its_lock_has_it() {
    let uv = "[[tool.uv.index]]\nname = 'one'\nurl = 'https://one.example.org'\n\
              [[tool.uv.index]]\nname = 'two'\nurl = 'https://two.example.org'\n\
              explicit = true\n";
    let package = |name: &str, origin: Origin, is_built: bool| Package {
        name: name.to_owned(),
        version: Some("1.0".to_owned()),
        origin,
        hashes: [].into(),
        lacks: Lack::Nothing,
        is_built,
    };
    let index = |name: &str| Origin::Index(Some(format!("https://{name}.example.org")));
    let packages = vec![
        package("acacia", index("one"), false),
        package("baobab", index("two"), false),
        package("cedar", index("two"), true),
        package("dune", Origin::Index(None), true),
        package("ebony", Origin::Folder("ebony".to_owned()), true),
    ];
    let set = ResolvedSet { packages, left_out: Vec::new() };
    let manifests = Manifests { pyproject: uv.parse().unwrap(), ..Manifests::default() };
    let options = Indexes::new(Lock::Uv, &manifests, &|_| None).options(&set).unwrap();
    let lines = |package: &str| lines_for(package, &set, options.clone());
    let [one, two] =
        ["one", "two"].map(|name| format!("--extra-index-url https://{name}.example.org\n"));
    assert_eq!(lines("acacia"), "--index-url https://one.example.org\n");
    assert_eq!(lines("baobab"), "--index-url https://two.example.org\n");
    assert_eq!(lines("cedar"), format!("{two}{one}"), "its build may need something");
    assert_eq!(lines("dune"), "");
    assert_eq!(lines("./ebony"), one, "two is explicit");
}
