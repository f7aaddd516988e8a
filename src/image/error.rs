//! Why no image can be made of a release, in words for people.

use std::path::Path;

use super::c_library::{CLibrary, Mismatch};
use crate::site::DeploymentId;
use crate::text::excerpt;
use crate::user_error::UserError;

const SEE_RELEASES: &str = "See which releases are kept: nyala list";

pub(super) fn nothing_live() -> UserError {
    UserError::new("nothing is live yet").fix("Deploy: git push REMOTE HEAD:main")
}

pub(super) fn nowhere_to_go() -> UserError {
    UserError::usage("no destination was given for the image")
        .fix("Write it to a folder: nyala image --output DIR")
        .fix("Or send it to a registry: nyala image --push REGISTRY/NAME")
}

pub(super) fn no_repository() -> UserError {
    UserError::usage("no repository was named, and none is set")
        .fix("Name one: nyala image --push REGISTRY/NAME")
        .fix("Or set repository in [image] of nyala.toml")
}

/// Only the name of an image, as if it were one of Docker's own.
pub(super) fn no_registry(target: &str) -> UserError {
    UserError::usage("the image is to be pushed, and no registry is named")
        .found(excerpt(target))
        .fix("Write the registry and the name: nyala image --push REGISTRY/NAME")
}

pub(super) fn digest_in_target(target: &str) -> UserError {
    UserError::usage("an image cannot be pushed to a digest: it has its own")
        .found(excerpt(target))
        .fix("Write a tag, or nothing, after the name")
}

pub(super) fn not_a_tag(tag: &str) -> UserError {
    UserError::usage("this is not a tag")
        .found(excerpt(tag))
        .fix("Use up to 128 letters, digits, - _ and .")
}

pub(super) fn no_release(id: DeploymentId) -> UserError {
    UserError::new(format!("release {id} is no longer there")).fix(SEE_RELEASES)
}

pub(super) fn never_live(id: DeploymentId, status: &str) -> UserError {
    UserError::new(format!("deployment {id} has no finished release"))
        .found(format!("it is {status}"))
        .fix(SEE_RELEASES)
}

/// Removed while the image was made.
pub(super) fn gone(id: DeploymentId) -> String {
    format!("release {id} was removed in the meantime")
}

pub(super) fn no_env(id: DeploymentId) -> UserError {
    UserError::new(format!("the env of release {id} is no longer there"))
        .fix(format!("Build it again: nyala redeploy {id}"))
}

pub(super) fn interpreter_fails(env: &Path) -> UserError {
    UserError::new(format!("the interpreter of {} does not report its version", env.display()))
        .fix("Build the env again: nyala env delete, and nyala redeploy")
}

pub(super) fn wrong_epoch(value: &str) -> UserError {
    UserError::new("SOURCE_DATE_EPOCH is not a number of seconds")
        .found(excerpt(value))
        .fix("Unset it, or set it to the time of a commit: git log -1 --format=%ct")
}

/// `kind` is the tree that the link is in.
pub(super) fn link_leads_out(kind: &str, path: &Path, target: &Path) -> UserError {
    let (path, target) = (path.to_string_lossy(), target.to_string_lossy());
    UserError::new(format!("a link leads out of the {kind}, to what the image does not have"))
        .found(format!("{} -> {}", excerpt(&path), excerpt(&target)))
        .fix("Put what it leads to into the project, or remove the link")
        .fix("Or, if it is the application's data, share it: nyala share")
}

/// `file` is a path in the image.
pub(super) fn secret_inside(file: &Path, name: &str) -> UserError {
    UserError::new(format!("the value of the app setting {name} is in a file of the release"))
        .found(format!("/{}", excerpt(&file.to_string_lossy())))
        .fix("Have the application read it from its environment, and not from this file")
        .fix(format!(
            "Or if it is no secret, give it a value of its own: nyala config set {name}=…"
        ))
}

