//! Whether a project's build reads nothing but its own folder, as far as its files show it.
//!
//! What is certain is little: a build backend that is known to be declarative, without hooks,
//! plugins, or paths that lead up, and a `setup.py` that does nothing but call `setup()`.

use anyhow::Result;
use toml::{Table, Value};

use super::super::tree::{Entry, Resolved, Tree, resolve};
use super::setup_py::does_nothing_but_setup;
use super::{Finds, LONGEST, below};

/// Backends that read what pyproject.toml names, and run no code of the project unless it says so.
const BACKENDS: [&str; 7] = [
    "flit_core.buildapi",
    "hatchling.build",
    "pdm.backend",
    "poetry.core.masonry.api",
    "setuptools.build_meta",
    "setuptools.build_meta:__legacy__",
    "uv_build",
];

/// What may take part in a build. Anything else may be a plugin.
const PARTS: [&str; 8] = [
    "flit-core",
    "hatchling",
    "pdm-backend",
    "poetry-core",
    "setuptools",
    "uv-build",
    "wheel",
    "flit_core",
];

/// What the build of the project in `folder` reads elsewhere in the tree: paths with their objects.
/// The inner error says why that cannot be known.
pub(super) fn known_inputs(
    tree: &impl Tree,
    folder: &str,
    finds: Finds,
) -> Result<Result<Vec<String>, String>> {
    let read = |name: &str| -> Result<Option<String>> {
        match resolve(tree, &below(folder, name))? {
            Resolved::File { id, .. } if tree.size(&id)? <= LONGEST => {
                Ok(Some(String::from_utf8_lossy(&tree.read(&id)?).into_owned()))
            }
            Resolved::Missing => Ok(None),
            // What cannot be read shows nothing, and so it is not certain.
            _ => Ok(Some("..".to_owned())),
        }
    };
    if let Some(text) = read("setup.py")?
        && !does_nothing_but_setup(&text)
    {
        return Ok(Err("its setup.py may read any file".to_owned()));
    }
    for name in ["setup.cfg", "MANIFEST.in"] {
        let odd = ["..", "attr:", "cmdclass", "setup_requires"];
        if read(name)?.is_some_and(|text| odd.iter().any(|odd| text.contains(odd))) {
            return Ok(Err(format!("its {name} may name any file")));
        }
    }
    if read("pdm_build.py")?.is_some() {
        return Ok(Err("its pdm_build.py may read any file".to_owned()));
    }
    let Some(text) = read("pyproject.toml")? else { return Ok(Ok(Vec::new())) };
    let Ok(mut pyproject) = text.parse::<Table>() else {
        return Ok(Err("its pyproject.toml cannot be read".to_owned()));
    };
    let leads_out = match finds {
        Finds::Installer => text.contains(".."),
        Finds::Lock => {
            forget_dependencies(&mut pyproject);
            pyproject.to_string().contains("..")
        }
    };
    if leads_out {
        return Ok(Err("its pyproject.toml names files outside of it".to_owned()));
    }
    let backend = match backend(&pyproject) {
        Ok(backend) => backend,
        Err(why) => return Ok(Err(why)),
    };
    if backend != "hatchling.build" {
        return Ok(Ok(Vec::new()));
    }
    // hatchling looks for these in the folders above, too.
    let mut known = Vec::new();
    let mut above = folder;
    while let Some((parent, _)) = above.rsplit_once('/').or((!above.is_empty()).then_some(("", "")))
    {
        for name in [".gitignore", ".hgignore"] {
            let path = below(parent, name);
            if let Entry::File { id } | Entry::Link { id } = tree.entry(&path)? {
                known.push(format!("{path} {id}"));
            }
        }
        above = parent;
    }
    Ok(Ok(known))
}

/// Removes what says where dependencies come from, unless the build itself needs one of them.
fn forget_dependencies(pyproject: &mut Table) {
    let Some(tool) = pyproject.get_mut("tool").and_then(Value::as_table_mut) else { return };
    let uv = tool.get_mut("uv").and_then(Value::as_table_mut);
    if let Some(uv) = uv {
        let of_build = uv.get("sources").and_then(Value::as_table).is_some_and(|sources| {
            sources.keys().any(|name| PARTS.contains(&name.to_ascii_lowercase().as_str()))
        });
        if !of_build {
            uv.retain(|key, _| key == "build-backend");
        }
    }
    if let Some(poetry) = tool.get_mut("poetry").and_then(Value::as_table_mut) {
        poetry.retain(|key, _| !["dependencies", "dev-dependencies", "group"].contains(&key));
    }
}

/// The backend that a pyproject.toml names, if it and all that takes part in the build are
/// declarative.
fn backend(pyproject: &Table) -> Result<String, String> {
    let table = |path: &[&str]| -> Option<&Table> {
        path.iter().try_fold(pyproject, |table, name| table.get(*name)?.as_table())
    };
    let system = table(&["build-system"]);
    let text = |name| system.and_then(|system| system.get(name)?.as_str());
    let backend = text("build-backend").unwrap_or("setuptools.build_meta:__legacy__");
    if !BACKENDS.contains(&backend) || system.is_some_and(|it| it.contains_key("backend-path")) {
        return Err(format!("its build backend, {backend}, may read any file"));
    }
    let requires = system.and_then(|system| system.get("requires")?.as_array());
    for requirement in requires.into_iter().flatten() {
        let requirement = requirement.as_str().unwrap_or_default();
        let end = requirement.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
        let (name, _) = requirement.split_at(end.unwrap_or(requirement.len()));
        if !PARTS.contains(&name.to_ascii_lowercase().replace('_', "-").as_str())
            || requirement.contains('@')
        {
            return Err(format!("{name} takes part in its build, and may read any file"));
        }
    }
    // What runs code of the project, or looks for a workspace around it.
    let code: [&[&str]; 6] = [
        &["tool", "hatch", "version", "source"],
        &["tool", "poetry", "build"],
        &["tool", "pdm", "build", "custom-hook"],
        &["tool", "pdm", "version"],
        &["tool", "setuptools", "cmdclass"],
        &["tool", "uv", "sources"],
    ];
    let is_there = |path: &&&[&str]| {
        let (last, tables) = path.split_last()?;
        table(tables)?.get(*last).map(|_| ())
    };
    if let Some(path) = code.iter().find(|path| is_there(path).is_some()) {
        return Err(format!("{} in its pyproject.toml may read any file", path.join(".")));
    }
    let hatch = table(&["tool", "hatch"]).is_some_and(|hatch| has_key(hatch, "hooks"));
    let setuptools = table(&["tool", "setuptools"]).is_some_and(|it| has_key(it, "attr"));
    let is_dynamic = table(&["project"]).is_some_and(|project| project.contains_key("dynamic"));
    if hatch || setuptools || backend == "flit_core.buildapi" && is_dynamic {
        return Err("its build imports code of its own, which may read any file".to_owned());
    }
    Ok(backend.to_owned())
}

fn has_key(table: &Table, wanted: &str) -> bool {
    table.iter().any(|(key, value)| {
        key == wanted
            || match value {
                Value::Table(table) => has_key(table, wanted),
                Value::Array(array) => array
                    .iter()
                    .any(|value| value.as_table().is_some_and(|table| has_key(table, wanted))),
                _ => false,
            }
    })
}
