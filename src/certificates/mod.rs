//! The certificate authorities that https trusts.

mod error;

use std::path::PathBuf;

use anyhow::Result;
use ureq::tls::{PemItem, RootCerts, parse_pem};

use crate::disk;
use crate::user_error::Explain;

/// The variable that names a file of them, as for OpenSSL.
pub const VARIABLE: &str = "SSL_CERT_FILE";

/// Those in the file that an app setting or an environment variable names, in this order, else
/// Mozilla's, which are compiled in.
pub fn roots(app_setting: Option<&str>) -> Result<RootCerts> {
    let file =
        app_setting.map(PathBuf::from).or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
    let Some(file) = file.filter(|file| !file.as_os_str().is_empty()) else {
        return Ok(RootCerts::WebPki);
    };
    let unreadable = || error::unreadable(&file, VARIABLE);
    let bytes = disk::read(&file).explain(unreadable)?;
    let items: Vec<PemItem<'_>> =
        parse_pem(&bytes).collect::<Result<_, _>>().explain(unreadable)?;
    let certificates = items.into_iter().filter_map(|item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    });
    Ok(RootCerts::new_with_certs(&certificates.collect::<Vec<_>>()))
}
