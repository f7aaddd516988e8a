//! YAML, for people and the programs that they use.

use anyhow::{Context, Result};
use serde_json::Value;
use serde_saphyr::SerializerOptions;

/// Objects as one text, with `---` between them. What an older reader of YAML would take for
/// something else, such as `yes`, is quoted.
pub fn to_yaml(objects: &[Value]) -> Result<String> {
    let mut text = String::new();
    for object in objects {
        if !text.is_empty() {
            text.push_str("---\n");
        }
        let written = serde_saphyr::to_string_with_options(object, options());
        text.push_str(&written.context("cannot write the objects")?);
    }
    Ok(text)
}

/// A long word, such as the name of an image, stays on its line.
fn options() -> SerializerOptions {
    serde_saphyr::ser_options! { folded_wrap_chars: 1_000_000 }
}

/// The objects of a text; empty documents are left out.
pub(super) fn from_yaml(text: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    let mut objects = Vec::new();
    for document in documents {
        match document {
            Value::Null => {}
            Value::Object(ref list) if list.get("kind") == Some(&"List".into()) => {
                objects.extend(
                    list.get("items").and_then(Value::as_array).cloned().unwrap_or_default(),
                );
            }
            other => objects.push(other),
        }
    }
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let objects = [
            json!({ "kind": "A", "words": ["yes", "on", "1e3", "0x1f", "12:30", "a\nb\n"] }),
            json!({ "kind": "B", "empty": {}, "number": 3, "is": true }),
        ];
        let text = to_yaml(&objects).unwrap();
        assert!(text.contains("\"yes\"") && text.contains("\"12:30\""), "{text}");
        assert_eq!(from_yaml(&text).unwrap(), objects);
        assert_eq!(
            from_yaml("# none\n---\n---\nkind: List\nitems: [{kind: A}]\n").unwrap().len(),
            1
        );
        assert!(from_yaml("a: [").is_err());
    }
}
