//! The history of deployments in the repository: `refs/deployments/live` and notes.

use crate::support::{Project, Running, Sandbox, Site, git_can, skip};

/// The notes of a commit, as a developer sees them after fetching them.
fn notes(project: &Project<'_>, commit: &str) -> String {
    project.git(&["fetch", "--quiet", "nyala", "+refs/notes/deployments:refs/notes/nyala"]);
    project.git(&["log", "-1", "--format=%N", "--notes=nyala", commit])
}

#[test]
fn every_developer_can_see_what_went_live() {
    let site = Site::new();
    let project = site.python_project();
    let one = project.commit("One");
    project.push().assert_success();
    let note = notes(&project, &one);
    assert!(note.starts_with("Deployment 1: succeeded, live\nPython: 3."), "{note}");
    for part in ["Environment: create, env 1\n", "Seconds: ", "| success: deployment 1 is live: "] {
        assert!(note.contains(part), "no {part:?} in\n{note}");
    }
    let live =
        |project: &Project<'_>| project.git(&["ls-remote", "nyala", "refs/deployments/live"]);
    assert!(live(&project).starts_with(&one));

    let two = project.custom_script("echo on the way\nexit 7").commit("Two");
    project.push().assert_failed_with("status 7");
    let note = notes(&project, &two);
    assert!(note.starts_with("Deployment 2: failed\n"), "{note}");
    assert!(note.contains("on the way") && note.contains("| error: deployment 2 failed"), "{note}");
    assert!(live(&project).starts_with(&one));

    site.nyala(&["redeploy", "1"]).assert_success();
    let note = notes(&project, &one);
    assert!(
        note.contains("Deployment 1: ") && note.contains("Deployment 3: succeeded, live"),
        "{note}"
    );

    // The live commit is kept even though no branch contains it.
    project.git(&["checkout", "--quiet", "--orphan", "other"]);
    project.remove(".deployment").commit("Anew");
    project.push_with(&["--force", "-o", "skip-deploy"]);
    site.sandbox.git(&site.repository, &["gc", "--quiet", "--prune=now"]);
    site.sandbox.git(&site.repository, &["cat-file", "-e", &one]);
}

#[test]
fn a_mirror_push_does_not_delete_the_history() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    project.push_raw(&["--mirror", "nyala"]);
    let note = notes(&project, "HEAD");
    assert!(note.starts_with("Deployment 1: succeeded"), "{note}");
}

#[test]
fn concurrent_writers_never_lose_a_note() {
    let sandbox = Sandbox::new();
    let repository = sandbox.bare_repository(&[]);
    let site = Site::installed(sandbox, repository);
    let project = site.project();
    let commit = project.write("page", "1").commit("One");
    project.push().assert_success();
    let name = site.repository.to_str().unwrap();
    let sites: Vec<_> = (0..3).map(|number| site.sandbox.path(&format!("site{number}"))).collect();
    for folder in &sites {
        let folder = folder.to_str().unwrap();
        site.sandbox.nyala(&["install", name, "--site", folder, "--force"]).assert_success();
    }
    // With it, the repository would tell of the last of them alone.
    std::fs::remove_file(site.repository.join("hooks/post-receive")).unwrap();
    let running: Vec<_> = sites
        .iter()
        .map(|folder| {
            let folder = folder.to_str().unwrap();
            Running::start(
                site.sandbox.nyala_command().args(["redeploy", "main", "--site", folder]),
            )
        })
        .collect();
    for one in running {
        one.wait().assert_success();
    }
    let note = notes(&project, &commit);
    assert_eq!(note.matches("Deployment 1: succeeded").count(), 4, "{note}");
}

#[test]
fn a_note_that_cannot_be_written_is_a_warning() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    // A ref below the name of the notes makes that name unusable.
    site.sandbox.git(&site.repository, &["update-ref", "-d", "refs/notes/deployments"]);
    site.sandbox
        .git(&site.repository, &["update-ref", "refs/notes/deployments/x", "refs/heads/main"]);
    let push = project.write("page", "2").push();
    push.assert_success().assert_says("warning: the note on this deployment could not be written");
    assert_eq!(site.live_file("page"), "2");
}

#[test]
fn notes_hold_no_secret() {
    let site = Site::new();
    site.set("TOKEN", "hunter22");
    let project = site.project();
    project.custom_script("echo $TOKEN\nexit 1").push().assert_failed_with("****");
    let note = notes(&project, "HEAD");
    assert!(note.contains("****") && !note.contains("hunter22"), "{note}");
}

#[test]
fn sha_256_and_reftable_repositories_have_notes() {
    for option in ["--object-format=sha256", "--ref-format=reftable"] {
        if !git_can(option) {
            skip(&format!("needs a git whose init knows {option}"));
            continue;
        }
        let sandbox = Sandbox::new();
        let repository = sandbox.bare_repository(&[option]);
        let site = Site::installed(sandbox, repository);
        let project = Project::new(&site, &[option]);
        for page in ["1", "2"] {
            project.write("page", page).push().assert_success();
        }
        assert!(notes(&project, "HEAD").starts_with("Deployment 2: succeeded"));
        assert!(notes(&project, "HEAD~1").starts_with("Deployment 1: succeeded"));
    }
}
