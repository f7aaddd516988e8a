//! The members of a workspace: those that the lock has, against those that the commit has.

use std::collections::BTreeMap;
use std::path::Path;
use std::slice;
use std::str::FromStr;

use pep440_rs::VersionSpecifiers;
use toml::{Table, Value};

use super::super::super::error::LockError;
use super::super::super::marker::normalized;
use super::super::super::{InFolder, Manifests, Member, Workspace};
use super::super::file::Lock;
use super::is_same_for_all;
use super::manifest::{Manifest, of_uv};

/// Fails when the commit lacks a member, or another project or file that the lock has from it.
pub(super) fn check_there(lock: &Lock, workspace: &Workspace) -> Result<(), LockError> {
    for locked in &lock.packages {
        let place = locked.source.folder().or(locked.source.path.as_deref());
        if let Some(path) = place.and_then(|place| workspace.gone.get(place)) {
            return Err(LockError::Gone { package: locked.name.clone(), path: path.clone() });
        }
    }
    Ok(())
}

/// Fails when the members are others, or for other Pythons. `root` is the manifest that names them.
pub(super) fn check(
    lock: &Lock,
    workspace: &Workspace,
    root: &Manifest<'_>,
) -> Result<(), LockError> {
    let Some(members) = &workspace.members else { return Ok(()) };
    let stale = |why: String| Err(root.stale(why));
    let mut now: BTreeMap<&str, (&str, &Member)> = BTreeMap::new();
    let mut not_seen = Vec::new();
    for (folder, member) in members {
        let member = match member {
            InFolder::Project(member) => member,
            InFolder::Nothing => {
                return stale(format!("{folder} is a member there, and has no [project]"));
            }
            InFolder::NotSeen => {
                not_seen.push(Path::new(folder));
                continue;
            }
        };
        if let Some((other, _)) = now.insert(&member.name, (folder, member)) {
            return stale(format!("{other} and {folder} are both {} there", member.name));
        }
    }
    let is_alone = now.len() == 1 && members.contains_key(".");
    let then = &lock.manifest.members;
    if is_alone && then.is_empty() {
        return Ok(());
    }
    for (name, (folder, _)) in &now {
        if then.contains(*name) {
            continue;
        }
        let of_folder = lock.packages.iter().find(|it| it.source.folder() == Some(folder));
        return stale(match of_folder.filter(|it| then.contains(&it.name)) {
            Some(locked) => format!("{folder} is {name} there, and {} in the lock", locked.name),
            None => format!("{name} in {folder} is a new member there"),
        });
    }
    let is_not_seen = |name: &str| {
        let folder = lock.packages.iter().find(|it| it.name == name)?.source.folder()?;
        not_seen.iter().find(|it| Path::new(folder).starts_with(it))
    };
    let is_gone = |name: &&String| !now.contains_key(name.as_str()) && is_not_seen(name).is_none();
    if let Some(gone) = then.iter().find(is_gone) {
        return stale(format!("{gone} is no longer a member there"));
    }
    if !not_seen.is_empty() {
        return Ok(());
    }
    check_pythons(lock, now.values().map(|(_, member)| *member), root)
}

/// Whether those that `[tool.uv.sources]` names as members are editable ones, by their names. uv
/// asks the top of the workspace and then each member, in the order of their names. What is said
/// last counts, also by one that leaves it open, which means that they are.
pub(super) fn editables(
    lock: &Lock,
    manifests: &Manifests,
    top: Option<&Table>,
) -> BTreeMap<String, bool> {
    let others = manifests.workspace.others.values().map(|other| &other.table);
    let named = |table| Some((Member::of(table)?.name, table));
    let all = others.chain([&manifests.pyproject]).filter_map(named);
    let members: BTreeMap<String, &Table> =
        all.filter(|(name, _)| lock.manifest.members.contains(name)).collect();
    let top = top.map(|table| named(table).unwrap_or((String::new(), table)));
    let mut found = BTreeMap::new();
    for (own, table) in top.into_iter().chain(members) {
        for (name, source) in super::table(of_uv(table), "sources").into_iter().flatten() {
            let name = normalized(name);
            let parts = source.as_array().map_or(slice::from_ref(source), Vec::as_slice);
            let says = |part: &&Value, key| part.get(key).and_then(Value::as_bool);
            let mut of_member = parts.iter().filter(|part| says(part, "workspace") == Some(true));
            if name != own
                && let Some(last) = of_member.next_back()
            {
                found.insert(name, says(&last, "editable").unwrap_or(true));
            }
        }
    }
    found
}

