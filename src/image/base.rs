//! The image that is built on: from a registry, from a folder, or nothing.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use oci_spec::image::{
    Arch, Config, Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType, Os,
};
use ureq::tls::RootCerts;

use super::archive;
use super::cache::Cache;
use super::contents::Contents;
use super::error;
use super::layout::{Layout, tag_of};
use super::platform::Platform;
use crate::console;
use crate::disk;
use crate::registry::{self, Reference, Registry};
use crate::site::settings::SCRATCH;

pub(super) struct Base {
    /// As a person wrote it; `None` for nothing.
    pub(super) name: Option<String>,
    /// Of its manifest.
    pub(super) digest: Option<String>,
    pub(super) config: ImageConfiguration,
    /// From the lowest up.
    pub(super) layers: Vec<BaseLayer>,
    source: Source,
}

/// A layer as the new image has it.
#[derive(Clone, Debug)]
pub(super) struct BaseLayer {
    pub(super) descriptor: Descriptor,
    pub(super) digest: String,
    pub(super) size: u64,
}

enum Source {
    Scratch,
    Folder(Layout),
    Registry(Box<Registry>),
}

impl Base {
    /// Finds the base that is named. A folder is relative to `folder`.
    pub(super) fn open(
        named: &str,
        folder: &Path,
        platform: &Platform,
        roots: &RootCerts,
    ) -> Result<Base> {
        if named == SCRATCH {
            let mut config = ImageConfiguration::default();
            config.set_architecture(Arch::from(platform.architecture.as_str()));
            config.set_os(Os::from(platform.os.as_str()));
            let layers = Vec::new();
            return Ok(Base { name: None, digest: None, config, layers, source: Source::Scratch });
        }
        let (source, manifest, digest) = match layout_named(named, folder) {
            Some((path, tag)) => from_folder(&path, tag.as_deref(), platform)?,
            None => from_registry(named, platform, roots)?,
        };
        let config = manifest.config();
        let config = source.small(sha256(named, config)?, config.size())?;
        let config: ImageConfiguration = serde_json::from_slice(&config)
            .map_err(|cause| error::not_an_image(named, &cause.to_string()))?;
        let is_of = Platform::of(&config);
        if !platform.runs(&is_of) {
            bail!(error::wrong_platform(named, &is_of.to_string(), &platform.to_string()));
        }
        if config.rootfs().diff_ids().len() != manifest.layers().len() {
            let found = "its manifest and its configuration name different layers";
            bail!(error::not_an_image(named, found));
        }
        let layers = manifest.layers().iter().map(|layer| {
            let Some(descriptor) = converted(layer) else {
                bail!(error::not_an_image(
                    named,
                    &format!("it has a layer of the kind {}", layer.media_type())
                ))
            };
            let (digest, size) = (sha256(named, layer)?.to_owned(), layer.size());
            Ok(BaseLayer { descriptor, digest, size })
        });
        let layers: Vec<_> = layers.collect::<Result<_>>()?;
        let name = Some(named.to_owned());
        Ok(Base { name, digest: Some(digest), config, layers, source })
    }

    pub(super) fn is_scratch(&self) -> bool {
        matches!(self.source, Source::Scratch)
    }

    /// What programs get from the configuration of the base.
    pub(super) fn settings(&self) -> Config {
        self.config.config().clone().unwrap_or_default()
    }

