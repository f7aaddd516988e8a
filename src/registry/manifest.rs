//! Manifests: what an image consists of, or which image is for which platform.

use anyhow::{Result, bail};
use ureq::http::Method;

use super::error;
use super::http::{Answer, Call, Registry, Tries, said, text_of};
use super::{digest, is_digest};

/// The kinds of manifests that nyala understands.
pub const ACCEPTED: [&str; 4] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// A manifest as a registry has it.
#[derive(Debug)]
pub struct Manifest {
    pub bytes: Vec<u8>,
    /// The digest of the bytes.
    pub digest: String,
}

impl Registry {
    /// The manifest of a tag or a digest.
    pub fn manifest(&self, version: &str) -> Result<Manifest> {
        let separator = if is_digest(version) { '@' } else { ':' };
        let name = format!("{}{separator}{version}", self.reference().name());
        let what = format!("the request for {name}");
        let mut tries = Tries::new(self.name(), &what);
        let (answer, text) = loop {
            let mut answer = self.call(&Call {
                method: Method::GET,
                url: self.url(&format!("manifests/{version}")),
                headers: vec![("accept", ACCEPTED.join(", "))],
                body: &[],
                what: &what,
            })?;
            if !matches!(answer.status().as_u16(), 200 | 404) {
                let repository = &self.reference().repository;
                return Err(self.refusal(answer, &format!("pull from {repository}")));
            }
            match text_of(&mut answer) {
                Ok(text) => break (answer, text),
                Err(_) => tries.failed("broke off", None)?,
            }
        };
        if answer.status() == 404 {
            bail!(error::no_image(&name, &said(&text)));
        }
        if serde_json::from_str::<serde_json::Value>(&text).ok().is_none_or(|it| !it.is_object()) {
            bail!(error::garbage(self.name(), &format!("the manifest of {name}"), &said(&text)));
        }
        let found = digest(text.as_bytes());
        let expected = if is_digest(version) { Some(version) } else { said_digest(&answer) };
        if let Some(expected) = expected.filter(|expected| **expected != found) {
            bail!(error::wrong_digest(self.name(), "manifest", expected, &found));
        }
        Ok(Manifest { bytes: text.into_bytes(), digest: found })
    }

    /// Gives a tag to a manifest, unless it has it. All that it names must be there.
    pub fn put_manifest(&self, tag: &str, media_type: &str, bytes: &[u8]) -> Result<()> {
        let repository = &self.reference().repository;
        let answer = self.call(&Call {
            method: Method::PUT,
            url: self.url(&format!("manifests/{tag}")),
            headers: vec![("content-type", media_type.to_owned())],
            body: bytes,
            what: &format!("the upload of {}:{tag}", self.reference().name()),
        })?;
        let expected = digest(bytes);
        if !answer.status().is_success() {
            let refusal = self.refusal(answer, &format!("push to {repository}"));
            // Where tags cannot be changed, the same one is refused as well.
            let is_there = self.manifest(tag).is_ok_and(|found| found.digest == expected);
            return if is_there { Ok(()) } else { Err(refusal) };
        }
        match said_digest(&answer) {
            Some(found) if found != expected => {
                bail!(error::wrong_digest(self.name(), "manifest", &expected, found))
            }
            _ => Ok(()),
        }
    }
}

/// The digest that an answer has in its header. One of another algorithm says nothing here.
pub(super) fn said_digest(answer: &Answer) -> Option<&str> {
    let said = answer.headers().get("docker-content-digest")?.to_str().ok()?;
    Some(said).filter(|said| is_digest(said))
}
