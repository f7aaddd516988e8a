//! The documentation by the letter: the commands of each page are run in their order on a server
//! and a laptop of its own, and what they print is compared with what the page shows.
//!
//! `UPDATE_DOCS=1` puts into the pages what was printed. See `documentation/blocks.rs` for what a
//! page says of its blocks, and `scripts/test-guide` for the guide on a bare Debian.

mod blocks;
mod compared;
mod links;
mod world;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use blocks::Block;
use world::{PYTHONS, World};

use crate::support::{Sandbox, SshServer, count, program, skip, two_pythons};

/// A test for each page that takes its time, so that they run at once.
macro_rules! pages {
    ($($test:ident: $page:literal,)*) => {
        const PAGES: &[&str] = &[$($page),*];
        $(
            #[test]
            fn $test() {
                follow($page);
            }
        )*
    };
}

pages! {
    the_readme_holds: "README.md",
    running_holds: "docs/running.md",
    scripts_holds: "docs/scripts.md",
    environments_holds: "docs/environments.md",
    ssh_holds: "docs/ssh.md",
    pushing_holds: "docs/pushing.md",
    exit_code_holds: "docs/exit-code.md",
    from_heroku_holds: "docs/from-heroku.md",
    from_dokku_holds: "docs/from-dokku.md",
    from_piku_holds: "docs/from-piku.md",
    from_kudu_holds: "docs/from-kudu.md",
}

#[test]
fn every_other_page_holds() {
    for page in pages_in_docs() {
        let page = page.strip_prefix(root()).unwrap().to_str().unwrap();
        if !PAGES.contains(&page) {
            follow(page);
        }
    }
}

#[test]
fn the_figures_of_the_readme_are_those_of_the_pages() {
    let read = |page: &str| fs::read_to_string(root().join(page)).unwrap();
    let readme = read("README.md");
    let (_, rest) = readme.split_once("</picture>").unwrap();
    let (claims, _) = rest.split_once("\n## ").unwrap();
    let pages: Vec<_> = pages_in_docs().iter().map(|it| fs::read_to_string(it).unwrap()).collect();
    let figures = claims.split(|it: char| !it.is_ascii_digit() && !".,".contains(it));
    let figures = figures.map(|it| it.trim_matches(['.', ','])).filter(|it| it.len() > 1);
    let unknown: Vec<_> =
        figures.filter(|figure| !pages.iter().any(|page| page.contains(figure))).collect();
    assert!(unknown.is_empty(), "no page holds {unknown:?}");
}

fn pages_in_docs() -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|it| it == "md")).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn follow(page: &str) {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let blocks = Block::all(page, &text);
    let is_generated = text.contains("\n<!-- Generated from ");
    let says = |word: &str| blocks.iter().any(|it| it.skip().is_none() && it.text.contains(word));
    if says(PYTHONS[1]) && two_pythons().is_none() || says("@server") && !SshServer::is_possible() {
        return;
    }
    if says("curl ") && program("curl").is_none() {
        skip("needs curl");
        return;
    }
    let mut updated: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
    let (mut run, mut wrong) = (0, Vec::new());
    for chapter in blocks.chunk_by(|_, next| !next.has("new")) {
        let sandbox = Sandbox::new();
        let mut world = None;
        for block in chapter {
            if let Some(why) = block.skip() {
                eprintln!("{}:", block.place);
                count(&format!("documentation: not run, {why}"), 1);
            } else if block.language == "toml" && block.file().is_none() {
                if !is_generated {
                    is_a_site(&sandbox, block);
                }
            } else if (block.is_command() || block.file().is_some()) && !block.has("parsed") {
                let world = world.get_or_insert_with(|| World::new(&sandbox));
                let text = world.follow(block);
                if text != block.text {
                    wrong.push(format!("{}: it printed\n{text}", block.place));
                    let (from, to) = block.lines;
                    updated[from..to].fill(String::new());
                    updated[from] = text;
                }
                run += usize::from(block.is_command());
            }
        }
    }
    let updated = updated.concat();
    if updated != text && std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root().join(page), &updated).unwrap();
    } else {
        assert!(updated == text, "{page} shows what is not printed:\n{}", wrong.join("\n"));
    }
    count("documentation: run", run);
}

/// The settings of a site.
fn is_a_site(sandbox: &Sandbox, block: &Block) {
    let site = sandbox.path("settings");
    let named = site.to_str().unwrap();
    if !site.exists() {
        sandbox.nyala(&["init", named]).assert_success();
    }
    fs::write(site.join("nyala.toml"), &block.text).unwrap();
    let shown = sandbox.nyala(&["config", "show", "--site", named]);
    assert!(shown.status.success(), "{}: {}", block.place, shown.stderr);
}