pub(super) fn secret_in_command(name: &str) -> UserError {
    UserError::new(format!("the value of the app setting {name} is in the command of web"))
        .fix(format!("Write ${name} in the command in its place"))
}

/// The env has `include-system-site-packages = true`.
pub(super) fn packages_stay() -> UserError {
    UserError::new("the env uses packages of this machine's Python, which are not in the image")
        .fix("Install what it needs into the env: python -m venv without --system-site-packages")
}

/// `missing` is its program, or what runs that.
pub(super) fn no_program(process: &str, command: &str, missing: &str) -> UserError {
    UserError::new(format!("the image has no {}, which {process} needs", excerpt(missing)))
        .found(format!("{process}: {}", excerpt(command)))
        .fix("Choose a base that has it: base in [image] of nyala.toml")
        .fix("Or change the command so that it does not need it")
}

pub(super) fn loopback(command: &str) -> UserError {
    UserError::new(
        "the command of web refers to localhost, which in a container is the container itself",
    )
    .found(excerpt(command))
    .fix("Write the name of the other machine, or listen on 0.0.0.0")
}

/// `addresses` are where the command listens on the site.
pub(super) fn only_here(command: &str, addresses: &str) -> UserError {
    UserError::new(format!("web listens on {addresses} alone, where a container cannot be reached"))
        .found(excerpt(command))
        .fix("Have it listen where a variable such as HOST says, and on 127.0.0.1 without it")
        .fix("Set that to 0.0.0.0 in the container")
}

pub(super) fn no_shell(command: &str) -> UserError {
    UserError::new("the base has no /bin/sh, which the command of web needs")
        .found(excerpt(command))
        .fix("Write a command without shell syntax, or choose a base with a shell")
}

pub(super) fn other_platform(wanted: &str, here: &str) -> UserError {
    UserError::new("the environment of this machine does not run on the wanted platform")
        .found(format!("platform = \"{}\"", excerpt(wanted)))
        .labelled("allowed", here)
        .fix("Make the image on a machine of that platform")
}

/// `found` are the platforms that there are.
pub(super) fn wrong_platform(base: &str, found: &str, wanted: &str) -> UserError {
    UserError::new(format!("the base {} is not for {wanted}", excerpt(base)))
        .found(if found.is_empty() { "no platform" } else { found })
        .fix("Choose another base")
}

pub(super) fn wrong_base(error: UserError) -> UserError {
    error
        .found("the base of the image")
        .fix("Or name a folder with an OCI layout, or \"scratch\" for no base")
}

pub(super) fn not_an_image(base: &str, found: &str) -> UserError {
    UserError::new(format!("the base {} is not an image that can be built on", excerpt(base)))
        .found(excerpt(found))
        .fix("Choose another base")
}

pub(super) fn no_layout(folder: &Path) -> UserError {
    UserError::new(format!("{} is not a folder with an image", folder.display()))
        .found("no oci-layout and index.json in it")
        .fix("Write one there: skopeo copy docker://IMAGE oci:DIR")
}

pub(super) fn broken_layout(index: &Path) -> UserError {
    UserError::new(format!("{} is not an index of images", index.display()))
        .fix("Remove the folder, and write the image again")
}

pub(super) fn not_empty(folder: &Path) -> UserError {
    UserError::new(format!("{} contains something other than an image", folder.display()))
        .fix("Name a folder that is empty, or not there yet")
}

pub(super) fn no_such_tag(folder: &Path, tag: &str, known: &[String]) -> UserError {
    let error = UserError::new(format!("{} has no image with the tag {tag}", folder.display()));
    if known.is_empty() { error } else { error.labelled("allowed", known.join(", ")) }
}

pub(super) fn several_tags(folder: &Path, known: &[String]) -> UserError {
    UserError::new(format!("{} has several images", folder.display()))
        .found(known.join(", "))
        .fix(format!("Name one: {}:TAG", folder.display()))
}

pub(super) fn wrong_blob(path: &Path, found: &str) -> UserError {
    UserError::new(format!("{} is damaged", path.display()))
        .found(format!("its digest is {found}"))
        .fix("Write the image again")
}

