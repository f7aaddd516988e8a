use super::super::requirements_txt::tests::MemoryTree;
use super::setup_py::does_nothing_but_setup;
use super::*;

const PLAIN: &str = "[build-system]\nrequires = ['setuptools>=61', 'wheel']\n\
                     build-backend = 'setuptools.build_meta'\n[project]\nname = 'lib'\n";

fn of(files: &[(&str, &str)], links: &[(&str, &str)]) -> BuildInputs {
    let tree = MemoryTree::of(files);
    let tree = links.iter().fold(tree, |tree, (path, target)| tree.link(path, target));
    let Entry::Folder { id } = tree.entry("lib").unwrap() else { panic!("no folder") };
    build_inputs(&tree, "lib", &id, Finds::Installer).unwrap()
}

/// Whether another `text` in the file at `path` is another identity.
fn counts(path: &str, files: &[(&str, &str)], links: &[(&str, &str)]) -> bool {
    let with = |text| of(&[files, &[(path, text)]].concat(), links).id;
    with("one") != with("two")
}

#[test]
fn a_declarative_project_is_its_folder_alone() {
    for files in [
        [("lib/pyproject.toml", PLAIN), ("lib/lib.py", "")],
        [("lib/setup.py", "from setuptools import setup\nsetup(name='lib')\n"), ("lib/x.py", "")],
        [
            (
                "lib/pyproject.toml",
                "[build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n",
            ),
            ("lib/x.py", ""),
        ],
    ] {
        assert!(!counts("page.html", &files, &[]), "{files:?}");
        assert!(counts("lib/other.py", &files, &[]), "{files:?}");
    }
}

#[test]
fn what_a_link_leads_to_counts() {
    let files = [("lib/pyproject.toml", PLAIN), ("common/y.py", "")];
    assert!(counts("common/x.py", &files, &[("lib/x.py", "../common/x.py")]));
    assert!(counts("common/x.py", &files, &[("lib/common", "../common")]));
    let through = [("lib/common", "../common"), ("common/deep", "../far")];
    assert!(counts("far/z.py", &files, &through));
    assert!(!counts("page.html", &files, &through));
    assert!(counts("common/new.py", &files, &[("lib/new.py", "../common/new.py")]));
    let leaves = of(&files, &[("lib/x.py", "/etc/passwd")]).leaves;
    assert_eq!(leaves.as_deref(), Some("lib/x.py"));
}

#[test]
fn where_a_build_may_read_anything_the_whole_tree_counts() {
    let backend = |requires: &str, name: &str, more: &str| {
        format!("[build-system]\nrequires = [{requires}]\nbuild-backend = '{name}'\n{more}")
    };
    let setuptools = "setuptools.build_meta";
    for (name, text) in [
        (
            "setup.py",
            "from setuptools import setup\nsetup(install_requires=open('../d').read())\n".into(),
        ),
        ("setup.cfg", "[options]\npackage_dir =\n    = ../src\n".into()),
        ("setup.cfg", "[metadata]\nversion = attr: lib.__version__\n".into()),
        ("pyproject.toml", backend("'setuptools', 'setuptools-scm'", setuptools, "")),
        ("pyproject.toml", backend("'setuptools'", "backend", "backend-path = ['.']\n")),
        ("pyproject.toml", backend("'maturin'", "maturin", "")),
        (
            "pyproject.toml",
            backend("", setuptools, "[tool.setuptools.package-dir]\n'' = '../src'\n"),
        ),
        (
            "pyproject.toml",
            backend("'hatchling'", "hatchling.build", "[tool.hatch.build.hooks.custom]\n"),
        ),
        (
            "pyproject.toml",
            backend("", "poetry.core.masonry.api", "[tool.poetry.build]\nscript='b.py'\n"),
        ),
        (
            "pyproject.toml",
            backend("", setuptools, "[tool.uv.sources]\na = { workspace = true }\n"),
        ),
        ("pyproject.toml", "not TOML".into()),
    ] {
        let path = format!("lib/{name}");
        let files = [(path.as_str(), text.as_str())];
        assert!(counts("deps.txt", &files, &[]), "{name} {text}");
        assert!(of(&files, &[]).whole_tree.is_some(), "{name} {text}");
    }
}

#[test]
fn hatchling_reads_the_ignored_files_of_the_folders_above() {
    let text = "[build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n";
    assert!(counts(".gitignore", &[("lib/pyproject.toml", text)], &[]));
}

