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
    let entries = groups.flat_map(|(_, group)| group.as_array().into_iter().flatten());
    entries.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What `[tool.uv.dependency-groups]` says of the Pythons that a group is for, and those that it
/// includes.
pub(super) fn pythons<'a>(pyproject: &'a Table, name: &str) -> Vec<&'a str> {
    let uv = pyproject.get("tool").and_then(|tools| tools.get("uv"));
    let settings = uv.and_then(|uv| uv.get("dependency-groups")?.as_table());
    let wanted = |name: &str| {
        let mut settings = settings?.iter();
        let (_, of_group) = settings.find(|(group, _)| normalized(group) == name)?;
        of_group.get("requires-python")?.as_str()
    };
    with_included(pyproject, name).into_iter().filter_map(|(name, _)| wanted(&name)).collect()
}

/// A group and those that it includes, with their normalized names.
fn with_included<'a>(pyproject: &'a Table, name: &str) -> Vec<(String, &'a Value)> {
    let mut found: Vec<(String, &Value)> = Vec::new();
    let mut ahead = vec![normalized(name)];
    while let Some(name) = ahead.pop() {
        let mut groups = table(pyproject).into_iter().flatten();
        let group = groups.find(|(group, _)| normalized(group) == name).map(|(_, group)| group);
        let Some(group) = group.filter(|_| found.iter().all(|(seen, _)| *seen != name)) else {
            continue;
        };
        let included = group.as_array().into_iter().flatten();
        let included = included.filter_map(|entry| entry.get("include-group")?.as_str());
        ahead.extend(included.map(normalized));
        found.push((name, group));
    }
    found
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
             a = [{include-group = 'B'}]\nb = ['x']\nc = []\n\
             [tool.uv.dependency-groups]\n\
             A = {requires-python = '>=3.10'}\nb = {requires-python = '<3.13'}\n"
            .parse()
            .unwrap();
        assert_eq!(pythons(&pyproject, "a"), [">=3.10", "<3.13"]);
        assert_eq!(pythons(&pyproject, "b"), ["<3.13"]);
        assert_eq!(pythons(&pyproject, "c"), [] as [&str; 0]);
        assert_eq!(pythons(&Table::new(), "a"), [] as [&str; 0]);
    }
}
