//! Sends an image to a registry: only what it does not have, and the manifest last.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ureq::tls::RootCerts;

use super::base::Base;
use super::config::{Described, MANIFEST};
use super::own::OwnLayer;
use crate::console;
use crate::registry::{Reference, Registry, Upload, digest};
use crate::text::bytes;

/// How often the log says how much has arrived.
const EVERY: Duration = Duration::from_secs(5);

/// What was sent.
pub(super) struct Pushed {
    pub(super) sent: u64,
    /// How many blobs were there already.
    pub(super) known: usize,
}

pub(super) fn push(
    to: &Reference,
    tag: &str,
    base: &Base,
    layers: &mut [OwnLayer<'_>],
    described: &Described,
    roots: &RootCerts,
) -> Result<Pushed> {
    let mut scopes = vec![format!("repository:{}:pull,push", to.repository)];
    let neighbour = base.repository().filter(|it| it.registry == to.registry);
    let neighbour = neighbour.map(|it| it.repository.clone()).filter(|it| *it != to.repository);
    scopes.extend(neighbour.as_ref().map(|it| format!("repository:{it}:pull")));
    let registry = Registry::connect(to, scopes, roots)?;
    let mut known = 0;
    let mut of_base = Vec::new();
    for layer in &base.layers {
        let is_there = registry.has_blob(&layer.digest)?
            || neighbour.as_ref().is_some_and(|from| registry.mount(&layer.digest, from));
        if is_there { known += 1 } else { of_base.push(layer) }
    }
    let mut own = Vec::new();
    for layer in layers {
        if registry.has_blob(&layer.written.digest)? { known += 1 } else { own.push(layer) }
    }
    let config = digest(&described.config);
    let has_config = registry.has_blob(&config)?;
    known += usize::from(has_config);
    let base_size: u64 = of_base.iter().map(|layer| layer.size).sum();
    let own_size: u64 = own.iter().map(|layer| layer.written.size).sum();
    let config_size = if has_config { 0 } else { described.config.len() as u64 };
    let progress = Progress::new(base_size + own_size + config_size);
    for layer in of_base {
        let open = |at| base.read_from(layer, at);
        send(&registry, &layer.digest, layer.size, &open, &progress)?;
    }
    for layer in own {
        let (digest, size) = (layer.written.digest.clone(), layer.written.size);
        let path = layer.file()?;
        send(&registry, &digest, size, &|at| open_at(path, at), &progress)?;
    }
    if !has_config {
        let open = |at: u64| {
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            let rest = described.config.get(at..).unwrap_or_default();
            Ok(Box::new(rest) as Box<dyn Read>)
        };
        send(&registry, &config, config_size, &open, &progress)?;
    }
    registry.put_manifest(tag, MANIFEST, &described.manifest)?;
    Ok(Pushed { sent: progress.total, known })
}

fn send<'b>(
    registry: &Registry,
    digest: &str,
    size: u64,
    open: &dyn Fn(u64) -> Result<Box<dyn Read + 'b>>,
    progress: &Progress,
) -> Result<()> {
    // A layer that is there twice is sent once.
    if progress.has_sent(digest) {
        progress.finished(size);
        return Ok(());
    }
    registry.upload(&Upload { digest, size, open, arrived: &|arrived| progress.say(arrived) })?;
    progress.finished(size);
    Ok(())
}

fn open_at(path: &Path, at: u64) -> Result<Box<dyn Read>> {
    let reading = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(reading)?;
    file.seek(SeekFrom::Start(at)).with_context(reading)?;
    Ok(Box::new(file))
}

/// How much of all has arrived.
struct Progress {
    total: u64,
    /// Of the blobs before.
    before: Cell<u64>,
    said: Cell<Instant>,
    sent: RefCell<Vec<String>>,
}

impl Progress {
    fn new(total: u64) -> Progress {
        let said = Cell::new(Instant::now());
        Progress { total, before: Cell::new(0), said, sent: RefCell::default() }
    }

    fn has_sent(&self, digest: &str) -> bool {
        let mut sent = self.sent.borrow_mut();
        let has = sent.iter().any(|it| it == digest);
        sent.push(digest.to_owned());
        has
    }

    fn finished(&self, size: u64) {
        self.before.set(self.before.get() + size);
        self.say(0);
    }

    fn say(&self, arrived: u64) {
        if self.said.get().elapsed() < EVERY {
            return;
        }
        self.said.set(Instant::now());
        let done = bytes(self.before.get() + arrived);
        console::info(format_args!("Sent {done} of {}.", bytes(self.total)));
    }
}
