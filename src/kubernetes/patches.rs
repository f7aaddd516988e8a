//! The project's own patches and further objects, put on by the kustomize that kubectl has in it.

mod error;

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::kubectl::Kubectl;
use super::manifests::{component_of, is_own};
use super::owner::kind_and_name;
use super::place::Place;
use super::yaml::{from_yaml, to_yaml};
use crate::console;
use crate::disk;
use crate::site::settings::PATCHES;
use crate::site::{Site, Temporary};
use crate::text::excerpt;
use crate::user_error::UserError;

/// How a kustomization names the objects of nyala.
const BASE: &str = "nyala.yaml";

const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The most that one file of patches may have, in bytes.
const LARGEST: u64 = 4 << 20;

/// The objects with the patches of a release on them. `wanted` is what nyala.toml says of where
/// they are.
pub(super) fn put_on(
    objects: Vec<Value>,
    release: &Path,
    wanted: Option<&str>,
    place: &Place,
    site: &Site,
) -> Result<Vec<Value>> {
    let path = wanted.unwrap_or(PATCHES);
    let Some(folder) = find(release, path, wanted.is_some())? else { return Ok(objects) };
    // A command asks for the objects at any moment, also while the deployment itself ends.
    let temporary = Temporary::new(site)?;
    let scratch = &temporary.folder;
    check_letters(&objects, "what nyala makes")?;
    let has_own = KUSTOMIZATIONS.iter().any(|name| folder.join(name).is_file());
    let at = if has_own {
        with_own(&objects, release, path, scratch)?
    } else {
        match with_files(&objects, &folder, path, scratch)? {
            Some(at) => at,
            None => return Ok(objects),
        }
    };
    let nowhere = Place { kubeconfig: None, context: None, namespace: None, ..place.clone() };
    let built = Kubectl::new(&nowhere).run(&["kustomize", &at.to_string_lossy()]);
    let text = built.map_err(|why| {
        let UserError { fact, found, .. } = UserError::of(&why);
        let lines = [vec![fact], found].concat();
        let lines: Vec<_> = lines.iter().map(|line| without_object(line).to_owned()).collect();
        error::wrong_patches(path, &lines)
    })?;
    let patched = from_yaml(&text).with_context(|| format!("the patches in {path}"))?;
    check(&objects, &patched, path, place, has_own)?;
    let more = patched.len().saturating_sub(objects.len());
    let s = if more == 1 { "" } else { "s" };
    let more = if more == 0 { String::new() } else { format!(", and {more} object{s} more") };
    console::info(format_args!("Patches from {}{more}.", excerpt(path)));
    Ok(patched)
}

/// The folder with the patches; `None` where nobody names one and the usual one is not there.
fn find(release: &Path, path: &str, is_named: bool) -> Result<Option<PathBuf>> {
    let folder = release.join(path);
    if !folder.is_dir() {
        if is_named {
            bail!(error::no_patches(path));
        }
        return Ok(None);
    }
    let inside = release.canonicalize().and_then(|release| Ok((release, folder.canonicalize()?)));
    match inside {
        Ok((release, folder)) if folder.starts_with(&release) && folder != release => {
            Ok(Some(folder))
        }
        _ => bail!(error::patches_lead_out(path)),
    }
}

/// A kustomization of the project's names the objects as one of its resources. The first folder of
/// the path is copied whole: an overlay may have its base beside it.
fn with_own(objects: &[Value], release: &Path, path: &str, scratch: &Path) -> Result<PathBuf> {
    let mut parts = Path::new(path).components();
    let first = parts.find(|part| matches!(part, Component::Normal(_)));
    let first = first.map(|part| PathBuf::from(part.as_os_str())).unwrap_or_default();
    disk::copy_tree(&release.join(&first), &scratch.join(&first))?;
    let folder = scratch.join(path);
    let _ = disk::remove_file(&folder.join(BASE));
    disk::write_new(&folder.join(BASE), to_yaml(objects)?.as_bytes(), 0o600)?;
    Ok(folder)
}

