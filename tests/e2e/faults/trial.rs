//! One kind of deployment, repeated from the same initial state.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{
    Point, Project, Push, Running, Sandbox, Site, Snapshot, every_point, faulty_nyala, points,
    snapshot, snapshot_without, wait_until_quiet, worth_dying_at,
};

/// Three commits: what is live, the one whose deployment is broken, and the one that is pushed
/// afterwards.
///
/// Every tree has a `page` of its own, by which it is told from the others; what env it needs is up
/// to the trial.
#[derive(Debug)]
pub(crate) struct Trial<'a> {
    pub site: &'a Site,
    pub project: Project<'a>,
    change: String,
    again: String,
    options: Vec<&'static str>,
    /// The site as it is before each case.
    start: PathBuf,
    /// By their `page`: each tree, whole, and the version of `antelope` that it needs, if it needs
    /// any.
    trees: BTreeMap<String, (Snapshot, Option<String>)>,
    points: Vec<Point>,
    /// What the application had written, and has to be in `kept` in the end: this and nothing else.
    pub kept: &'static [&'static str],
}

/// A site of the nyala that can be told to die. Only the live release is kept, so that every
/// deployment deletes something.
pub(super) fn faulty_site() -> Site {
    let site = Site::in_sandbox(Sandbox::in_memory(faulty_nyala()), "site", &[]);
    site.configure("keep = 1\nstaging = true");
    site
}

