//! `[dependency-groups]` of pyproject.toml (PEP 735).

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::marker::normalized;

/// The names of the groups, as they are written.
pub(super) fn names(pyproject: &Table) -> Vec<String> {
    table(pyproject).into_iter().flat_map(Table::keys).cloned().collect()
}

/// The requirements of a group, with those of the groups that it includes.
pub(super) fn requirements(pyproject: &Table, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut ahead = vec![normalized(name)];
    while let Some(name) = ahead.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let groups = table(pyproject).into_iter().flatten();
        let group = groups.into_iter().find(|(group, _)| normalized(group) == name);
        for entry in group.and_then(|(_, group)| group.as_array()).into_iter().flatten() {
            match entry {
                Value::String(requirement) => found.push(requirement.clone()),
                other => {
                    let included = other.get("include-group").and_then(Value::as_str);
                    ahead.extend(included.map(normalized));
                }
            }
        }
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
}
