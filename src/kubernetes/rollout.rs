//! A rollout from its objects to a release that is ready.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::begun::Begun;
use super::kubectl::Kubectl;
use super::manifests::{self, Facts, release_job_name};
use super::names::{self, check_processes};
use super::owner::{self, Owner};
use super::place::Place;
use super::record::{Release, Rollout, counts};
use super::{apply, error, job, patches, removal, secret, watch};
use crate::console;
use crate::disk;
use crate::site::settings::Kubernetes;
use crate::site::{AppSettings, DeploymentId, Settings, Site, no_deployment};

/// What is to be rolled out.
#[derive(Clone, Copy)]
pub struct Wanted<'w> {
    pub site: &'w Site,
    pub settings: &'w Settings,
    pub app_settings: &'w AppSettings,
    pub place: &'w Place,
    pub release: &'w Release,
    /// Whether the project's patches are put on.
    pub patched: bool,
}

/// Makes the objects of a release, with the project's patches on them. Nothing is applied yet.
pub fn prepare(wanted: Wanted<'_>) -> Result<Rollout> {
    let Wanted { site, settings, app_settings, place, release, patched } = wanted;
    let kubernetes = settings.kubernetes.clone().unwrap_or_default();
    check_processes(&place.name, release.commands.keys())?;
    let identity = owner::identity(site);
    let namespace = place.namespace.as_deref();
    let secret = secret::secret(&place.name, namespace, &identity, app_settings)?;
    let (secret, secret_object) = secret.unzip();
    let counts = counts(&kubernetes, release);
    names::warn_of_unknown(kubernetes.replicas.keys(), counts.keys());
    let facts = Facts {
        release,
        name: &place.name,
        // An object of a patch names no namespace either, and has to be found to be the same.
        namespace: None,
        site: &identity,
        settings,
        kubernetes: &kubernetes,
        secret: secret.as_deref(),
        counts: &counts,
    };
    let mut objects = manifests::objects(&facts);
    if patched {
        let folder = site.release(release.id);
        objects = patches::put_on(objects, &folder, kubernetes.patches.as_deref(), place, site)?;
    }
    for object in &mut objects {
        finish(object, place, &identity, release.id);
    }
    Ok(Rollout {
        place: place.clone(),
        site: identity,
        release: release.clone(),
        secret,
        counts,
        is_applied: kubernetes.apply,
        objects,
        secret_object,
    })
}

/// Gives an object what a patch leaves out. What a patch has added may be of no namespace at all,
/// and keeps its name.
fn finish(object: &mut Value, place: &Place, site: &str, id: DeploymentId) {
    let id = id.to_string();
    if manifests::is_own(object) {
        if let Some(namespace) = &place.namespace {
            object["metadata"]["namespace"] = json!(namespace);
        }
        if object["kind"] == "Job" {
            object["metadata"]["name"] = json!(release_job_name(&place.name, &id));
        }
    }
    manifests::mark(object, &place.name, site, &id);
}

impl Rollout {
    /// The name of its image.
    pub fn image(&self) -> &str {
        &self.release.image
    }

    /// All objects. The Secret has the values of the app settings.
    pub fn all_objects(&self, with_secret: bool) -> Vec<Value> {
        let secret = self.secret_object.iter().filter(|_| with_secret);
        secret.chain(&self.objects).cloned().collect()
    }

    /// Shows what would change in the cluster, on the standard output of this process. The exit
    /// code is kubectl's: 1 if something would.
    pub fn diff(&self, site: &Site) -> Result<ExitCode> {
        let kubectl = Kubectl::new(&self.place);
        let objects = self.objects_with(&self.counts, site.stopped()?.is_some());
        let kept = objects.into_iter().filter(Rollout::is_kept);
        let all: Vec<Value> = self.secret_object.iter().cloned().chain(kept).collect();
        kubectl.diff(&apply::with_numbers(&kubectl, &all)?)
    }

    /// The name of the Secret, which [`Rollout::all_objects`] may leave out.
    pub fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    /// Rolls it out, and waits until all of it is ready. When this fails, the cluster may have some
    /// of it, as [`super::bring_back`] finds.
    pub fn carry_out(&self, site: &Site, kubernetes: &Kubernetes) -> Result<()> {
        let kubectl = Kubectl::new(&self.place);
        let found = owner::check(&kubectl, self, &Owner::of(site)?)?;
        let secret: Vec<Value> = self.secret_object.iter().cloned().collect();
        let objects = self.objects_now(site, Some(kubernetes))?;
        // Fails on what the cluster does not take, and on fields of others. Nothing changes yet.
        kubectl.apply(&[&secret[..], &objects].concat(), &["--dry-run=server"])?;
        self.write(site)?;
        disk::point("rollout: before");
        Begun::begin(site, self, found)?;
        disk::point("rollout: begun");
        apply::apply(&kubectl, &secret)?;
        let (kept, jobs): (Vec<Value>, Vec<Value>) =
            objects.into_iter().partition(Rollout::is_kept);
        if let [job] = &jobs[..] {
            job::run(&kubectl, job, self.release.id, kubernetes.deadline)?;
            disk::point("rollout: release command ran");
        }
        self.apply_and_wait(&kubectl, &kept, kubernetes.deadline)
    }

