//! Puts an image where it is wanted: into a folder, or into a registry.

use std::fs::File;

use anyhow::{Context, Result};
use oci_spec::image::MediaType;
use ureq::tls::RootCerts;

use super::base::Base;
use super::config::{Described, descriptor};
use super::layout::Layout;
use super::own::OwnLayer;
use super::push;
use super::target::Output;
use crate::console;
use crate::registry::{Reference, digest};
use crate::text::bytes;

/// Writes the image to a folder.
pub(super) fn write(
    output: &Output,
    tag: &str,
    base: &Base,
    layers: &mut [OwnLayer<'_>],
    described: &Described,
) -> Result<()> {
    let step = console::step(format!("Writing to {}", output.folder.display()));
    let layout = Layout::create(&output.folder)?;
    for layer in &base.layers {
        if !layout.has(&layer.digest, layer.size) {
            layout.fill(&layer.digest, |file| {
                base.read(layer, &mut |from| {
                    std::io::copy(from, file).context("cannot write the layer").map(drop)
                })
            })?;
        }
    }
    for layer in layers {
        let (digest, size) = (layer.written.digest.clone(), layer.written.size);
        if !layout.has(&digest, size) {
            let path = layer.file()?.to_owned();
            let reading = || format!("cannot read {}", path.display());
            let mut from = File::open(&path).with_context(reading)?;
            layout.fill(&digest, |file| {
                std::io::copy(&mut from, file).with_context(reading).map(drop)
            })?;
        }
    }
    layout.put(&digest(&described.config), &described.config)?;
    layout.put(&digest(&described.manifest), &described.manifest)?;
    let manifest = descriptor(MediaType::ImageManifest, &described.manifest)?;
    layout.tag(output.tag.as_deref().unwrap_or(tag), &manifest)?;
    step.done();
    Ok(())
}

/// Sends the image to a registry, and says where it is then.
pub(super) fn send(
    target: &Reference,
    tag: &str,
    base: &Base,
    layers: &mut [OwnLayer<'_>],
    described: &Described,
    roots: &RootCerts,
) -> Result<String> {
    let tag = target.tag.as_deref().unwrap_or(tag);
    let name = format!("{}:{tag}", target.name());
    let step = console::step(format!("Sending to {name}"));
    let pushed = push::push(target, tag, base, layers, described, roots)?;
    let sent = bytes(pushed.sent);
    let known = pushed.known;
    console::info(format_args!("Sent {sent}; the registry had {known} parts already."));
    step.done();
    Ok(name)
}
