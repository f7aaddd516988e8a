//! YAML, for people and the programs that they use.

use std::borrow::Cow;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use serde_saphyr::{Error, SerializerOptions};

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
    let documents = documents(text)?;
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

/// The documents as kubectl reads them: `defaultMode: 0400` is octal, and `1234567e1234`, as a
/// commit may begin, is no number, since none is as large. kubectl prints that without quotes.
fn documents(text: &str) -> Result<Vec<Value>> {
    let options = serde_saphyr::options! { legacy_octal_numbers: true, with_snippet: false };
    let mut text = Cow::Borrowed(text);
    loop {
        match serde_saphyr::from_multiple_with_options(&text, options.clone()) {
            Err(Error::NonFiniteFloat { value, location }) if is_decimal(&value) => {
                let at = location.span().byte_offset().and_then(|at| usize::try_from(at).ok());
                let parts = at.and_then(|at| text.split_at_checked(at));
                let parts =
                    parts.and_then(|(head, tail)| Some((head, tail.strip_prefix(&*value)?)));
                let Some((before, after)) = parts else {
                    bail!("{value} is too large for a number");
                };
                text = Cow::Owned(format!("{before}\"{value}\"{after}"));
            }
            documents => return Ok(documents?),
        }
    }
}

/// Whether it is a number such as `1e999`, and not a word such as `.inf`.
fn is_decimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || b"eE+-.".contains(&byte))
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

    #[test]
    fn a_file_mode_is_octal_as_kubectl_reads_it() {
        let read = from_yaml("a: 0400\nb: 0o400\nd: 0\ne: 0.5\nf: '0400'\n").unwrap();
        let wanted = json!({ "a": 256, "b": 256, "d": 0, "e": 0.5, "f": "0400" });
        assert_eq!(serde_json::to_string(&read[0]).unwrap(), wanted.to_string());
    }

    #[test]
    fn a_commit_that_looks_like_a_number_stays_what_it_is() {
        // As kubectl kustomize 1.32 prints them.
        let printed = "é: 1\na: 1234567e1234\nb: \"012345678901\"\nc: |\n  x: 1e999\n\
                       d: [1E1234567890, \"0e1234567890\"]\n---\na: 1234567e1234\n";
        let words = ["1234567e1234", "012345678901", "123456789012", "0e1234567890"];
        assert_eq!(
            from_yaml(printed).unwrap(),
            [
                json!({ "é": 1, "a": words[0], "b": words[1], "c": "x: 1e999\n",
                    "d": ["1E1234567890", words[3]] }),
                json!({ "a": words[0] }),
            ]
        );
        let objects = [json!({ "words": words })];
        let text = to_yaml(&objects).unwrap();
        assert_eq!(from_yaml(&text).unwrap(), objects, "{text}");
        assert!(from_yaml("a: .inf").is_err());
    }
}
