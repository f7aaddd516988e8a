//! Why a page cannot be shown, in words for people.

use std::path::Path;

use crate::text::bytes;
use crate::user_error::UserError;

pub(super) fn cannot_read_page(page: &Path) -> UserError {
    UserError::new(format!("the page {} cannot be read", page.display()))
        .fix("Name a file that you may read, or leave --page out")
}

pub(super) fn page_is_too_large(page: &Path, size: u64, most: u64) -> UserError {
    UserError::new(format!("the page {} is too large", page.display())).found(bytes(size)).fix(
        format!(
            "Make it smaller than {}: leave pictures and styles to another server",
            bytes(most)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_to_do() {
        let page = Path::new("down.html");
        insta::assert_snapshot!(cannot_read_page(page), @"
        the page down.html cannot be read
        Name a file that you may read, or leave --page out
        ");
        insta::assert_snapshot!(page_is_too_large(page, 5_000_000, 1_000_000), @"
        the page down.html is too large
        found: 5.0 MB
        Make it smaller than 1.0 MB: leave pictures and styles to another server
        ");
    }
}
