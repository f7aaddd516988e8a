//! What an env's marker keeps of the requirements it was made from. It lies where a web server may
//! read it, so no credential is in it, and no value of an app setting.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The requirements of one commit, as far as those of another are compared with them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// SHA-256, in hex, of all bytes that were read, of what local paths hold, and of the settings
    /// that were put in.
    ///
    /// Equal fingerprints mean that nothing changed but what moves by itself: [`super::compare`] is
    /// asked all the same.
    pub fingerprint: String,
    pub lines: Vec<Line>,
    pub local: Vec<Local>,
    pub found: Vec<Found>,
    pub mutable_references: Vec<MutableReference>,
    /// What the installer reads beside all this, such as its configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Input>,
}

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Requirement,
    /// From a file that `-c` names.
    Constraint,
    Option,
}

/// One requirement, constraint or option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub role: Role,
    /// What it is about: two lines of the same key are the same line, perhaps changed.
    pub key: String,
    pub file: String,
    pub number: usize,
    /// As written, on one line and without its comment and its secrets.
    pub text: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub extras: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The path or URL it comes from; of an option, its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub hashes: BTreeSet<String>,
    /// Options of this one requirement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub editable: bool,
    /// SHA-256 of what `text` does not show and counts: values of settings, and what follows `?` in
    /// a URL. Credentials are not in it: they say who asks, not what is installed, and a token that
    /// is renewed should rebuild nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// Something in the commit itself that is installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Local {
    /// As the line names it, tidied.
    pub path: String,
    pub kind: LocalKind,
    /// Another one when anything changes that its build can read: of a file or folder that stands
    /// alone, its object id in hex.
    pub id: String,
    /// Why everything in the tree can change what is built; `None` when only the folder can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_tree: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LocalKind {
    /// A wheel or an archive.
    File,
    Folder,
    /// A folder that is used where it lies (`-e`).
    Editable,
}

/// A file that `--find-links` offers from the commit itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Found {
    /// Where it lies in the commit.
    pub path: String,
    /// Object id in hex.
    pub id: String,
}

/// A file that the installer reads although nothing that the project declares names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Input {
    pub path: String,
    /// The setting or file that names it.
    pub by: String,
    /// SHA-256 in hex, or, of a very long file, its size and times.
    pub digest: String,
}

/// A line that names something whose content can change while the line stays the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MutableReference {
    pub file: String,
    /// From 1; 0 for a setting, which has no lines.
    pub number: usize,
    pub text: String,
    /// A verb and its object: `names no fixed commit`.
    pub why: String,
    /// What to do about it.
    pub fix: String,
}