/// The image has what the commit has in these files.
pub(super) fn restored(files: &[&Path]) -> UserError {
    let fact = "what the application has written into files of the commit is not in the image";
    let files = files.iter().map(|file| excerpt(&file.to_string_lossy())).collect();
    with_first(UserError::new(fact), files)
        .fix("If it is the application's data, share it: nyala share")
}

/// The error with the first of many lines.
fn with_first(error: UserError, lines: Vec<String>) -> UserError {
    const TOLD: usize = 10;
    let more = lines.len().saturating_sub(TOLD);
    let error = lines.into_iter().take(TOLD).fold(error, UserError::found);
    if more > 0 { error.found(format!("{more} more")) } else { error }
}

/// Git LFS has the file, and the commit only what leads to it.
pub(super) fn written_to(file: &str) -> UserError {
    UserError::new("the application has written into a file of Git LFS")
        .found(excerpt(file))
        .fix("Restore it: nyala redeploy")
        .fix("Or, if it is the application's data, share it: nyala share")
}

/// A layer that was written before became another one.
pub(super) fn changed_meanwhile(what: &str) -> UserError {
    UserError::new(format!("the {what} changed while the image was made"))
        .fix("Try again when nothing writes into it")
}

/// `lines` say what needs what.
pub(super) fn missing_here_too(lines: Vec<String>) -> UserError {
    let fact = "some modules do not load in the image, and do not load on this machine either";
    with_first(UserError::new(fact), lines)
        .fix("If the application needs them, install what is missing here and in the base")
}

/// A library is where only ldconfig would find it.
pub(super) fn ldconfig_has_not_run(base: Option<&str>) -> UserError {
    let base = base.unwrap_or("scratch");
    UserError::new(format!("the base {base} has libraries where its loader does not look"))
        .found("/etc/ld.so.conf names their folder, and there is no /etc/ld.so.cache")
        .fix("Run ldconfig in the base, after the libraries are in it")
}

/// `lines` say which modules of the standard library need what.
pub(super) fn modules_do_not_load(base: Option<&str>, lines: Vec<String>) -> UserError {
    let base = base.unwrap_or("scratch");
    let fact = format!("some modules of Python itself do not load on the base {base}");
    with_first(UserError::new(fact), lines)
        .fix("If the application imports them, choose a base that has these libraries")
}

/// `version` is that of Python.
pub(super) fn other_c_library(base: &str, version: &str, found: &Mismatch) -> UserError {
    let Mismatch { of_base, file, needs } = found;
    let (has, wants, wheels, like) = match of_base {
        CLibrary::Musl => ("musl", "glibc", "manylinux", "slim in place of Alpine"),
        CLibrary::Glibc => ("glibc", "musl", "musllinux", "alpine"),
    };
    let base = excerpt(base);
    UserError::new(format!("the base {base} has {has} as its C library, and the env needs {wants}"))
        .found(format!("/{file} needs {needs}"))
        .labelled("note", format!("wheels for {wheels} are made for {wants}, and do not run there"))
        .fix(format!("Choose a base with {wants}, such as python:{version}-{like}"))
        .fix("Or take all of it from this machine: base = \"scratch\" in [image] of nyala.toml")
}

/// `lines` say what needs what.
pub(super) fn does_not_run(base: Option<&str>, lines: Vec<String>) -> UserError {
    let place = base.map_or("the image".to_owned(), |base| format!("the base {base}"));
    let fact = format!("the image would not run: {place} lacks what the release needs");
    let error = with_first(UserError::new(fact), lines);
    if base.is_none() {
        return error.fix("Choose a base that has it: base in [image] of nyala.toml");
    }
    error
        .fix("Choose a base that has it, of the distribution of this machine or newer")
        .fix("Or take all of it from this machine: base = \"scratch\" in [image] of nyala.toml")
}

#[cfg(test)]
mod tests;
