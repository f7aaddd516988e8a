//! Pushed text cannot move the cursor of a terminal, colour a line or forge one.

use super::{Attacker, FILE, FOLDER, GITLINK, Target, assert_harmless_in_a_terminal};

/// Clears the screen, sets the window's title, returns to the beginning of the line, and turns the
/// direction of text round; with the controls of one byte too.
const EVIL: &str = "\u{1b}[2J\u{1b}]0;title\u{7}evil\rsuccess: \u{202e}\u{9b}31m\u{8}\u{7f}";

/// A commit with all of that in its author and message.
fn evil_commit(attacker: &Attacker<'_>, tree: &str) -> String {
    let who = format!("{EVIL} <{EVIL}@example.org> 1700000000 +0000");
    let text = format!(
        "tree {tree}\nauthor {who}\ncommitter {who}\n\n{EVIL}\n\nBody {EVIL}\n\
         error: \u{1b}[31mred\n"
    );
    attacker.object("commit", text.as_bytes())
}

/// Pushes it, runs all commands that show it, and plans another push. Returns the output of the
/// push.
#[track_caller]
fn assert_shown_harmless(attacker: &Attacker<'_>, tree: &str) -> String {
    let site = &attacker.target.site;
    let commit = evil_commit(attacker, tree);
    let push = attacker.push_commit(&commit);
    let newest = *site.numbers("deployments").last().unwrap();
    assert_harmless_in_a_terminal(&site.log(newest));
    let newest = newest.to_string();
    for command in [
        &["list"][..],
        &["status"],
        &["show"],
        &["build-log"],
        &["diff", "1", &newest],
        &["plan", &commit],
    ] {
        let ran = site.nyala(command);
        assert!(!ran.stdout.is_empty() || !ran.stderr.is_empty(), "{command:?} says nothing");
        assert_harmless_in_a_terminal(&ran.stdout);
        assert_harmless_in_a_terminal(&ran.stderr);
    }
    site.sandbox.git(&site.repository, &["update-ref", "-d", "refs/heads/main"]);
    let asked = attacker.project.push_raw(&[
        "-o",
        "dry-run",
        "nyala",
        &format!("{commit}:refs/heads/main"),
    ]);
    assert!(asked.output.contains("dry-run"), "{}", asked.stderr);
    assert_harmless_in_a_terminal(&asked.stderr);
    let note = site.sandbox.git(&site.repository, &["notes", "--ref=deployments", "show", &commit]);
    assert!(note.starts_with("Deployment "), "{note}");
    assert_harmless_in_a_terminal(&note);
    push.output
}

#[test]
fn control_characters_in_a_push_are_always_escaped() {
    let target = Target::new();
    let attacker = target.attacker();
    let file = attacker.blob("content");
    let evil = EVIL.as_bytes();

    // Names, in a deployment that succeeds and in one that fails.
    let folder = attacker.tree(&[(FILE, evil, &file)]);
    let names = attacker.tree(&[(FOLDER, evil, &folder), (GITLINK, &[evil, b"2"].concat(), &file)]);
    let said = assert_shown_harmless(&attacker, &names);
    assert!(said.contains("is a submodule that .gitmodules does not name"), "{said}");
    let twice = attacker.tree(&[(FILE, evil, &file), (FILE, evil, &file)]);
    let said = assert_shown_harmless(&attacker, &twice);
    assert!(said.contains("two entries with that name"), "{said}");

    // The contents of files. Only nyala, git and pip end lines.
    for (name, content, text) in [
        (".deployment", format!("[config]\ncommand = : '{EVIL}'\n"), "success: deployment"),
        (
            ".deployment",
            format!("[config]\ncommand = false '{EVIL}'\n"),
            "the project's deployment command failed",
        ),
        (
            ".deployment",
            format!("[config]\npre_build_command = false '{EVIL}'\n"),
            "failed (PRE_BUILD_COMMAND",
        ),
        (".deployment", format!("[config]\nproject = {EVIL}\n"), "is not a folder of this commit"),
        (".deployment", format!("[config]\nSCM_{EVIL} = x\n"), "has no meaning here"),
        ("runtime.txt", format!("python-{EVIL}\n"), "runtime.txt"),
        ("requirements.txt", format!("-r {EVIL}\n"), "is not in the commit"),
        ("requirements.txt", format!("-r '{EVIL}\n"), "a quotation mark is not closed"),
        ("requirements.txt", format!("-c ../{EVIL}\n"), "is outside the deployed folder"),
    ] {
        let said = assert_shown_harmless(&attacker, &attacker.tree_of(&[(FILE, name, &content)]));
        assert!(said.contains(text), "{name}: {said}");
    }
    // The name of a branch, which git itself prints unescaped.
    let push = attacker.project.push_refs(&["HEAD:refs/heads/x\u{202e}\u{9b}2J"]);
    push.assert_deployed_nothing("Branch x\\u{202e}\\u{9b}2J is not the deploy branch");
    assert_harmless_in_a_terminal(&push.output);
    attacker.done("control characters");
}
