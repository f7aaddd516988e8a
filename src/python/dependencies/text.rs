//! Text from a commit, made fit to be shown and kept: without credentials, and with nothing
//! invisible.

pub(super) use crate::text::excerpt as shown;
pub(in crate::python) use crate::text::url::{without_credentials, without_secrets};
