//! The first line of a script, which names the interpreter of its env.

use std::path::Path;

/// The longest first line that every system runs, in bytes.
const LONGEST: usize = 127;

/// The first line of a script. A path that is too long for it, or has a space, goes through `sh`,
/// which is how pip and uv do it: Python reads the two lines as a string.
pub(super) fn shebang(python: &Path) -> String {
    let path = python.display().to_string();
    if path.len() + 2 <= LONGEST && !path.contains([' ', '\t']) {
        return format!("#!{path}");
    }
    let quoted = if path.contains(['"', '$', '`', '\\']) {
        format!("'{}'", path.replace('\'', "'\"'\"'"))
    } else {
        format!("\"{path}\"")
    };
    format!("#!/bin/sh\n'''exec' {quoted} \"$0\" \"$@\"\n' '''")
}

/// A script whose first line became too long when it was rewritten, with one that is not.
pub(super) fn shortened(script: Vec<u8>) -> Vec<u8> {
    let Some(first) = script.strip_prefix(b"#!") else { return script };
    let end = memchr::memchr(b'\n', first).unwrap_or(first.len());
    let Ok(path) = std::str::from_utf8(&first[..end]) else { return script };
    let is_python = Path::new(path)
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"python"));
    if end + 2 <= LONGEST || !is_python || path.contains(' ') {
        return script;
    }
    [shebang(Path::new(path)).as_bytes(), &first[end..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_goes_through_sh() {
        assert_eq!(shebang(Path::new("/s/envs/5/bin/python")), "#!/s/envs/5/bin/python");
        for path in ["/s p/bin/python".to_owned(), format!("/{}/bin/python", "x".repeat(120))] {
            assert!(shebang(Path::new(&path)).starts_with("#!/bin/sh\n'''exec' \"/"), "{path}");
        }
        let quoted = shebang(Path::new("/it's \"x\"/bin/python"));
        assert!(quoted.contains("'''exec' '/it'\"'\"'s \"x\"/bin/python' \"$0\""), "{quoted}");
    }

    #[test]
    fn a_line_that_became_too_long_goes_through_sh() {
        let short = b"#!/s/envs/10/bin/python\nimport x\n".to_vec();
        assert_eq!(shortened(short.clone()), short);
        let path = format!("/{}/envs/10/bin/python", "x".repeat(110));
        let long = format!("#!{path}\nimport x\n").into_bytes();
        let expected = format!("#!/bin/sh\n'''exec' \"{path}\" \"$0\" \"$@\"\n' '''\nimport x\n");
        assert_eq!(String::from_utf8(shortened(long)).unwrap(), expected);
    }
}
