//! The making of an image, from top to bottom.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use super::base::Base;
use super::cache::Cache;
use super::config::{self, Facts};
use super::contents::{Contents, OPAQUE};
use super::layer::{Owner, Part};
use super::own::OwnLayer;
use super::platform::Platform;
use super::python::Python;
use super::rules::{APP, ENV, Env, EnvRules, PYTHON, Places, ReleaseRules};
use super::runs::{self, Programs, program_folders};
use super::secrets::Secrets;
use super::source::Source;
use super::target::{Output, Target};
use super::{deliver, error, libraries};
use crate::certificates;
use crate::console;
use crate::registry::digest;
use crate::site::settings::{Image, SCRATCH};
use crate::site::{AppSettings, DeploymentId, ENV_LINK, SharedPath, Site, Temporary};
use crate::text::bytes;

/// What is asked for.
#[derive(Debug)]
pub struct Request {
    /// The release; `None` for what is live.
    pub release: Option<DeploymentId>,
    pub output: Option<Output>,
    pub push: Option<Target>,
    /// The base, in place of that of nyala.toml.
    pub base: Option<String>,
    /// Whether it is a release that is just being deployed, and has not gone live yet.
    pub is_new: bool,
}

/// An image that was made.
#[derive(Debug)]
pub struct Made {
    /// The digest of its manifest.
    pub digest: String,
    /// Where it is in a registry: `REGISTRY/NAME:TAG`.
    pub pushed: Option<String>,
    /// The folder that it is in.
    pub written: Option<PathBuf>,
    /// Whether it has a shell.
    pub has_shell: bool,
    /// The Python of the env, by its path in the image.
    pub python: Option<String>,
}

pub(super) const SHELL: &str = "bin/sh";

/// The variable with the folders in which libraries are looked for first.
pub(super) const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// The time of what does not change with a commit: the first that zip files can have.
const FIRST_TIME: u64 = 315_532_800;

/// Makes an image of a release.
pub fn make(site: &Site, request: &Request) -> Result<Made> {
    if request.output.is_none() && request.push.is_none() {
        bail!(error::nowhere_to_go());
    }
    let settings = site.settings()?;
    let image = &settings.image;
    let target = request.push.as_ref().map(|target| target.reference(image)).transpose()?;
    let app_settings = site.app_settings()?;
    let roots = certificates::roots(app_settings.get(certificates::VARIABLE))?;
    let platform = image.platform.as_deref().map_or(Ok(Platform::here()), Platform::parse)?;
    let temporary = Temporary::new(site)?;
    let source = Source::find(site, &settings, &app_settings, request, &temporary.folder)?;
    let times = Times::of(&source)?;
    let cache = Cache::of(site);

    let step = console::step(format!("Image of release {}", source.id));
    let (named, from) = named_base(request, image, site)?;
    let base = Base::open(&named, &from, &platform, &roots)?;
    let below = base.contents(&cache, &temporary.folder)?;
    let owner = owner(image);
    let interpreter = interpreter(&source, &base, &below, owner.user);
    warn_of_packages(&source, interpreter.as_ref());
    let places = places(site, &source, interpreter.as_ref());
    let secrets = Secrets::of(&app_settings);
    let library_folders = library_folders(&app_settings);
    let prefix_rules = source.env.as_ref().map(|(_, python)| python.rules());
    let (written, restored) = (source.written.clone(), source.restored.clone());
    let release_rules = ReleaseRules { places: &places, owner, written, restored };
    let env_places = places_of_env(site, &places);
    let env_rules = places.env.as_ref().map(|env| EnvRules { places: &env_places, env });
    // Beside the files, this decides what is in a layer.
    let new = |what, parts, time, decides: String| {
        let more = [decides.as_bytes()];
        OwnLayer::new(what, parts, time, &secrets, &more, &cache, &temporary.folder)
    };

    let mut layers = Vec::new();
    if let (Some((_, python)), Some(rules)) = (&source.env, &prefix_rules)
        && interpreter.as_ref().is_some_and(|it| it.is_carried)
    {
        let parts = python.parts(rules);
        layers.push(new("interpreter", hiding(PYTHON, &below, parts), times.fixed, String::new())?);
    }
    if let (Some(env), Some(rules)) = (&places.env, &env_rules)
        && env.to == format!("/{ENV}")
    {
        let tree = Part::Tree { from: env.folder.clone(), to: ENV.to_owned(), rules };
        let (tree, decides) = (hiding(ENV, &below, vec![tree]), format!("{env_places:?}"));
        layers.push(new("env", tree, times.fixed, decides)?);
    }
    let tree =
        Part::Tree { from: source.folder.clone(), to: APP.to_owned(), rules: &release_rules };
    let tree = opening(&below, owner, hiding(APP, &below, vec![tree]));
    layers.push(new("release", tree, times.release, format!("{places:?} {owner:?}"))?);
    if base.is_scratch() {
        let mut above = Contents::default();
        for layer in &layers {
            above.put_over(&layer.written.contents);
        }
        let parts = libraries::parts(&above, owner, &library_folders)?;
        layers.insert(0, new("libraries", parts, times.fixed, String::new())?);
    }
    say_layers(&base, &layers, &source, site, &settings.shared);

    let all = runs::check(&source, &base, &below, &places, &layers, &library_folders)?;
    let command = runs::web_command(site, &source, &secrets, &all)?;
    let folders = program_folders(&base, &places);
    let programs = Programs { release: &source.folder, places: &places, all: &all, folders };
    programs.check(&source.commands, request.is_new)?;
    let tag = image.tag.clone();
    let tag = tag.unwrap_or_else(|| source.commit.get(..12).unwrap_or(&source.commit).to_owned());
    let own = layers.iter().map(|layer| {
        Ok((layer.what.to_owned(), layer.descriptor()?, layer.written.diff_id.clone()))
    });
    let described = config::describe(&Facts {
        source: &source,
        base: &base,
        created: times.created,
        command,
        env: places.env.as_ref().map(|env| env.to.clone()),
        variables: variables(&base, interpreter.as_ref()),
        user: &image.user,
        tag: &tag,
        labels: &image.labels,
        layers: &own.collect::<Result<Vec<_>>>()?,
    })?;
    let mut made = Made {
        digest: digest(&described.manifest),
        pushed: None,
        written: None,
        has_shell: all.resolve(SHELL).is_some(),
        python: places.env.as_ref().map(|env| format!("{}/bin/python", env.to)),
    };
    step.done();

    if let Some(output) = &request.output {
        deliver::write(output, &tag, &base, &mut layers, &described)?;
        made.written = Some(output.folder.clone());
    }
    if let Some(target) = target {
        made.pushed = Some(deliver::send(&target, &tag, &base, &mut layers, &described, &roots)?);
    }
    Ok(made)
}