/// Without one, an object that nyala has is a patch of it, and any other one is added. `None` where
/// there are none.
fn with_files(
    objects: &[Value],
    folder: &Path,
    path: &str,
    scratch: &Path,
) -> Result<Option<PathBuf>> {
    let (mut patches, mut resources) = (Vec::new(), vec![BASE.to_owned()]);
    let mut number = 0;
    for file in yaml_files(folder)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let shown = format!("{path}/{name}");
        for object in read(&file, &shown)? {
            number += 1;
            let known = objects.iter().any(|it| is_same(it, &object));
            let written = format!("{number}-{}.yaml", if known { "patch" } else { "resource" });
            let text = to_yaml(&[object])?;
            disk::write_new(&scratch.join(&written), text.as_bytes(), 0o600)?;
            if known { patches.push(written) } else { resources.push(written) }
        }
    }
    if number == 0 {
        return Ok(None);
    }
    // The newer field `patches` means something else to the kustomize of older kubectls.
    let kustomization = json!({ "resources": resources, "patchesStrategicMerge": patches });
    let text = to_yaml(&[kustomization])?;
    disk::write_new(&scratch.join(KUSTOMIZATIONS[0]), text.as_bytes(), 0o600)?;
    disk::write_new(&scratch.join(BASE), to_yaml(objects)?.as_bytes(), 0o600)?;
    Ok(Some(scratch.to_owned()))
}

fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let reading = || format!("cannot read {}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        // A link could lead anywhere.
        let is_file = path.symlink_metadata().is_ok_and(|it| it.is_file() && it.len() <= LARGEST);
        if is_file && path.extension().is_some_and(|it| it == "yaml" || it == "yml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(file: &Path, shown: &str) -> Result<Vec<Value>> {
    let text = disk::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    let objects = from_yaml(&text).map_err(|why| error::not_yaml(shown, &why.to_string()))?;
    let is_object = |object: &Value| {
        object["apiVersion"].is_string()
            && object["kind"].is_string()
            && object["metadata"]["name"].is_string()
    };
    if !objects.iter().all(is_object) {
        bail!(error::no_object(shown));
    }
    check_letters(&objects, shown)?;
    Ok(objects)
}

/// Fails on what kustomize would lose: it reads JSON of its own as YAML, which allows no such
/// letters, and takes U+0085 for a space.
fn check_letters(objects: &[Value], shown: &str) -> Result<()> {
    match objects.iter().find_map(lost_letter) {
        Some(found) => bail!(error::lost_letter(shown, &found)),
        None => Ok(()),
    }
}

/// The first such letter with the place where it is: `U+0085 in data.text`.
fn lost_letter(object: &Value) -> Option<String> {
    fn find(value: &Value, path: &str) -> Option<String> {
        match value {
            Value::String(text) => in_text(text, path),
            Value::Array(items) => items.iter().find_map(|it| find(it, path)),
            Value::Object(fields) => fields.iter().find_map(|(key, value)| {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                in_text(key, &path).or_else(|| find(value, &path))
            }),
            _ => None,
        }
    }
    fn in_text(text: &str, path: &str) -> Option<String> {
        let is_lost = |it: &char| matches!(it, '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
        let letter = text.chars().find(is_lost)?;
        Some(format!("U+{:04X} in {}", u32::from(letter), excerpt(path)))
    }
    find(object, "")
}

/// What kustomize complains of, without the object that it prints before: that is pages long, and
/// may be a Secret.
fn without_object(line: &str) -> &str {
    match line.find("map[string]interface {}{").zip(line.rsplit_once("}: ")) {
        Some((_, (_, why))) => why.trim_end_matches('"'),
        None => line,
    }
}

fn is_same(one: &Value, other: &Value) -> bool {
    kind_and_name(one) == kind_and_name(other) && one["apiVersion"] == other["apiVersion"]
}

/// Fails when the result cannot be rolled out: something of nyala's is gone, or would be elsewhere.
fn check(
    before: &[Value],
    after: &[Value],
    path: &str,
    place: &Place,
    has_own: bool,
) -> Result<()> {
    for object in after {
        let namespace = object["metadata"]["namespace"].as_str();
        if let Some(other) = namespace.filter(|it| *it != place.namespace()) {
            bail!(error::other_namespace(path, other, place));
        }
    }
    // The name may have got a prefix.
    let is_there = |wanted: &&Value| {
        after
            .iter()
            .filter(|it| is_own(it))
            .any(|it| it["kind"] == wanted["kind"] && component_of(it) == component_of(wanted))
    };
    let lost: Vec<_> = before.iter().filter(|it| !is_there(it)).collect();
    match lost[..] {
        [] => Ok(()),
        _ if has_own && lost.len() == before.len() => bail!(error::base_not_named(path)),
        [first, ..] => {
            let (kind, name) = kind_and_name(first);
            bail!(error::lost(path, kind, name))
        }
    }
}
