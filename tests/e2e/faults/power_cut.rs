//! The power fails at any change of the disk, on file systems with a journal: what is there
//! afterwards is what had been written to the disk, and no more.
//!
//! The file system is in a file. A copy of that file holds what had been written; what was only in
//! memory is not in it, and is lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{
    Mounts, Point, Project, Push, Sandbox, Site, every_point, faulty_nyala, points, skip,
    wait_until_quiet,
};

/// Sparse. A smaller disk has no room for a staging tree.
const BYTES: u64 = 1 << 30;

/// How many of the changes are tried, evenly spread over all of them.
const TRIED: usize = 8;

/// A file system in a file, mounted where the site is.
struct Disk {
    image: PathBuf,
    at: PathBuf,
}

impl Disk {
    /// `None` where such a file system cannot be made or mounted.
    fn make(kind: &str, sandbox: &Sandbox) -> Option<Disk> {
        let disk = Disk { image: sandbox.path("image"), at: sandbox.path("disk") };
        fs::create_dir(&disk.at).unwrap();
        fs::File::create(&disk.image).unwrap().set_len(BYTES).unwrap();
        let made = ran(Command::new(format!("mkfs.{kind}")).arg("-q").arg(&disk.image));
        if made && disk.mount() {
            return Some(disk);
        }
        skip(&format!("needs mkfs.{kind}, and a kernel that mounts it"));
        None
    }

    fn mount(&self) -> bool {
        ran(Command::new("mount").args(["-o", "loop"]).args([&self.image, &self.at]))
    }

    fn copy(&self, to: &Path) {
        assert!(ran(Command::new("cp").arg("--sparse=always").args([&self.image, to])));
    }

    /// Mounts this image in the place of the one that is mounted.
    fn put(&self, image: &Path) {
        Mounts::unmount(&self.at);
        fs::rename(image, &self.image).unwrap();
        assert!(self.mount(), "what the disk holds cannot be mounted any more");
    }

    /// The power fails, and comes back.
    fn cut(&self, sandbox: &Sandbox) {
        let left = sandbox.path("left");
        self.copy(&left);
        self.put(&left);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).status();
    }
}

fn ran(command: &mut Command) -> bool {
    command.output().is_ok_and(|ran| ran.status.success())
}

/// The files of a tree with this page. None is like that of another tree, and none is empty.
fn tree(page: &str) -> BTreeMap<String, String> {
    let mut tree: BTreeMap<_, _> = (0..30)
        .map(|number| (format!("data/{}/{number}", number % 3), number.to_string()))
        .collect();
    for name in ["page", "data/1/page", "new/page"] {
        tree.insert(name.to_owned(), page.to_owned());
    }
    tree
}

fn commit(project: &Project<'_>, page: &str) -> String {
    for (path, content) in tree(page) {
        project.write(&path, content);
    }
    project.commit(page)
}

fn push(project: &Project<'_>, commit: &str) -> Push {
    project.push_raw(&["--force", "nyala", &format!("{commit}:refs/heads/main")])
}

/// The page that is live; panics when a file of its tree is not what it should be.
fn live_and_whole(site: &Site) -> String {
    let page = site.live_file("page");
    for (path, content) in tree(&page) {
        assert_eq!(site.live_file(&path), content, "{path} of page {page}");
    }
    page
}

fn survives(kind: &str) {
    if !Mounts::own() {
        return;
    }
    let sandbox = Sandbox::in_memory(faulty_nyala());
    let Some(disk) = Disk::make(kind, &sandbox) else { return };
    let site = Site::in_sandbox(sandbox, "disk/site", &[]);
    // Unmounted before the sandbox, in which it is, is removed.
    let disk = disk;
    site.configure("keep = 1\nstaging = true");
    let project = site.project();
    let [one, two, three] = ["1", "2", "3"].map(|page| commit(&project, page));
    push(&project, &one).assert_success();
    wait_until_quiet(&site.path);
    assert!(ran(Command::new("sync").arg("-f").arg(&site.path)));
    let start = site.sandbox.path("start");
    disk.copy(&start);
    let restart = || {
        let image = site.sandbox.path("restart");
        assert!(ran(Command::new("cp").arg("--sparse=always").args([&start, &image])));
        disk.put(&image);
    };

    // What has been reported is on the disk.
    let trace = site.sandbox.path("trace");
    site.sandbox.set_variable("NYALA_FAULT_TRACE", &trace);
    push(&project, &two).assert_success();
    site.sandbox.remove_variable("NYALA_FAULT_TRACE");
    wait_until_quiet(&site.path);
    disk.cut(&site.sandbox);
    assert_eq!(live_and_whole(&site), "2");

    let points: Vec<Point> =
        points(&trace, &site.path).into_iter().filter(|point| point.command == "worker").collect();
    let step = if every_point() { 1 } else { points.len().div_ceil(TRIED) };
    for point in points.iter().step_by(step) {
        restart();
        site.sandbox.set_variable("NYALA_FAULT_AT", point.variable());
        push(&project, &two);
        site.sandbox.remove_variable("NYALA_FAULT_AT");
        wait_until_quiet(&site.path);
        disk.cut(&site.sandbox);
        let page = live_and_whole(&site);
        assert!(["1", "2"].contains(&page.as_str()), "{point:?}: page {page}");
        push(&project, &three).assert_success();
        assert_eq!(live_and_whole(&site), "3", "{point:?}");
        wait_until_quiet(&site.path);
    }
}

#[test]
fn a_loss_of_power_on_ext4_leaves_a_whole_release() {
    survives("ext4");
}

#[test]
fn a_loss_of_power_on_xfs_leaves_a_whole_release() {
    survives("xfs");
}

#[test]
fn a_loss_of_power_on_btrfs_leaves_a_whole_release() {
    survives("btrfs");
}
