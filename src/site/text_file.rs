//! Reading the files of a site that people write.

use std::path::Path;

use anyhow::Result;

use super::error;
use crate::disk;

/// The text of a UTF-8 file; `None` when there is no such file. Another encoding is an error that
/// says how to have this one.
pub(super) fn read(path: &Path) -> Result<Option<String>> {
    let Some(bytes) = disk::read_if_there(path)? else { return Ok(None) };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(why) => {
            let bytes = why.as_bytes();
            let at = why.utf8_error().valid_up_to();
            let found = if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
                "UTF-16 (what `>` in Windows PowerShell writes)".to_owned()
            } else {
                let line = memchr::memchr_iter(b'\n', &bytes[..at]).count() + 1;
                format!("the byte 0x{:02x} in line {line}", bytes[at])
            };
            Err(error::not_utf8(path, found).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_not_utf_8_says_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.env");
        let read_as = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            read(&path).map(Option::unwrap).map_err(|error| format!("{error:#}"))
        };
        assert_eq!(read_as("A=ä\r\n".as_bytes()).unwrap(), "A=ä\r\n");
        let utf_16: Vec<u8> = "\u{feff}A=1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let text = read_as(&utf_16).unwrap_err();
        assert!(text.contains("found: UTF-16") && text.contains("Save it as UTF-8"), "{text}");
        let text = read_as(b"A=1\nB=\xe4\n").unwrap_err();
        assert!(text.contains("found: the byte 0xe4 in line 2"), "{text}");
        assert_eq!(read(&folder.path().join("other")).unwrap(), None);
    }
}
