//! `[dependency-groups]` of pyproject.toml (PEP 735).

use toml::{Table, Value};

use super::marker::normalized;

/// The names of the groups, as they are written.
pub(super) fn names(pyproject: &Table) -> Vec<String> {
    table(pyproject).into_iter().flat_map(Table::keys).cloned().collect()
}

/// The requirements of a group, with those of the groups that it includes.
pub(super) fn requirements(pyproject: &Table, name: &str) -> Vec<String> {
    let groups = with_included(pyproject, name).into_iter();
    groups.flat_map(|group| group.requirements()).map(str::to_owned).collect()
}

/// The same as uv has it: what a group includes from one that is for fewer Pythons has a marker
/// that says so.
pub(super) fn requirements_of_uv(pyproject: &Table, name: &str) -> Vec<String> {
    let groups = with_included(pyproject, name).into_iter().enumerate();
    let of_group = |(at, group): (usize, Group<'_>)| {
        let marker = if at == 0 { String::new() } else { marker(&group.pythons) };
        let with_marker = |text: &str| match text.split_once(" ;").or(text.split_once(';')) {
            _ if marker.is_empty() => text.to_owned(),
            Some((what, own)) => format!("{what} ; ({own}) and {marker}"),
            None => format!("{text} ; {marker}"),
        };
        group.requirements().map(with_marker).collect::<Vec<_>>()
    };
    groups.flat_map(of_group).collect()
}

/// What `[tool.uv.dependency-groups]` says of the Pythons that a group is for, and those that it
/// includes.
pub(super) fn pythons<'a>(pyproject: &'a Table, name: &str) -> Vec<&'a str> {
    with_included(pyproject, name).into_iter().flat_map(|group| group.pythons).collect()
}

/// A group, or one that it includes.
struct Group<'a> {
    name: String,
    entries: &'a [Value],
    /// Which Pythons it is for: what uv is told of it and, but for the first, of those on the way
    /// to it.
    pythons: Vec<&'a str>,
}

impl<'a> Group<'a> {
    fn requirements(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.entries.iter().filter_map(Value::as_str)
    }
}

/// A group and those that it includes.
fn with_included<'a>(pyproject: &'a Table, name: &str) -> Vec<Group<'a>> {
    let uv = pyproject.get("tool").and_then(|tools| tools.get("uv"));
    let settings = uv.and_then(|uv| uv.get("dependency-groups")?.as_table());
    let wanted = |name: &str| {
        let mut settings = settings?.iter();
        let (_, of_group) = settings.find(|(group, _)| normalized(group) == name)?;
        of_group.get("requires-python")?.as_str()
    };
    let mut found: Vec<Group<'_>> = Vec::new();
    let mut ahead = vec![(normalized(name), Vec::new())];
    while let Some((name, mut pythons)) = ahead.pop() {
        let mut groups = table(pyproject).into_iter().flatten();
        let group = groups.find(|(group, _)| normalized(group) == name).map(|(_, group)| group);
        let Some(group) = group.filter(|_| found.iter().all(|seen| seen.name != name)) else {
            continue;
        };
        let entries = group.as_array().map_or(&[][..], Vec::as_slice);
        pythons.extend(wanted(&name));
        // The first is for these whatever it includes, which the caller knows.
        let on_the_way = if found.is_empty() { Vec::new() } else { pythons.clone() };
        let included = entries.iter().filter_map(|entry| entry.get("include-group")?.as_str());
        ahead.extend(included.map(|name| (normalized(name), on_the_way.clone())));
        found.push(Group { name, entries, pythons });
    }
    found
}

/// The marker for these Pythons; empty for all.
fn marker(pythons: &[&str]) -> String {
    let parts = pythons.iter().flat_map(|wanted| wanted.split(','));
    let marker = |part: &str| {
        let part = part.trim();
        let version = part.trim_start_matches(|c: char| "<>=!~".contains(c));
        let operator = &part[..part.len() - version.len()];
        format!("python_full_version {operator} '{}'", version.trim())
    };
    parts.filter(|part| !part.trim().is_empty()).map(marker).collect::<Vec<_>>().join(" and ")
}

fn table(pyproject: &Table) -> Option<&Table> {
    pyproject.get("dependency-groups")?.as_table()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_the_requirements_of_those_it_includes() {
        let pyproject: Table = "[dependency-groups]\n\
             Dev_1 = ['a', {include-group = 'test'}]\n\
             test = ['b>=1', {include-group = 'dev-1'}, {include-group = 'none'}]\n"
            .parse()
            .unwrap();
        assert_eq!(names(&pyproject), ["Dev_1", "test"]);
        assert_eq!(requirements(&pyproject, "dev-1"), ["a", "b>=1"]);
        assert_eq!(requirements(&pyproject, "test"), ["b>=1", "a"]);
        assert_eq!(requirements(&Table::new(), "test"), [] as [&str; 0]);
    }

    #[test]
    fn a_group_is_for_the_pythons_of_those_it_includes() {
        let pyproject: Table = "[dependency-groups]\n\
             a = [{include-group = 'B'}]\nb = ['x', \"y; os_name == 'nt'\"]\nc = []\n\
             [tool.uv.dependency-groups]\n\
             A = {requires-python = '>=3.10'}\nb = {requires-python = '<3.13'}\n"
            .parse()
            .unwrap();
        assert_eq!(pythons(&pyproject, "a"), [">=3.10", "<3.13"]);
        assert_eq!(
            requirements_of_uv(&pyproject, "a"),
            [
                "x ; python_full_version < '3.13'",
                "y ; ( os_name == 'nt') and python_full_version < '3.13'"
            ]
        );
        assert_eq!(requirements_of_uv(&pyproject, "b"), ["x", "y; os_name == 'nt'"]);
        assert_eq!(pythons(&pyproject, "b"), ["<3.13"]);
        assert_eq!(pythons(&pyproject, "c"), [] as [&str; 0]);
        assert_eq!(pythons(&Table::new(), "a"), [] as [&str; 0]);
    }
}
