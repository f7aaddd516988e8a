//! `project`: the path of the folder that is the application.

/// A path as people write it (`./web/`, `web\app`), with `/` between its names; `None` when it
/// leads out.
pub fn folder(written: &str) -> Option<String> {
    if written.starts_with(['/', '\\']) {
        return None;
    }
    let names: Vec<&str> =
        written.split(['/', '\\']).filter(|name| !name.is_empty() && *name != ".").collect();
    (!names.contains(&"..")).then(|| names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_found_however_it_is_written() {
        for written in ["web/app", "./web/app/", "web\\app", "web//app"] {
            assert_eq!(folder(written).as_deref(), Some("web/app"), "{written}");
        }
        assert_eq!(folder(".").as_deref(), Some(""));
        for out in ["/etc", "..", "web/../..", "\\\\server\\share"] {
            assert_eq!(folder(out), None, "{out}");
        }
    }
}