/// The parts of a layer, over nothing: what a base has in the same folder, such as another image of
/// nyala's, is not seen any more.
fn hiding<'p>(folder: &str, below: &Contents, mut parts: Vec<Part<'p>>) -> Vec<Part<'p>> {
    if below.is_taken(folder) {
        let to = format!("{folder}/{OPAQUE}");
        parts.insert(0, Part::Bytes { to, bytes: Vec::new(), mode: 0o644 });
    }
    parts
}

/// The parts of a layer that also lets the user into the root folder, where a base does not.
fn opening<'p>(below: &Contents, owner: Owner, mut parts: Vec<Part<'p>>) -> Vec<Part<'p>> {
    if !below.root_lets_in(owner.user) {
        let root = Part::Folder { to: String::new(), owner: Owner::default() };
        parts.insert(0, root);
    }
    parts
}

/// The base, and the folder that it is relative to if it is one.
fn named_base(request: &Request, image: &Image, site: &Site) -> Result<(String, PathBuf)> {
    match (&request.base, &image.base) {
        (Some(named), _) => {
            let here = std::env::current_dir().context("the working directory no longer exists")?;
            Ok((named.clone(), here))
        }
        (None, Some(named)) => Ok((named.clone(), site.root().to_owned())),
        (None, None) => Ok((SCRATCH.to_owned(), site.root().to_owned())),
    }
}

/// The Python that runs the env in the image.
struct Interpreter {
    /// With a slash before it.
    path: String,
    is_carried: bool,
    /// The folder of its own library, where it does not name that itself.
    library_folder: Option<String>,
}

fn interpreter(source: &Source, base: &Base, below: &Contents, user: u32) -> Option<Interpreter> {
    const ROOT: u32 = 0;
    let (_, python) = source.env.as_ref()?;
    if let Some(path) = python.find_in(below, user) {
        console::info(format_args!("The base has Python {}: {path}.", python.name));
        return Some(Interpreter { path, is_carried: false, library_folder: None });
    }
    if let Some(path) = python.find_in(below, ROOT) {
        console::info(format_args!(
            "The base has Python {} where the user {user} may not go: {path}. It is carried along.",
            python.name
        ));
    } else if !base.is_scratch() {
        let name = &python.name;
        let there = Python::all_in(below);
        let there = match &there[..] {
            [] => "no Python".to_owned(),
            // Of another C library, for example, or without most of its modules.
            _ if there.contains(name) => format!("a Python {name} that does not run this env"),
            _ => format!("Python {}", there.join(", ")),
        };
        console::info(format_args!("The base has {there}; Python {name} is carried along."));
    }
    let path = python.carried_to();
    let library_folder = python.library_folder();
    Some(Interpreter { path, is_carried: true, library_folder })
}

/// Of an interpreter that all programs share, the packages stay here.
fn warn_of_packages(source: &Source, interpreter: Option<&Interpreter>) {
    let Some((_, python)) = source.env.as_ref().filter(|(_, it)| it.with_packages) else { return };
    if interpreter.is_some_and(|it| !it.is_carried) || python.is_of_all() {
        console::warning(error::packages_stay());
    }
}

