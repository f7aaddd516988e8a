//! What changed between the requirements an env was made from and those of a commit, and what that
//! asks for.
//!
//! The question is always what pip would do in a copy of the env. It installs what is missing or
//! does not satisfy the line, and leaves everything else, wherever that came from. So a copy is
//! enough (*update*) for additions and other versions, and a new env (*create*) is needed when
//! something must go, or when pip would keep what is installed although the line now means
//! something else.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, FileChange, StaleReason};
use super::locks::Lock;
use super::record::{Found, Input, Line, Local, LocalKind, Recorded, Role};

/// Everything that changed. Changes that require a new env come first; otherwise the order is
/// requirements, constraints, options, names.
///
/// Equal records still give [`Change::Editable`] and [`Change::MutableReference`]. Comments and the
/// order of lines are no change.
pub fn compare(then: &Recorded, now: &Recorded) -> Vec<Change> {
    let Recorded {
        fingerprint: _,
        lines: then_lines,
        local: then_local,
        found: then_found,
        mutable_references: _,
        inputs: then_inputs,
    } = then;
    let Recorded {
        fingerprint: _,
        lines: now_lines,
        local: now_local,
        found: now_found,
        mutable_references,
        inputs: now_inputs,
    } = now;

    let mut changes: Vec<Change> =
        mutable_references.iter().cloned().map(Change::MutableReference).collect();
    changes.extend(first_lock(then_lines, now_lines));
    changes.extend(compare_lines(then_lines, now_lines));
    changes.extend(compare_local(then_local, now_local));
    changes.extend(compare_found(then_found, now_found));
    changes.extend(compare_inputs(then_inputs, now_inputs));
    changes.sort_by_key(|change| std::cmp::Reverse(change.env_action()));
    changes
}

/// A lock in the place of something else that declares packages.
fn first_lock(then: &[Line], now: &[Line]) -> Option<Change> {
    let is_of_lock = |line: &&Line| {
        let name = line.file.rsplit('/').next().unwrap_or_default();
        Lock::named_or_chosen(name).is_some()
    };
    let to = now.iter().find(is_of_lock)?.file.clone();
    let is_requirement = |line: &&Line| line.role == Role::Requirement;
    let from = then.iter().filter(is_requirement).find(|line| !is_of_lock(line))?.file.clone();
    Some(Change::FirstLock { from, to })
}

fn compare_lines(then: &[Line], now: &[Line]) -> Vec<Change> {
    // The lines of one key: those of then, those of now.
    let mut keys: BTreeMap<(Role, &str), [Vec<&Line>; 2]> = BTreeMap::new();
    for (side, lines) in [then, now].into_iter().enumerate() {
        for line in lines {
            keys.entry((line.role, &line.key)).or_default()[side].push(line);
        }
    }
    keys.into_values()
        .flat_map(|[then, now]| {
            let lost = without(&then, &now);
            let new = without(&now, &then);
            if let ([from], [to]) = (lost.as_slice(), new.as_slice()) {
                return vec![changed(from, to)];
            }
            let lost = lost.into_iter().cloned().map(Change::Gone);
            let new = new.into_iter().cloned().map(Change::Added);
            lost.chain(new).collect()
        })
        .collect()
}

/// Those of `lines` that mean something none of `others` does, each meaning once.
fn without<'a>(lines: &[&'a Line], others: &[&'a Line]) -> Vec<&'a Line> {
    let mut known: BTreeSet<_> = others.iter().map(|line| line_key(line)).collect();
    lines.iter().filter(|line| known.insert(line_key(line))).copied().collect()
}

type LineKey<'a> = (
    &'a BTreeSet<String>,
    &'a str,
    Option<&'a str>,
    &'a BTreeSet<String>,
    &'a [String],
    bool,
    Option<&'a str>,
);

/// Everything of a line but where it stands and how it is written.
fn line_key(line: &Line) -> LineKey<'_> {
    let Line {
        role: _,
        key: _,
        file: _,
        number: _,
        text: _,
        extras,
        version,
        source,
        hashes,
        options,
        editable,
        digest,
    } = line;
    (extras, version, source.as_deref(), hashes, options, *editable, digest.as_deref())
}

/// How one line became another of the same key.
fn changed(from: &Line, to: &Line) -> Change {
    let lost_hashes = !to.hashes.is_empty()
        && (from.hashes.is_empty() || !from.hashes.is_subset(&to.hashes))
        && from.version == to.version;
    let why: Vec<StaleReason> = [
        (to.role == Role::Option, StaleReason::Option),
        (
            to.role != Role::Option && (from.source != to.source || from.editable != to.editable),
            StaleReason::Source,
        ),
        (!from.extras.is_subset(&to.extras), StaleReason::Extras),
        (lost_hashes, StaleReason::Hashes),
        (from.options != to.options, StaleReason::Options),
        (from.digest != to.digest, StaleReason::Hidden),
    ]
    .into_iter()
    .filter_map(|(holds, why)| holds.then_some(why))
    .collect();

    let (from, to) = (from.clone(), to.clone());
    if why.is_empty() { Change::Changed { from, to } } else { Change::Replaced { from, to, why } }
}

fn compare_local(then: &[Local], now: &[Local]) -> Vec<Change> {
    // A path may be named twice: as a folder, and with -e.
    let paths: BTreeSet<_> = then.iter().map(|local| &local.path).collect();
    let known: BTreeSet<_> = then.iter().collect();
    now.iter()
        .filter_map(|local| {
            let Local { path, kind, id: _, whole_tree } = local;
            let same = paths.contains(path).then(|| known.contains(local));
            let path = path.clone();
            match (kind, same) {
                (LocalKind::Editable, _) => Some(Change::Editable { path }),
                // A path that is named for the first time comes with a line that is new.
                (_, None | Some(true)) => None,
                (LocalKind::Folder, Some(false)) => {
                    Some(Change::LocalFolder { path, whole_tree: whole_tree.clone() })
                }
                (LocalKind::File, Some(false)) => Some(Change::LocalFile { path }),
            }
        })
        .collect()
}

fn compare_found(then: &[Found], now: &[Found]) -> Vec<Change> {
    let known: BTreeMap<_, _> = then.iter().map(|f| (&f.path, &f.id)).collect();
    let offered: BTreeSet<_> = now.iter().map(|found| &found.path).collect();
    let gone =
        then.iter().filter(|found| !offered.contains(&found.path)).cloned().map(Change::FoundGone);
    gone.chain(now.iter().filter_map(|found| match known.get(&found.path) {
        None => Some(Change::FoundAdded(found.clone())),
        Some(id) if **id != found.id => Some(Change::FoundChanged(found.clone())),
        Some(_) => None,
    }))
    .collect()
}

fn compare_inputs(then: &[Input], now: &[Input]) -> Vec<Change> {
    let digest = |inputs: &[Input], path: &str| {
        inputs.iter().find(|input| input.path == path).map(|input| input.digest.clone())
    };
    let removed = then.iter().filter(|input| digest(now, &input.path).is_none());
    let removed = removed.map(|input| (input, FileChange::Removed));
    let others = now.iter().filter_map(|input| match digest(then, &input.path) {
        None => Some((input, FileChange::Added)),
        Some(digest) if digest != input.digest => Some((input, FileChange::Changed)),
        Some(_) => None,
    });
    removed.chain(others).map(|(input, how)| Change::Input { input: input.clone(), how }).collect()
}
