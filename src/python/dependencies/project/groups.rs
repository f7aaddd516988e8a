//! `[dependency-groups]` (PEP 735), with the groups that a group includes.

use std::collections::{BTreeMap, BTreeSet};

use toml::Value;

use super::manifest::checked;
use crate::python::dependencies::error;
use crate::python::dependencies::text::normalized_name as normalized;
use crate::user_error::UserError;

/// The requirements of the chosen groups, each once.
pub(super) fn of_groups(
    groups: &BTreeMap<String, Value>,
    chosen: &BTreeSet<String>,
) -> Result<Vec<String>, UserError> {
    let mut found = Vec::new();
    for name in chosen {
        add(groups, name, &mut Vec::new(), &mut found)?;
    }
    Ok(found)
}

/// `inside` are the groups that led to this one.
fn add(
    groups: &BTreeMap<String, Value>,
    name: &str,
    inside: &mut Vec<String>,
    found: &mut Vec<String>,
) -> Result<(), UserError> {
    let wrong = |what: &str| error::unreadable_group(name, what);
    if inside.iter().any(|outer| outer == name) {
        return Err(wrong(&format!("it includes itself ({} -> {name})", inside.join(" -> "))));
    }
    let Some(entries) = groups.get(name).and_then(Value::as_array) else {
        return Err(wrong("there is no such list"));
    };
    inside.push(name.to_owned());
    for entry in entries {
        match (entry.as_str(), entry.get("include-group").and_then(Value::as_str)) {
            (Some(requirement), _) => {
                let requirement = checked(requirement)?;
                if !found.contains(&requirement) {
                    found.push(requirement);
                }
            }
            (None, Some(other)) => add(groups, &normalized(other), inside, found)?,
            (None, None) => return Err(wrong(&format!("{entry} is not a requirement"))),
        }
    }
    inside.pop();
    Ok(())
}