    /// An environment variable of it.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let settings = self.settings();
        let mut lines = settings.env().iter().flatten();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    }

    /// The repository that it is in, if it is in a registry.
    pub(super) fn repository(&self) -> Option<&Reference> {
        match &self.source {
            Source::Registry(registry) => Some(registry.reference()),
            Source::Scratch | Source::Folder(_) => None,
        }
    }

    /// What is in it. A layer is read once, and never again by this site.
    pub(super) fn contents(&self, cache: &Cache, temporary: &Path) -> Result<Contents> {
        let mut contents = Contents::default();
        for (number, layer) in self.layers.iter().enumerate() {
            let name = format!("base-{}", layer.digest);
            let known: Option<Contents> = cache.get(&name);
            let layer = if let Some(known) = known {
                known
            } else {
                console::info(format_args!(
                    "Reading layer {} of {} of the base, {}.",
                    number + 1,
                    self.layers.len(),
                    crate::text::bytes(layer.size)
                ));
                let found = self.read(layer, &mut |from| archive::contents(from, temporary));
                let found = found.with_context(|| {
                    let base = self.name.as_deref().unwrap_or(SCRATCH);
                    format!("cannot read layer {} of the base {base}", layer.digest)
                })?;
                cache.put(&name, &found)?;
                found
            };
            contents.put_over(&layer);
        }
        Ok(contents)
    }

    /// Reads a layer from its start to its end; fails when it is not what its digest says.
    pub(super) fn read<T>(
        &self,
        layer: &BaseLayer,
        with: &mut dyn FnMut(&mut dyn Read) -> Result<T>,
    ) -> Result<T> {
        match &self.source {
            Source::Registry(registry) => {
                let mut blob = registry.blob(&layer.digest, layer.size, 0);
                let read = with(&mut blob);
                // What was read is only believed once all of it was.
                let checked = std::io::copy(&mut blob, &mut std::io::sink());
                if let Err(error) = checked {
                    return Err(blob.failure(error));
                }
                read
            }
            Source::Folder(layout) => {
                let path = layout.blob(&layer.digest);
                let mut file = super::hashed::Checked::open(&path, &layer.digest)?;
                let read = with(&mut file)?;
                file.finish()?;
                Ok(read)
            }
            Source::Scratch => bail!("a scratch base has no layers"),
        }
    }

    /// Reads a layer from a place on.
    pub(super) fn read_from(&self, layer: &BaseLayer, at: u64) -> Result<Box<dyn Read + '_>> {
        use std::io::{Seek, SeekFrom};
        match &self.source {
            Source::Registry(registry) => {
                Ok(Box::new(registry.blob(&layer.digest, layer.size, at)))
            }
            Source::Folder(layout) => {
                let path = layout.blob(&layer.digest);
                let reading = || format!("cannot read {}", path.display());
                let mut file = File::open(&path).with_context(reading)?;
                file.seek(SeekFrom::Start(at)).with_context(reading)?;
                Ok(Box::new(file))
            }
            Source::Scratch => bail!("a scratch base has no layers"),
        }
    }
}

impl Source {
    fn small(&self, digest: &str, size: u64) -> Result<Vec<u8>> {
        match self {
            Source::Registry(registry) => registry.small_blob(digest, size),
            Source::Folder(layout) => {
                let path = layout.blob(digest);
                let bytes = disk::read(&path)?;
                let found = registry::digest(&bytes);
                if found != digest {
                    bail!(error::wrong_blob(&path, &found));
                }
                Ok(bytes)
            }
            Source::Scratch => Ok(Vec::new()),
        }
    }
}

/// The folder and the tag of a base that is a layout: a path, or the name of a folder with one.
fn layout_named(named: &str, folder: &Path) -> Option<(PathBuf, Option<String>)> {
    let (whole, tagged) = (folder.join(named), split_tag(named));
    if whole.is_dir() {
        return Some((whole, None));
    }
    let (path, tag) = tagged;
    let path_inside = folder.join(path);
    let is_path = ["/", "./", "../"].iter().any(|start| named.starts_with(start));
    (is_path || path_inside.join("oci-layout").is_file()).then_some((path_inside, tag))
}

/// `DIR` and `TAG` of `DIR:TAG`.
pub(super) fn split_tag(text: &str) -> (&str, Option<String>) {
    match text.rsplit_once(':') {
        Some((folder, tag)) if !tag.contains('/') && !folder.is_empty() => {
            (folder, Some(tag.to_owned()))
        }
        _ => (text, None),
    }
}

fn from_folder(
    path: &Path,
    tag: Option<&str>,
    platform: &Platform,
) -> Result<(Source, ImageManifest, String)> {
    let layout = Layout::open(path)?;
    let index = layout.index()?;
    let all: Vec<&Descriptor> = index.manifests().iter().collect();
    let named: Vec<_> = match tag {
        Some(tag) => all.iter().copied().filter(|entry| tag_of(entry) == Some(tag)).collect(),
        None => all.clone(),
    };
    let tags: Vec<_> = all.iter().filter_map(|entry| tag_of(entry).map(str::to_owned)).collect();
    if all.is_empty() {
        bail!(error::no_layout(path));
    }
    let (Some(first), true) = (named.first(), named.len() == 1 || tag.is_none()) else {
        bail!(error::no_such_tag(path, tag.unwrap_or_default(), &tags));
    };
    if tag.is_none() && named.len() > 1 && named.iter().all(|entry| entry.platform().is_none()) {
        bail!(error::several_tags(path, &tags));
    }
    let source = Source::Folder(layout);
    let name = path.display().to_string();
    let start = if named.len() == 1 { (*first).clone() } else { platform.pick(&name, &index)? };
    let read = |descriptor: &Descriptor| {
        let digest = sha256(&name, descriptor)?.to_owned();
        Ok((source.small(&digest, descriptor.size())?, digest))
    };
    let (manifest, digest) = manifest(&name, read(&start)?, platform, &read)?;
    Ok((source, manifest, digest))
}