    /// Rolls out again what was rolled out once, with the app settings that it had. Without
    /// settings, which could not be read, it is rolled out where it was.
    pub fn carry_out_again(&self, site: &Site, kubernetes: Option<&Kubernetes>) -> Result<()> {
        let place = match kubernetes {
            Some(kubernetes) => Place::find(site, kubernetes)?,
            None => self.place.clone(),
        };
        if !self.place.is_same(&place) {
            bail!(error::elsewhere(self.release.id, &self.place, &place));
        }
        let kubectl = Kubectl::new(&place);
        if let Some(secret) = &self.secret
            && !secret::is_there(&kubectl, secret)?
        {
            bail!(error::secret_is_gone(secret, self.release.id));
        }
        let found = owner::check(&kubectl, self, &Owner::of(site)?)?;
        let objects = self.kept_now(site, kubernetes)?;
        kubectl.apply(&objects, &["--dry-run=server"])?;
        Begun::begin(site, self, found)?;
        disk::point("rollout: begun");
        let deadline = kubernetes.map_or_else(|| Kubernetes::default().deadline, |it| it.deadline);
        self.apply_and_wait(&kubectl, &objects, deadline)
    }

    /// What was rolled out is live: removes what only the release before had, and the marker.
    pub fn settle(&self, site: &Site) -> Result<()> {
        disk::point("rollout: live");
        let removed = removal::all_but(&self.kubectl(site), site, self);
        self.end(site, removed)
    }

    /// Removes what the site had in another place before, and the marker, if what was to be removed
    /// here is.
    pub(super) fn end(&self, site: &Site, removed: Result<()>) -> Result<()> {
        let is_live = site.live()? == Some(self.release.id);
        let before = Begun::read(site)?.and_then(|begun| begun.live).filter(|_| is_live);
        let before = before.map(|id| Rollout::read(site, id)).transpose()?.flatten();
        let elsewhere =
            before.filter(|before| before.is_applied && !before.place.is_same(&self.place));
        if let Some(before) = elsewhere {
            self.leave(&before, site);
        }
        removed?;
        Begun::remove(site)
    }

    /// Removes what the site had in another place. That may be out of reach for ever.
    fn leave(&self, before: &Rollout, site: &Site) {
        let place = &before.place;
        console::info(format_args!("Removing {}.", place.in_words()));
        // Its own kubeconfig, if that is still there: today's may not know the other cluster.
        let has_own = place.kubeconfig.as_ref().is_none_or(|path| path.is_file());
        let kubectl = if has_own { Kubectl::new(place) } else { before.kubectl(site) };
        if let Err(why) = removal::of_before(&kubectl, site, place, self) {
            let error = error::not_removed_elsewhere(place, self.release.id);
            console::warning(error.because(&why));
        }
    }

    fn apply_and_wait(&self, kubectl: &Kubectl, objects: &[Value], limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        apply::apply(kubectl, objects)?;
        disk::point("rollout: applied");
        console::detail(format_args!("Applied {} objects.", objects.len()));
        watch::until_ready(kubectl, self, deadline)?;
        disk::point("rollout: ready");
        Ok(())
    }
}

/// The objects of a release with the settings of today: what a redeploy of it would apply.
pub fn again(site: &Site, id: Option<DeploymentId>, patched: bool) -> Result<Rollout> {
    let settings = site.settings()?;
    let Some(kubernetes) = &settings.kubernetes else { bail!(error::not_in_cluster()) };
    let Some(id) = id.or(site.live()?) else { bail!(error::nothing_in_cluster()) };
    let Some(record) = site.record(id)? else { bail!(no_deployment(id)) };
    let id = record.rolled_back_to.unwrap_or(id);
    let Some(before) = Rollout::read(site, id)? else { bail!(error::no_image_of(id)) };
    if patched && !site.release(id).is_dir() {
        bail!(error::no_patches_any_more(id));
    }
    let mut place = Place::of_settings(site, kubernetes)?;
    place.context = place.context.or(before.place.context);
    place.namespace = place.namespace.or(before.place.namespace);
    let app_settings = site.app_settings()?;
    let (settings, app_settings) = (&settings, &app_settings);
    let (place, release) = (&place, &before.release);
    prepare(Wanted { site, settings, app_settings, place, release, patched })
}

#[cfg(test)]
mod tests {
    use super::super::manifests::{COMPONENT, SITE, is_release_job};
    use super::*;

    fn finished(kind: &str, name: &str, is_own: bool) -> Value {
        let place = Place {
            kubeconfig: None,
            context: None,
            namespace: Some("web".to_owned()),
            server: None,
            name: "shop".to_owned(),
        };
        let mut object = json!({ "kind": kind,
            "metadata": { "name": name, "labels": { COMPONENT: "release" } } });
        if is_own {
            object["metadata"]["annotations"][SITE] = json!("here");
        }
        finish(&mut object, &place, "here", "7".parse().unwrap());
        object
    }

    #[test]
    fn the_job_of_the_release_command_is_known_by_its_name() {
        let own = finished("Job", "prefix-shop-release", true);
        assert_eq!(own["metadata"]["name"], "shop-release-7");
        assert!(is_release_job(&own));
        let added = finished("Job", "warm-up", false);
        assert_eq!(added["metadata"]["name"], "warm-up");
        assert!(!is_release_job(&added), "it is applied as it is");
    }

    #[test]
    fn only_nyalas_own_objects_get_the_namespace() {
        assert_eq!(finished("Service", "shop", true)["metadata"]["namespace"], "web");
        let role = finished("ClusterRole", "shop", false);
        assert!(role["metadata"]["namespace"].is_null());
    }
}
