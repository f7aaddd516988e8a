//! Hostile trees, pushed with the real git: each is either refused, with the live release
//! unchanged, or deployed without harm. Beside the site is a folder that must not change by a byte,
//! and whose contents must not be shown.

mod gitlinks;
mod large;
mod links;
mod names;
mod requirements;
mod terminal;

use std::cell::Cell;
use std::fs;
use std::path::Path;

use crate::support::{Precious, Project, Push, Running, Site, count, wait_until_quiet};

const FILE: &str = "100644";
const PROGRAM: &str = "100755";
const LINK: &str = "120000";
const FOLDER: &str = "40000";
const GITLINK: &str = "160000";

/// A site with a live page, whose repository accepts any object, and a precious folder beside it.
struct Target {
    site: Site,
    precious: Precious,
}

impl Target {
    fn new() -> Self {
        Self::of(Site::new())
    }

    fn of(site: Site) -> Self {
        site.sandbox.git(&site.repository, &["config", "receive.fsckObjects", "false"]);
        let precious = Precious::beside(&site);
        Self { site, precious }
    }

    /// A work tree that pushes to the site; its first push, a page, is live.
    fn attacker(&self) -> Attacker<'_> {
        let project = self.site.project();
        project.write("page", "live").push().assert_success();
        Attacker { target: self, project, cases: Cell::new(0) }
    }
}

struct Attacker<'t> {
    target: &'t Target,
    project: Project<'t>,
    cases: Cell<usize>,
}

impl Attacker<'_> {
    fn blob(&self, bytes: impl AsRef<[u8]>) -> String {
        self.object("blob", bytes.as_ref())
    }

    /// A tree with exactly these entries in this order, whether or not git considers them valid.
    fn tree(&self, entries: &[(&str, &[u8], &str)]) -> String {
        let mut raw = Vec::new();
        for (mode, name, id) in entries {
            raw.extend([mode.as_bytes(), b" ", name, b"\0"].concat());
            raw.extend(
                (0..id.len()).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()),
            );
        }
        self.object("tree", &raw)
    }

    /// A tree of files and links, without folders.
    fn tree_of(&self, entries: &[(&str, &str, &str)]) -> String {
        let ids: Vec<_> = entries.iter().map(|(.., content)| self.blob(content)).collect();
        let entries = entries
            .iter()
            .zip(&ids)
            .map(|((mode, name, _), id)| (*mode, name.as_bytes(), id.as_str()));
        self.tree(&entries.collect::<Vec<_>>())
    }

    fn object(&self, kind: &str, bytes: &[u8]) -> String {
        let file = self.project.path.join(".git/object");
        fs::write(&file, bytes).unwrap();
        let file = file.to_str().unwrap();
        self.project.git(&["hash-object", "-t", kind, "--literally", "--no-filters", "-w", file])
    }

    /// Runs git with a file as its standard input.
    fn git_with_input(&self, arguments: &[&str], input: &Path) {
        let mut command = self.target.site.sandbox.command("sh");
        command
            .current_dir(&self.project.path)
            .args(["-c", "exec git \"$@\" < \"$0\""])
            .arg(input)
            .args(arguments);
        Running::start(&mut command).wait().assert_success();
    }

    fn commit(&self, tree: &str) -> String {
        self.project.git(&["commit-tree", "-m", "Nothing to see here", tree])
    }

    /// Pushes a commit of this tree.
    fn push(&self, tree: &str) -> Push {
        self.push_commit(&self.commit(tree))
    }

    fn push_commit(&self, commit: &str) -> Push {
        self.cases.set(self.cases.get() + 1);
        let push = self.project.push_refs(&[&format!("+{commit}:refs/heads/main")]);
        let Target { site, precious } = self.target;
        precious.assert_untouched(site);
        Precious::assert_not_in(&push.stderr);
        assert_harmless_in_a_terminal(&push.stderr);
        push
    }

    /// The deployment of this tree fails with `text`, the live release is unchanged, and nothing is
    /// left over.
    #[track_caller]
    fn assert_refused(&self, tree: &str, text: &str) -> Push {
        let site = &self.target.site;
        let there = || ["releases", "envs"].map(|folder| site.numbers(folder));
        // The push before may still be pruning.
        wait_until_quiet(&site.path);
        let (live, before) = (site.live_state(), there());
        let push = self.push(tree);
        push.assert_failed_with(text);
        assert!(push.last_line().ends_with(" is still live"), "{}", push.last_line());
        assert_eq!((site.live_state(), there()), (live, before));
        for folder in ["releases", "envs", "deployments", "cache", "cache/tmp"] {
            for entry in fs::read_dir(site.path.join(folder)).into_iter().flatten() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let is_left = folder == "cache/tmp" || name.starts_with(".trash-");
                assert!(!is_left, "{folder}/{name}");
            }
        }
        push
    }

    /// Checks the whole site once more, and reports how many cases were tried.
    fn done(self, what: &str) {
        let site = &self.target.site;
        // Deep trees are still being removed after the push.
        wait_until_quiet(&site.path);
        Precious::assert_nowhere_in(site);
        site.nyala(&["doctor"]).assert_success();
        count(&format!("hostile trees: {what}"), self.cases.get());
    }
}

/// No character that moves a cursor, colours or hides text, or changes its direction.
#[track_caller]
fn assert_harmless_in_a_terminal(text: &str) {
    let is_harmful = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(is_harmful), "{}", text.escape_debug().to_string().replace("\\n", "\n"));
}
