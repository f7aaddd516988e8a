//! Names of refs, and what a push does to them.

use std::fmt;

use serde::{Deserialize, Serialize};

const BRANCHES: &str = "refs/heads/";

/// The full name of a ref, such as `refs/heads/main`.
///
/// Invalid UTF-8 has been replaced: such a name is only shown and compared.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RefName(String);

/// One ref that a push moves: `OLD SP NEW SP REF`, as githooks(5) has it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct RefUpdate {
    pub refname: RefName,
    /// The full id that the ref pointed to before; all zeros for a ref that is created.
    pub old_oid: String,
    /// The full id that the ref is to point to; all zeros for a ref that is deleted.
    pub new_oid: String,
}

impl RefName {
    pub const HEAD: &str = "HEAD";

    /// The ref of a branch that is named without `refs/heads/`.
    pub fn of_branch(branch: &str) -> RefName {
        RefName(format!("{BRANCHES}{branch}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the branch without `refs/heads/`; `None` if this is not a branch.
    pub fn branch(&self) -> Option<&str> {
        self.0.strip_prefix(BRANCHES)
    }

    /// The name of the branch, if it is one; otherwise the full name.
    pub fn short(&self) -> &str {
        self.branch().unwrap_or(&self.0)
    }
}

impl From<&str> for RefName {
    fn from(name: &str) -> RefName {
        RefName(name.to_owned())
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl RefUpdate {
    /// An update that changes nothing, for a deployment that no push has started.
    pub fn unmoved(refname: RefName, commit: &str) -> RefUpdate {
        RefUpdate { refname, old_oid: commit.to_owned(), new_oid: commit.to_owned() }
    }

    pub fn is_deletion(&self) -> bool {
        is_zero(&self.new_oid)
    }

    pub fn is_creation(&self) -> bool {
        is_zero(&self.old_oid)
    }

    /// The name of the branch; `None` if this is not a branch.
    pub fn branch(&self) -> Option<&str> {
        self.refname.branch()
    }
}

/// Zero ids have 40 or 64 digits.
fn is_zero(oid: &str) -> bool {
    oid.bytes().all(|digit| digit == b'0')
}
