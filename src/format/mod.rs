//! The version of the files in a site that a later nyala reads: records of deployments and markers
//! of envs. See docs/upgrading.md.
//!
//! It is raised when an older nyala must no longer change a site. A new field is no reason as long
//! as older ones may ignore and drop it. Files without a version have version 1.

mod error;

use std::path::Path;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::disk;
use crate::user_error::UserError;

/// What this nyala writes, and the newest that it reads.
const CURRENT: u64 = 1;

/// The field `format` of such a file. It is written as this nyala's own; reading a newer one fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Format;

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_u64(CURRENT)
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Format, D::Error> {
        match u64::deserialize(input)? {
            found if found > CURRENT => Err(D::Error::custom(format!("its format is {found}"))),
            _ => Ok(Format),
        }
    }
}

/// Fails when a newer nyala has written a file. A file that is missing or damaged is the concern of
/// whoever reads it.
pub fn check(file: &Path) -> Result<(), UserError> {
    disk::read(file).map_or(Ok(()), |bytes| check_bytes(file, &bytes))
}

/// The same for what was read from it.
pub fn check_bytes(file: &Path, bytes: &[u8]) -> Result<(), UserError> {
    #[derive(Deserialize)]
    struct Versioned {
        format: u64,
    }
    match serde_json::from_slice(bytes) {
        Ok(Versioned { format }) if format > CURRENT => Err(error::newer(file, format)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_newer_nyala_is_told_from_others() {
        let file = Path::new("/srv/shop/deployments/3/deployment.json");
        let check = |json: &str| check_bytes(file, json.as_bytes());
        assert!(check(r#"{"format": 7, "id": {"unknown": true}}"#).is_err());
        for json in [r#"{"format": 1}"#, "{}", r#"{"format": "x"}"#, "", "\0\0", "[]"] {
            assert_eq!(check(json), Ok(()), "{json}");
        }
    }

    #[test]
    fn a_format_is_written_as_the_current_one_and_may_be_missing() {
        #[derive(Debug, Deserialize, Serialize)]
        struct File {
            #[serde(default)]
            format: Format,
        }
        let read = serde_json::from_str::<File>;
        let written = serde_json::to_string(&read("{}").unwrap()).unwrap();
        assert_eq!(written, format!(r#"{{"format":{CURRENT}}}"#));
        assert!(read(&written).is_ok());
        let newer = format!(r#"{{"format": {}}}"#, CURRENT + 1);
        assert!(read(&newer).unwrap_err().to_string().contains("its format is 2"));
    }
}