fn from_registry(
    named: &str,
    platform: &Platform,
    roots: &RootCerts,
) -> Result<(Source, ImageManifest, String)> {
    let reference: Reference = named.parse().map_err(error::wrong_base)?;
    let scopes = vec![format!("repository:{}:pull", reference.repository)];
    let registry = Registry::connect(&reference, scopes, roots)?;
    let read = |version: &str| {
        let found = registry.manifest(version)?;
        Ok((found.bytes, found.digest))
    };
    let of = |descriptor: &Descriptor| read(sha256(named, descriptor)?);
    let (manifest, digest) = manifest(named, read(reference.version())?, platform, &of)?;
    Ok((Source::Registry(Box::new(registry)), manifest, digest))
}

/// The digest of what a base names, by which it can be checked.
fn sha256<'d>(named: &str, descriptor: &'d Descriptor) -> Result<&'d str> {
    let digest: &str = descriptor.digest().as_ref();
    if !registry::is_digest(digest) {
        bail!(error::not_an_image(named, &format!("{digest} is no sha256 digest")));
    }
    Ok(digest)
}

/// Reads a manifest, and takes its digest.
type Reads<'r> = &'r dyn Fn(&Descriptor) -> Result<(Vec<u8>, String)>;

/// The manifest for a platform, through the lists that lead to it.
fn manifest(
    named: &str,
    first: (Vec<u8>, String),
    platform: &Platform,
    read: Reads<'_>,
) -> Result<(ImageManifest, String)> {
    const DEEPEST: usize = 4;
    let (mut bytes, mut digest) = first;
    for _ in 0..DEEPEST {
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if json["manifests"].is_array() {
            let index: ImageIndex = serde_json::from_slice(&bytes)
                .map_err(|cause| error::not_an_image(named, &cause.to_string()))?;
            (bytes, digest) = read(&platform.pick(named, &index)?)?;
        } else if json["schemaVersion"] == 2 {
            let manifest = serde_json::from_slice(&bytes)
                .map_err(|cause| error::not_an_image(named, &cause.to_string()))?;
            return Ok((manifest, digest));
        } else {
            bail!(error::not_an_image(named, "its manifest has another version than 2"));
        }
    }
    bail!(error::not_an_image(named, "its lists of manifests lead nowhere"))
}

/// The same layer, by OCI's name of its kind; `None` for a kind that is not to be sent to another
/// registry, or is not known.
fn converted(layer: &Descriptor) -> Option<Descriptor> {
    let kind = match layer.media_type().as_ref() {
        "application/vnd.docker.image.rootfs.diff.tar.gzip" => MediaType::ImageLayerGzip,
        "application/vnd.docker.image.rootfs.diff.tar" => MediaType::ImageLayer,
        "application/vnd.docker.image.rootfs.diff.tar.zstd" => MediaType::ImageLayerZstd,
        _ => layer.media_type().clone(),
    };
    let kinds = [MediaType::ImageLayer, MediaType::ImageLayerGzip, MediaType::ImageLayerZstd];
    let mut converted = Descriptor::new(kind, layer.size(), layer.digest().clone());
    // Some engines fetch a layer in parts, and find what they need for that in these.
    converted.set_annotations(layer.annotations().clone());
    kinds.contains(converted.media_type()).then_some(converted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_keeps_what_is_said_of_it() {
        let layer = |kind: &str| -> Option<Descriptor> {
            let json = serde_json::json!({
                "mediaType": kind,
                "digest": format!("sha256:{}", "0a".repeat(32)),
                "size": 7,
                "urls": ["https://example.org/layer"],
                "annotations": { "toc": "sha256:1" },
            });
            converted(&serde_json::from_value(json).unwrap())
        };
        let docker = layer("application/vnd.docker.image.rootfs.diff.tar.gzip").unwrap();
        assert_eq!(Some(&docker), layer("application/vnd.oci.image.layer.v1.tar+gzip").as_ref());
        assert_eq!(docker.annotations().as_ref().unwrap()["toc"], "sha256:1");
        assert_eq!(docker.urls(), &None, "the registry has it");
        for foreign in [
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
            "text/plain",
        ] {
            assert_eq!(layer(foreign), None, "{foreign}");
        }
    }
}
