use super::super::locks::Chosen;
use super::super::requirements_txt::tests::MemoryTree;
use super::*;

fn found(files: &[(&str, &str)]) -> Option<(&'static str, bool)> {
    let project = Project::find(&MemoryTree::of(files)).unwrap();
    project.map(|project| (project.file, project.is_package))
}

fn read(files: &[(&str, &str)], groups: &[&str], extras: &[&str]) -> Result<Declared> {
    let tree = MemoryTree::of(files);
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let reading = ReadContext {
        variable: &|_| None,
        setting_files: &[],
        python: None,
        chosen: Chosen::new(&names(groups), &names(extras)),
        frozen: false,
    };
    Project::find(&tree)?.expect("a project").read(&tree, &reading)
}

/// What the installer is given, and what is recorded.
fn lines(pyproject: &str, groups: &[&str], extras: &[&str]) -> (String, Vec<String>) {
    let declared = read(&[("pyproject.toml", pyproject)], groups, extras).unwrap();
    let Some(InstallInput::Lines(given)) = declared.install_input else { panic!("no lines") };
    (given.join("|"), declared.recorded.lines.into_iter().map(|it| it.text).collect())
}

fn error(pyproject: &str, groups: &[&str], extras: &[&str]) -> String {
    read(&[("pyproject.toml", pyproject)], groups, extras).unwrap_err().to_string()
}

const SYSTEM: &str = "[build-system]\nrequires = []\n";
const SITE: &str = "[project]\nname = 'site'\ndependencies = ['flask>=3']\n\
                    [project.optional-dependencies]\npostgres = ['psycopg']\n\
                    all = ['Site[postgres]', 'redis']\n[dependency-groups]\n\
                    prod = ['gunicorn']\ndev = ['pytest', {include-group = 'prod'}]\n";

#[test]
fn what_is_a_package_is_told_from_what_is_only_run() {
    let pyproject = |text: &str| found(&[("pyproject.toml", text)]);
    assert_eq!(pyproject(SITE), Some(("pyproject.toml", false)));
    let package = Some(("pyproject.toml", true));
    assert_eq!(pyproject(&[SYSTEM, SITE].concat()), package);
    assert_eq!(pyproject("[project]\nname = 'a'\ndynamic = ['dependencies']\n"), package);
    assert_eq!(pyproject(&[SYSTEM, "[tool.poetry]\nname = 'a'\n"].concat()), package);
    for (said, expected) in [
        ("[tool.uv]\npackage = false\n", false),
        ("[tool.poetry]\npackage-mode = false\n", false),
        ("[tool.pdm]\ndistribution = false\n", false),
    ] {
        assert_eq!(
            pyproject(&[SYSTEM, said, SITE].concat()),
            Some(("pyproject.toml", expected)),
            "{said}"
        );
    }
    assert_eq!(pyproject(&["[tool.uv]\npackage = true\n", SITE].concat()), package);
    let setup_py = ("setup.py", "from setuptools import setup\nsetup(name='a')\n");
    assert_eq!(found(&[setup_py]), Some(("setup.py", true)));
    assert_eq!(found(&[setup_py, ("pyproject.toml", "[tool.black]\n")]), Some(("setup.py", true)));
    assert_eq!(found(&[setup_py, ("pyproject.toml", SITE)]), package);
    let setup_cfg = ("setup.cfg", "[metadata]\nname = a\n");
    assert_eq!(found(&[setup_cfg]), Some(("setup.cfg", true)));
}

#[test]
fn what_declares_no_project_is_none() {
    for (name, text) in [
        ("pyproject.toml", "[tool.black]\nline-length = 99\n"),
        ("pyproject.toml", "[build-system]\nrequires = ['setuptools']\n"),
        ("pyproject.toml", "[tool.poetry.dependencies]\nflask = '*'\n"),
        ("setup.py", "print('set up the database')\n"),
        ("setup.cfg", "[flake8]\nmax-line-length = 99\n"),
        ("web/pyproject.toml", SITE),
    ] {
        assert_eq!(found(&[(name, text)]), None, "{name} {text}");
    }
}

#[test]
fn a_package_is_installed_itself_and_what_it_needs_is_known_by_name() {
    let package = [SYSTEM, SITE].concat();
    assert_eq!(lines(&package, &[], &[]), (".".into(), vec![".".into(), "flask>=3".into()]));
    let (given, recorded) = lines(&package, &["Prod"], &["all"]);
    assert_eq!(given, ".[all]|gunicorn");
    assert_eq!(recorded, [".[all]", "gunicorn", "flask>=3", "redis", "psycopg"]);
}

#[test]
fn of_what_is_no_package_only_the_dependencies_are_installed() {
    let (given, recorded) = lines(SITE, &["dev"], &["postgres"]);
    assert_eq!(given, "flask>=3|psycopg|pytest|gunicorn");
    assert_eq!(recorded.len(), 4);
    let declared = read(&[("pyproject.toml", SITE)], &["dev"], &["all"]).unwrap();
    assert_eq!(declared.left_out, ["extra postgres", "group prod"]);
    assert!(declared.recorded.local.is_empty());
}

#[test]
fn a_merge_that_was_not_finished_is_found_before_the_build() {
    let setup_py = ("setup.py", "import setuptools\nsetuptools.setup()\n");
    for name in ["setup.cfg", "setup.py"] {
        let marked = "[metadata]\n<<<<<<< HEAD\nname = x\n=======\nname = y\n>>>>>>> other\n";
        let tree = MemoryTree::of(&[setup_py, (name, marked)]);
        let error = Project::find(&tree).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{name} has merge conflict markers")), "{error}");
    }
}

#[test]
fn what_cannot_be_read_is_an_error_that_names_it() {
    insta::assert_snapshot!(error(SITE, &["prd"], &[]), @r"
    pyproject.toml has no group prd (did you mean prod?)
    found: dev, prod
    Correct groups or extras under [dependencies] in nyala.toml
    ");
    insta::assert_snapshot!(error("[project]\ndependencies = ['-r x']\n", &[], &[]), @r#"
    pyproject.toml has a dependency that is not a requirement
    found: -r x
    Write it as PEP 508 has it, such as "flask>=3"
    "#);
    insta::assert_snapshot!(error("[project]\ndependencies = 'flask'\n", &[], &[]), @r#"
    dependencies in pyproject.toml is not a list
    Write it as PEP 621 has it, such as dependencies = ["flask>=3"]
    "#);
    let circle = "[project]\n[dependency-groups]\na = [{include-group = 'a'}]\n";
    insta::assert_snapshot!(error(circle, &["a"], &[]), @r"
    the group a in pyproject.toml cannot be read: it includes itself (a -> a)
    Correct [dependency-groups] as https://peps.python.org/pep-0735/ has it
    ");
    for line in ["'a\\n-r x'", "'a #b'", "'a \\\\'", "'--index-url x'", "'a >> 2'", "3"] {
        let line = line.replace('\'', "\"");
        let text = format!("[project]\ndependencies = [{line}]\n");
        assert!(error(&text, &[], &[]).contains("is not a requirement"), "{line}");
    }
}
