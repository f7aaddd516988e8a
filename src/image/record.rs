//! `RECORD`: the list of a package's files, with their digests. It has to fit the files as they are
//! in the image. See <https://packaging.python.org/specifications/recording-installed-packages/>.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::disk;
use crate::python::dependencies::joined;
use crate::python::env::{Row, rows};

/// Whether a file says when and how a package was installed, and nothing that matters later.
pub(super) fn is_about_the_day(path: &Path) -> bool {
    is_of_a_package(path) && path.file_name().is_some_and(|name| name == "uv_cache.json")
}

pub(super) fn is_record(path: &Path) -> bool {
    is_of_a_package(path) && path.file_name().is_some_and(|name| name == "RECORD")
}

fn is_of_a_package(path: &Path) -> bool {
    let folder = path.parent().and_then(Path::extension);
    folder.is_some_and(|extension| extension == "dist-info")
}

/// Gives what stands in a file of the env in the image, if that is something else than these bytes.
pub(super) type Text<'t> = &'t dyn Fn(&Path, &[u8]) -> Option<Vec<u8>>;

/// The list with the digests of the changed files, and without those that are left out.
pub(super) fn rewritten(env: &Path, path: &Path, bytes: &[u8], text: Text<'_>) -> Option<Vec<u8>> {
    let list = std::str::from_utf8(bytes).ok()?;
    // Its paths are relative to site-packages.
    let packages = path.parent().and_then(Path::parent).unwrap_or(Path::new(""));
    let mut lines = Vec::new();
    for row in rows(list) {
        let Row { name, field, line } = &row;
        if name.contains("__pycache__/") || name.ends_with("/uv_cache.json") {
            continue;
        }
        // What names the env or the release is a script, or says where packages are.
        let may_change = name.starts_with("../")
            || [".pth", ".egg-link", "direct_url.json"].iter().any(|end| name.ends_with(end))
            || name.starts_with("__editable__");
        let changed =
            may_change.then(|| joined(packages.to_str()?, name)).flatten().and_then(|inside| {
                let now = disk::read(env.join(&inside)).ok()?;
                text(Path::new(&inside), &now)
            });
        match changed {
            Some(changed) => {
                let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(&changed));
                lines.push(format!("{field},sha256={digest},{}", changed.len()));
            }
            None => lines.push(line.trim_end_matches(['\r', '\n']).to_owned()),
        }
    }
    Some((lines.join("\n") + "\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_fits_the_files_of_the_image() {
        let env = tempfile::tempdir().unwrap();
        std::fs::create_dir(env.path().join("bin")).unwrap();
        std::fs::write(env.path().join("bin/flask"), "old").unwrap();
        std::fs::write(env.path().join("bin/a, b"), "old").unwrap();
        let list = "../../../bin/flask,sha256=x,3\nflask/a.py,sha256=y,1\r\n\
                    \"../../../bin/a, b\",sha256=x,3\n\"flask/c,d.py\",sha256=z,2\n\
                    flask/__pycache__/a.cpython-312.pyc,,\nflask-1.dist-info/uv_cache.json,,\n";
        let path = Path::new("lib/python3.12/site-packages/flask-1.dist-info/RECORD");
        let text = |path: &Path, bytes: &[u8]| {
            assert!(path == Path::new("bin/flask") || path == Path::new("bin/a, b"), "{path:?}");
            assert_eq!(bytes, b"old");
            Some(b"newer".to_vec())
        };
        let list = rewritten(env.path(), path, list.as_bytes(), &text).unwrap();
        insta::assert_snapshot!(String::from_utf8(list).unwrap(), @r#"
        ../../../bin/flask,sha256=gE9R9xJUxAgeN-fIhwc1YPSm-mza0gLprGfgMsQ-0eE,5
        flask/a.py,sha256=y,1
        "../../../bin/a, b",sha256=gE9R9xJUxAgeN-fIhwc1YPSm-mza0gLprGfgMsQ-0eE,5
        "flask/c,d.py",sha256=z,2
        "#);
        assert!(is_record(path) && !is_record(Path::new("RECORD")));
    }
}