#[test]
fn a_setup_py_is_a_declaration_only_when_it_runs_nothing() {
    for text in [
        "from setuptools import setup, find_packages\nsetup(\n    name='a', version=\"1\",\n    \
         packages=find_packages('src'),\n)\n",
        "import setuptools\nsetuptools.setup(name='a')  # ../x\n",
        "from setuptools import setup\nwith open('README.md', encoding='utf-8') as f:\n    readme \
         = f.read()\nif __name__ == '__main__':\n    setup(name='a', long_description=readme)\n",
    ] {
        assert!(does_nothing_but_setup(text), "{text}");
    }
    for text in [
        "import os\n",
        "from setuptools import setup\nsetup(name=open('../x').read())\n",
        "from setuptools import setup\nsetup(name=open('.' + './x').read())\n",
        "from setuptools import setup\nname = 'x'\nsetup(name=open(name).read())\n",
        "from setuptools import setup\nsetup(package_dir={'': '.' './src'})\n",
        "from setuptools import setup\nsetup(package_dir={'': '\\x2e\\x2e/src'})\n",
        "from setuptools import setup\nsetup(cmdclass={})\n",
        "from setuptools import setup\nsetup(setup_requires=['setuptools_scm'])\n",
        "from setuptools import setup\nexec(open('x').read())\n",
        "o = open\no('x')\n",
        "from setuptools import setup\nsetup(version=__import__('x').y)\n",
        "from setuptools import setup\nsetup(name=f'{x}')\n",
        "from setuptools import setup as open\n",
        "def f(): pass\n",
    ] {
        assert!(!does_nothing_but_setup(text), "{text}");
    }
}

/// Whether another text in the file at `path` is another identity of the project at the top.
fn counts_at_top(path: &str, files: &[(&str, &str)]) -> bool {
    let with = |text| {
        let tree = MemoryTree::of(&[files, &[(path, text)]].concat());
        let Entry::Folder { id } = tree.entry("").unwrap() else { panic!("no folder") };
        build_inputs(&tree, "", &id, Finds::Installer).unwrap().id
    };
    with("one") != with("two")
}

#[test]
fn a_project_at_the_top_is_what_its_build_reads() {
    let backend = |requires: &str, backend: &str, more: &str| {
        format!(
            "[build-system]\nrequires = ['{requires}']\nbuild-backend = '{backend}'\n\
             [project]\nname = 'My.Site'\nversion = '1'\n{more}"
        )
    };
    let setuptools = backend("setuptools", "setuptools.build_meta", "");
    let hatchling = backend("hatchling", "hatchling.build", "");
    for (pyproject, module) in [
        (&setuptools, "src/my_site"),
        (&hatchling, "src/my_site"),
        (&hatchling, "my_site"),
        (&backend("flit_core", "flit_core.buildapi", ""), "my_site"),
        (&backend("poetry-core", "poetry.core.masonry.api", ""), "my_site"),
        (&backend("uv_build", "uv_build", ""), "src/my_site"),
    ] {
        let init = format!("{module}/__init__.py");
        let files = [("pyproject.toml", pyproject.as_str()), (init.as_str(), "")];
        for path in ["README.md", "templates/x.html", "tests/test_x.py", ".github/ci.yml"] {
            assert!(!counts_at_top(path, &files), "{path} {pyproject}");
        }
        for path in ["LICENSE", "setup.py", &format!("{module}/x/data.json"), "other.py"] {
            assert!(counts_at_top(path, &files), "{path} {pyproject}");
        }
    }
    // Named by the metadata, by a pattern, by a manifest.
    let readme = backend("hatchling", "hatchling.build", "readme = 'README.md'\n");
    let package = [("pyproject.toml", readme.as_str()), ("my_site/__init__.py", "")];
    assert!(counts_at_top("README.md", &package));
    let manifest = [("pyproject.toml", setuptools.as_str()), ("MANIFEST.in", "include *.md\n")];
    assert!(counts_at_top("README.md", &manifest));
    assert!(!counts_at_top("notes.txt", &manifest));
    // A flat layout, and a setup.py that names its packages itself.
    let flat = [("pyproject.toml", setuptools.as_str()), ("my_site/__init__.py", "")];
    assert!(counts_at_top("templates/x.html", &flat) && !counts_at_top("README.md", &flat));
    let plain = "from setuptools import setup, find_packages\nsetup(packages=find_packages())\n";
    assert!(!counts_at_top("README.md", &[("setup.py", plain)]));
    // Code may read anything.
    for text in ["import os\nsetup(name=os.environ['X'])\n", "setup(long_description=open(x))\n"] {
        assert!(counts_at_top("README.md", &[("setup.py", text)]), "{text}");
    }
    let own =
        backend("hatchling", "backend", "").replace("name = ", "backend-path = ['.']\nname = ");
    assert!(counts_at_top("README.md", &[("pyproject.toml", own.as_str())]));
}