impl<'a> Trial<'a> {
    /// `change` makes the tree of the commit whose deployment is to be broken, out of what
    /// `project` pushed last. `options` go to the push of it.
    ///
    /// Deploys both commits once, undisturbed, to learn at which points one can die and what the
    /// trees look like.
    pub(crate) fn new(
        site: &'a Site,
        project: Project<'a>,
        options: &[&'static str],
        change: impl Fn(&Project<'a>),
    ) -> Self {
        wait_until_quiet(&site.path);
        let start = site.sandbox.path("start");
        copy(&site.path, &start);
        change(&project);
        project.write("page", "change");
        let changed = project.commit("The change");
        project.write("page", "again");
        let again = project.commit("Once more");
        let mut trial = Self {
            site,
            project,
            change: changed,
            again,
            options: options.to_vec(),
            start,
            trees: BTreeMap::new(),
            points: Vec::new(),
            kept: &[],
        };
        trial.learn();
        let trace = trial.site.sandbox.path("trace");
        trial.site.sandbox.set_variable("NYALA_FAULT_TRACE", &trace);
        trial.push_change().assert_success();
        wait_until_quiet(&site.path);
        trial.site.sandbox.remove_variable("NYALA_FAULT_TRACE");
        trial.points = worth_dying_at(points(&trace, &site.path));
        trial.learn();
        trial.push_again().assert_success();
        // Its worker goes on after the answer, in the folder that the first case puts back.
        wait_until_quiet(&site.path);
        trial.learn();
        trial
    }

    /// The points that are worth dying at.
    pub(crate) fn points(&self) -> Vec<Point> {
        self.points.clone()
    }

    /// Those that only a deployment with a new env has; with `NYALA_FAULTS=all`, every one.
    pub(crate) fn points_of_the_env(&self) -> Vec<Point> {
        self.points.iter().filter(|point| every_point() || point.is_of_an_env()).cloned().collect()
    }

    /// Puts the site back to the start, pushes the change with nyala dying at this point, and sees
    /// whether all is well and the next push deploys.
    pub(crate) fn die_at(&self, point: &Point) {
        self.restart();
        self.site.sandbox.set_variable("NYALA_FAULT_AT", point.variable());
        let push = self.push_change();
        assert!(push.accepted, "{}", push.stderr);
        self.site.sandbox.remove_variable("NYALA_FAULT_AT");
        wait_until_quiet(&self.site.path);
        self.assert_recovers();
    }

    /// Puts the site back to where it was before the change.
    pub(crate) fn restart(&self) {
        fs::remove_dir_all(&self.site.path).unwrap();
        copy(&self.start, &self.site.path);
        adopt_staging_tree(&self.site.path);
    }

    pub(crate) fn push_change(&self) -> Push {
        self.push_commit(&self.change, &self.options)
    }

    /// What is live is whole; the next push deploys with no hand on it, and puts everything in
    /// order.
    pub(crate) fn assert_recovers(&self) {
        self.assert_live_is_whole();
        let before = statuses(self.site);
        let push = self.push_again();
        push.assert_success();
        wait_until_quiet(&self.site.path);
        assert_eq!(self.assert_live_is_whole().as_deref(), Some("again"));
        let after = statuses(self.site);
        for (id, status) in before {
            let expected = if matches!(status.as_str(), "pending" | "building") {
                "interrupted"
            } else {
                &status
            };
            assert_eq!(after[&id], expected, "deployment {id} of {after:?}");
        }
        assert_only_kept(self.site, self.kept);
    }

    /// What `wwwroot` names is one of the trees, whole, and its env has what that tree needs.
    /// Returns its page.
    pub(crate) fn assert_live_is_whole(&self) -> Option<String> {
        let wwwroot = self.site.path.join("wwwroot");
        if fs::symlink_metadata(&wwwroot).is_err() {
            return None;
        }
        let page = self.site.live_file("page");
        let (tree, version) = &self.trees[&page];
        assert_eq!(&tree_of(self.site), tree, "the release of page {page} is not whole");
        if version.is_some() {
            assert_eq!(&package(self.site), version, "the env of page {page} is not whole");
        }
        Some(page)
    }

    fn push_again(&self) -> Push {
        self.push_commit(&self.again, &[])
    }

    fn push_commit(&self, commit: &str, options: &[&str]) -> Push {
        let refspec = format!("{commit}:refs/heads/main");
        let arguments: Vec<_> = options.iter().copied().chain(["nyala", &refspec]).collect();
        self.project.push_raw(&arguments)
    }

    /// Remembers what is live, which nothing has disturbed.
    fn learn(&mut self) {
        if self.site.live_id().is_some() {
            self.trees
                .insert(self.site.live_file("page"), (tree_of(self.site), package(self.site)));
        }
    }
}

fn tree_of(site: &Site) -> Snapshot {
    snapshot_without(&site.path.join("wwwroot").canonicalize().unwrap(), &["env", "__pycache__"])
}

/// The version of `antelope` in the live env, which has to have what it needs as well.
fn package(site: &Site) -> Option<String> {
    let ran = site.try_env_python_if_there("import antelope, grass; print(antelope.VERSION)")?;
    ran.status.success().then(|| ran.stdout.trim().to_owned())
}

/// The status of every deployment; panics when a record cannot be read.
pub(super) fn statuses(site: &Site) -> BTreeMap<u64, String> {
    let ids = site.numbers("deployments");
    ids.into_iter().map(|id| (id, site.record(id)["status"].as_str().unwrap().to_owned())).collect()
}

/// Every path in the site is accounted for, when only the live release is kept.
pub(super) fn assert_nothing_is_left_over(site: &Site) {
    assert_only_kept(site, &[]);
}

/// The same when the application had written these files, which are kept aside.
fn assert_only_kept(site: &Site, files: &[&str]) {
    let kept = site.path.join("kept");
    let found = if kept.exists() { snapshot(&kept) } else { Snapshot::new() };
    let found: Vec<_> = found.into_keys().filter(|path| kept.join(path).is_file()).collect();
    assert_eq!(found, files.iter().map(PathBuf::from).collect::<Vec<_>>());
    let names = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(site.path.join(folder)).into_iter().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    };
    for name in names("") {
        let known = Site::ENTRIES.contains(&name.as_str()) || name == "kept";
        assert!(known, "{name} is left over");
    }
    let live = site.live_id().unwrap();
    let env = fs::read_link(site.path.join("wwwroot/env")).ok();
    let env: Vec<_> =
        env.iter().map(|link| link.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    let mut releases = names("releases");
    // Where the next deployment starts from: whole, or nothing at all.
    if releases.first().is_some_and(|name| name == ".staging") {
        releases.remove(0);
        assert_eq!(names("releases/.staging"), ["tree", "tree.json"]);
    }
    assert_eq!(releases, [live.to_string()]);
    assert_eq!(names("envs"), env);
    for env in env {
        let stray =
            snapshot(&site.path.join("envs").join(env)).into_keys().find(|path| is_temporary(path));
        assert_eq!(stray, None);
    }
    for name in names("deployments").into_iter().filter(|name| name != "notices.json") {
        assert!(name.parse::<u64>().is_ok(), "deployments/{name} is left over");
        assert_eq!(names(&format!("deployments/{name}")), ["deployment.json", "log.txt"]);
    }
    for name in names("cache") {
        let known = ["reserve", "tmp"];
        assert!(known.contains(&name.as_str()), "cache/{name} is left over");
    }
    assert_eq!(names("cache/tmp"), Vec::<String>::new());
    assert_eq!(names("shared"), Vec::<String>::new());
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".nyala-"))
}

/// A copy with its times and modes. Scripts name paths, so only a copy at the same place is as good
/// as the original.
fn copy(from: &Path, to: &Path) {
    Running::start(Command::new("cp").arg("-a").args([from, to])).wait().assert_success();
}

/// nyala does not take a copy of the staging tree for the one that it has written. Here the copy is
/// as good.
fn adopt_staging_tree(site: &Path) {
    let staging = site.join("releases/.staging");
    let (Ok(marker), Ok(tree)) =
        (fs::read(staging.join("tree.json")), fs::metadata(staging.join("tree")))
    else {
        return;
    };
    let mut marker: serde_json::Value = serde_json::from_slice(&marker).unwrap();
    marker["folder"] = serde_json::json!({
        "inode": tree.ino(),
        "changed": tree.ctime(),
        "changed_nanoseconds": tree.ctime_nsec(),
    });
    fs::write(staging.join("tree.json"), marker.to_string()).unwrap();
}
