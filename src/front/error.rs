//! Why no configuration can be written, in words for people.

use std::path::Path;

use crate::text::excerpt;
use crate::user_error::UserError;

pub(super) fn no_domain() -> UserError {
    UserError::usage("no domain was named").fix("Name it: --domain shop.example.org")
}

pub(super) fn not_a_domain(domain: &str) -> UserError {
    UserError::usage("this is not a domain")
        .found(excerpt(domain))
        .fix("Write it without http:// and port: --domain shop.example.org")
}

pub(super) fn no_address(settings: &Path) -> UserError {
    UserError::new("the site has no address to pass requests on to")
        .fix(format!("Write listen = \"127.0.0.1:8000\" under [run] in {}", settings.display()))
}

/// A path has letters that mean something else in the configuration of a web server.
pub(super) fn not_writable(path: &Path) -> UserError {
    UserError::new("a path cannot be written into the configuration of a web server")
        .found(excerpt(&path.to_string_lossy()))
        .fix("Use letters, digits, spaces, and - _ . / in the names of folders")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_to_do() {
        insta::assert_snapshot!(no_domain(), @"
        no domain was named
        Name it: --domain shop.example.org
        ");
        insta::assert_snapshot!(not_a_domain("http://shop"), @"
        this is not a domain
        found: http://shop
        Write it without http:// and port: --domain shop.example.org
        ");
        insta::assert_snapshot!(no_address(Path::new("/srv/shop/nyala.toml")), @r#"
        the site has no address to pass requests on to
        Write listen = "127.0.0.1:8000" under [run] in /srv/shop/nyala.toml
        "#);
        insta::assert_snapshot!(not_writable(Path::new("/srv/$shop")), @"
        a path cannot be written into the configuration of a web server
        found: /srv/$shop
        Use letters, digits, spaces, and - _ . / in the names of folders
        ");
    }
}
