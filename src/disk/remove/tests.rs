use std::os::unix::fs::symlink;
use std::process::Command;

use super::*;

fn remove(guard: Guard, path: &Path) -> Result<()> {
    let (parent, name) = open_parent(path)?;
    remove_with(guard, path, parent.as_fd(), &name)
}

#[test]
fn everything_goes_and_no_link_is_followed() {
    for guard in [Guard::Kernel, Guard::MountIds] {
        let folder = tempfile::tempdir().unwrap();
        let (top, precious) = (folder.path().join("top"), folder.path().join("precious"));
        fs::create_dir(&precious).unwrap();
        fs::write(precious.join("file"), "").unwrap();
        fs::create_dir_all(top.join("a/b")).unwrap();
        fs::create_dir(top.join("empty")).unwrap();
        fs::write(top.join("a/b/file"), "").unwrap();
        symlink(&precious, top.join("a/link")).unwrap();
        symlink("nowhere", top.join("dangling")).unwrap();
        remove(guard, &top).unwrap();
        assert!(!top.exists() && precious.join("file").exists());
        remove(guard, &top).unwrap();
    }
}

#[test]
fn a_tree_may_be_deeper_than_there_are_file_descriptors_and_longer_than_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("top");
    fs::create_dir(&top).unwrap();
    // From the inside out: no path may be as long as this becomes.
    let inner = folder.path().join("inner");
    for depth in 0..1_500 {
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("file"), "").unwrap();
        if depth > 0 {
            fs::rename(folder.path().join("outer"), inner.join("d".repeat(20))).unwrap();
        }
        fs::rename(&inner, folder.path().join("outer")).unwrap();
    }
    fs::rename(folder.path().join("outer"), top.join("outer")).unwrap();
    remove_folder(&top).unwrap();
    assert!(!top.exists());
}

#[test]
fn what_its_owner_has_closed_goes_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("top");
    fs::create_dir_all(top.join("closed/in")).unwrap();
    fs::write(top.join("closed/file"), "").unwrap();
    fs::set_permissions(top.join("closed/in"), Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(top.join("closed"), Permissions::from_mode(0o500)).unwrap();
    remove_folder(&top).unwrap();
    assert!(!top.exists());
}

/// Runs this test again, alone, in a mount namespace of its own, where it may mount what it
/// wants. `None` in there.
fn in_own_namespace(test: &str) -> Option<()> {
    if std::env::var_os("NYALA_TEST_NAMESPACE").is_some() {
        return None;
    }
    let name = format!("{}::{test}", module_path!().split_once("::").unwrap().1);
    let unshare = |command: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--propagation", "private", "--"]).args(command);
        unshare.env("NYALA_TEST_NAMESPACE", "1");
        unshare
    };
    let can = unshare(&["mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
    if !can.is_ok_and(|ran| ran.status.success()) {
        println!("skipped: {test} needs to mount");
        return Some(());
    }
    let own = std::env::current_exe().unwrap();
    let ran = unshare(&[own.to_str().unwrap(), "--exact", &name, "--nocapture"]);
    let ran = { ran }.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}\n{ran:?}");
    Some(())
}

fn mount(arguments: &[&str], at: &Path) {
    assert!(Command::new("mount").args(arguments).arg(at).status().unwrap().success());
}

#[test]
fn nothing_below_a_mount_point_is_removed() {
    if in_own_namespace("nothing_below_a_mount_point_is_removed").is_some() {
        return;
    }
    for guard in [Guard::Kernel, Guard::MountIds] {
        let folder = tempfile::tempdir().unwrap();
        let (top, volume) = (folder.path().join("top"), folder.path().join("volume"));
        let media = top.join("a b/me\ndia");
        fs::create_dir_all(&media).unwrap();
        fs::create_dir_all(top.join("tmpfs/x")).unwrap();
        fs::create_dir_all(top.join("c/d")).unwrap();
        fs::write(top.join("c/d/db"), "").unwrap();
        fs::write(top.join("c/file"), "").unwrap();
        fs::create_dir(&volume).unwrap();
        fs::write(volume.join("upload"), "upload").unwrap();
        // The same file system, another one, one file, and one in another.
        mount(&["--bind", volume.to_str().unwrap()], &media);
        mount(&["-t", "tmpfs", "tmpfs"], &top.join("tmpfs"));
        fs::create_dir(top.join("tmpfs/inner")).unwrap();
        mount(&["--bind", volume.to_str().unwrap()], &top.join("tmpfs/inner"));
        mount(&["--bind", volume.join("upload").to_str().unwrap()], &top.join("c/d/db"));
        let below = super::super::mounts::below(&top).unwrap();
        let points = ["a b/me\ndia", "c/d/db", "tmpfs", "tmpfs/inner"];
        assert_eq!(below, points.map(|point| top.canonicalize().unwrap().join(point)));

        let error = remove(guard, &top).unwrap_err();
        let mounted = error.downcast_ref::<Mounted>().unwrap();
        assert_eq!(mounted.mounts, points[..3].iter().map(|at| top.join(at)).collect::<Vec<_>>());
        assert_eq!(fs::read_to_string(volume.join("upload")).unwrap(), "upload");
        assert_eq!(fs::read_to_string(media.join("upload")).unwrap(), "upload");
        assert!(top.join("tmpfs/inner/upload").exists());
        // The rest has gone.
        assert!(!top.join("c/file").exists());
        // So does a mount point itself stay.
        let error = remove(guard, &media).unwrap_err();
        assert_eq!(error.downcast_ref::<Mounted>().unwrap().mounts, std::slice::from_ref(&media));
        for at in [&media, &top.join("tmpfs/inner"), &top.join("tmpfs"), &top.join("c/d/db")] {
            assert!(Command::new("umount").arg(at).status().unwrap().success());
        }
        remove(guard, &top).unwrap();
        assert!(!top.exists() && volume.join("upload").exists());
    }
}