/// The lock is for the Pythons that all members are for.
fn check_pythons<'a>(
    lock: &Lock,
    members: impl Iterator<Item = &'a Member>,
    root: &Manifest<'_>,
) -> Result<(), LockError> {
    let texts: Vec<&str> = members.filter_map(|member| member.requires_python.as_deref()).collect();
    let read = |text: &str| VersionSpecifiers::from_str(text).ok();
    let now: Option<Vec<_>> = texts.iter().map(|text| read(text)).collect();
    let then = lock.requires_python.as_deref();
    let (Some(now), Some(of_lock)) = (now, then.and_then(read)) else { return Ok(()) };
    let allowed = |version: &_| now.iter().all(|it| it.contains(version));
    if now.is_empty() || is_same_for_all(allowed, |version| of_lock.contains(version)) {
        return Ok(());
    }
    let (now, then) = (texts.join(", "), then.unwrap_or_default());
    Err(root
        .stale(format!("requires-python of its members is {now} there, and {then} in the lock")))
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    const LOCK: &str = r#"
version = 1
revision = 3
requires-python = ">=3.10"
[manifest]
members = ["app", "one", "two"]
[[package]]
name = "app"
version = "1"
source = { virtual = "." }
[[package]]
name = "one"
version = "1"
source = { editable = "libs/one" }
[[package]]
name = "two"
version = "1"
source = { virtual = "libs/two" }
[[package]]
name = "path"
version = "1"
source = { path = "wheels/path-1-py3-none-any.whl" }
"#;

    fn member(name: &str, pythons: &str) -> InFolder {
        let mut project = format!("[project]\nname = '{name}'\n");
        if !pythons.is_empty() {
            project += &format!("requires-python = '{pythons}'\n");
        }
        InFolder::Project(Member::of(&project.parse().unwrap()).unwrap())
    }

    /// The answer for a commit with these members, and without this path.
    fn checked(lock: &str, members: &[(&str, InFolder)], gone: &str) -> Result<(), String> {
        let lock: Lock = toml::from_str(lock).unwrap();
        let owned = |(folder, it): &(&str, InFolder)| ((*folder).to_owned(), it.clone());
        let workspace = Workspace {
            gone: BTreeMap::from([(gone.to_owned(), format!("../{gone}"))]),
            members: Some(members.iter().map(owned).collect()),
            ..Workspace::default()
        };
        let pyproject = "[project]\nname = 'app'\nversion = '1'\n".parse().unwrap();
        let manifests = Manifests { pyproject, workspace, ..Manifests::default() };
        check(&lock, &manifests).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_commit_lacks_is_named() {
        let all = || [(".", member("app", "")), ("libs/one", member("one", ""))];
        for (gone, package) in
            [("libs/one", "one"), ("libs/two", "two"), ("wheels/path-1-py3-none-any.whl", "path")]
        {
            assert_eq!(
                checked(LOCK, &all(), gone).unwrap_err(),
                format!("{package} is from ../{gone}, which is not in the commit")
            );
        }
    }

    #[test]
    fn other_members_make_a_lock_stale() {
        let all = BTreeMap::from([
            (".", member("app", ">=3.9")),
            ("libs/one", member("one", ">=3.10")),
            ("libs/two", member("two", "")),
        ]);
        let listed = |members: BTreeMap<_, _>| members.into_iter().collect::<Vec<_>>();
        assert_eq!(checked(LOCK, &listed(all.clone()), ""), Ok(()));
        let stale =
            |why: &str| Err(format!("it does not belong to pyproject.toml any more: {why}"));
        for ((folder, member), why) in [
            (("libs/new", member("new", "")), "new in libs/new is a new member there"),
            (("libs/two", member("other", "")), "libs/two is other there, and two in the lock"),
            (("libs/two", InFolder::Nothing), "libs/two is a member there, and has no [project]"),
            (("libs/x", member("one", "")), "libs/one and libs/x are both one there"),
            (
                ("libs/one", member("one", "")),
                "requires-python of its members is >=3.9 there, and >=3.10 in the lock",
            ),
        ] {
            let mut changed = all.clone();
            changed.insert(folder, member);
            assert_eq!(checked(LOCK, &listed(changed), ""), stale(why));
        }
        let without = [(".", member("app", ">=3.10")), ("libs/one", member("one", ""))];
        assert_eq!(checked(LOCK, &without, ""), stale("two is no longer a member there"));
    }

    #[test]
    fn of_a_member_that_cannot_be_seen_the_lock_is_believed() {
        let seen = || [(".", member("app", ">=3.10")), ("libs/one", member("one", ""))];
        for folder in ["libs/two", "libs"] {
            let [app, one] = seen();
            assert_eq!(checked(LOCK, &[app, one, (folder, InFolder::NotSeen)], ""), Ok(()));
        }
        let [app, one] = seen();
        let error = checked(LOCK, &[app, one, ("libs/tw", InFolder::NotSeen)], "").unwrap_err();
        assert!(error.ends_with("two is no longer a member there"), "{error}");
    }

    /// uv does not write down that a project is the only one of its workspace.
    #[test]
    fn a_project_alone_is_no_member() {
        let alone = LOCK.replace("[manifest]\nmembers = [\"app\", \"one\", \"two\"]\n", "");
        assert_eq!(checked(&alone, &[(".", member("app", ">=3.9"))], ""), Ok(()));
        let two = [(".", member("app", "")), ("libs/one", member("one", ""))];
        assert!(checked(&alone, &two, "").unwrap_err().ends_with("is a new member there"));
        assert!(checked(LOCK, &[(".", member("app", ""))], "").is_err());
        // Without a project at the top, the only member is written down.
        let one = LOCK.replace("[\"app\", \"one\", \"two\"]", "[\"one\"]");
        assert_eq!(checked(&one, &[("libs/one", member("one", ""))], ""), Ok(()));
    }
}