fn places(site: &Site, source: &Source, interpreter: Option<&Interpreter>) -> Places {
    let env = source.env.as_ref().zip(interpreter).map(|((folder, _), interpreter)| {
        let is_own = *folder == source.folder.join(ENV_LINK);
        let to = if is_own { format!("/{APP}/{ENV_LINK}") } else { format!("/{ENV}") };
        Env { folder: folder.clone(), to, interpreter: interpreter.path.clone() }
    });
    Places { release: source.folder.clone(), env, shared: site.shared() }
}

/// The same for what is in the env. Only the release that it was made with can be named in there:
/// an env that leads to a release is not used by another one. So its layer is the same for each.
fn places_of_env(site: &Site, places: &Places) -> Places {
    let folder = places.env.as_ref().filter(|env| env.folder.starts_with(site.envs()));
    let made_with = folder.and_then(|env| env.folder.file_name());
    let release = made_with.map_or(places.release.clone(), |name| site.releases().join(name));
    Places { release, ..places.clone() }
}

/// Where the site has its programs look for libraries first.
fn library_folders(app_settings: &AppSettings) -> Vec<PathBuf> {
    let path = app_settings.get(LIBRARY_PATH).map(std::env::split_paths);
    path.into_iter().flatten().filter(|folder| folder.is_absolute()).collect()
}

fn owner(image: &Image) -> Owner {
    let (user, group) = image.owner().unwrap_or_default();
    Owner { user, group, is_open: false }
}

/// The times that files get, which are the same on every machine and day.
struct Times {
    fixed: u64,
    release: u64,
    created: Timestamp,
}

impl Times {
    /// See <https://reproducible-builds.org/specs/source-date-epoch/>.
    fn of(source: &Source) -> Result<Times> {
        let Some(value) = std::env::var_os("SOURCE_DATE_EPOCH").filter(|it| !it.is_empty()) else {
            return Ok(Times { fixed: FIRST_TIME, release: FIRST_TIME, created: source.time });
        };
        let value = value.to_string_lossy().into_owned();
        let Some((seconds, created)) = seconds_and_moment(&value) else {
            bail!(error::wrong_epoch(&value));
        };
        // What is older than that time keeps its own: else every commit would be a new env.
        Ok(Times { fixed: seconds.min(FIRST_TIME), release: seconds, created })
    }
}

/// What a number of seconds means; `None` for what is none, or later than there are dates.
fn seconds_and_moment(text: &str) -> Option<(u64, Timestamp)> {
    let text = text.trim();
    // Rust reads `+5` as well.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: u64 = text.parse().ok().filter(|_| is_number)?;
    Some((seconds, Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?))
}

fn say_layers(
    base: &Base,
    layers: &[OwnLayer<'_>],
    source: &Source,
    site: &Site,
    shared: &[SharedPath],
) {
    let base_size: u64 = base.layers.iter().map(|layer| layer.size).sum();
    if let Some(name) = &base.name {
        console::info(format_args!("Base {name}, {}.", bytes(base_size)));
    }
    for layer in layers {
        console::info(format_args!("Layer {}, {}.", layer.what, bytes(layer.written.size)));
        layer.written.warnings.iter().for_each(console::warning);
    }
    if !source.written.is_empty() {
        let count = source.written.len();
        let s = if count == 1 { "" } else { "s" };
        console::info(format_args!("Left out {count} file{s} that the application has written."));
    }
    if !source.restored.is_empty() {
        let files: Vec<_> = source.restored.keys().map(PathBuf::as_path).collect();
        console::warning(error::restored(&files));
    }
    for path in shared {
        let on_site = site.shared().join(path.path());
        if on_site.is_file() {
            console::warning(format_args!(
                "{path} is a file in shared/, and not in the image: mount one at /{APP}/{path}"
            ));
        } else {
            console::info(format_args!(
                "{path} is shared: an empty folder in the image. To keep what is written there, \
                 mount a volume at /{APP}/{path}."
            ));
        }
    }
}

/// What else programs get to know.
fn variables(base: &Base, interpreter: Option<&Interpreter>) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    if base.is_scratch() && libraries::certificates().is_some() {
        let file = format!("/{}", libraries::CERTIFICATES_TO);
        variables.push((certificates::VARIABLE.to_owned(), file));
    }
    if let Some(folder) = interpreter.and_then(|it| it.library_folder.clone()) {
        // Bases with drivers of graphics cards have folders in it.
        let of_base = base.variable(LIBRARY_PATH).filter(|it| !it.is_empty());
        let path = of_base.map_or(folder.clone(), |of_base| format!("{folder}:{of_base}"));
        variables.push((LIBRARY_PATH.to_owned(), path));
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_a_number_of_seconds() {
        for (text, seconds) in
            [("0", 0), (" 315532800\n", FIRST_TIME), ("99999999999", 99_999_999_999)]
        {
            assert_eq!(seconds_and_moment(text).map(|it| it.0), Some(seconds), "{text:?}");
        }
        for wrong in ["", "-1", "+5", "1e9", "0x10", "1.5", "9999999999999999", "now"] {
            assert_eq!(seconds_and_moment(wrong), None, "{wrong:?}");
        }
    }
}
