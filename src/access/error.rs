//! What somebody may not do to a site, in words for people.

use crate::user_error::UserError;

/// `again` are the words of the command that was called, for a shell.
pub(super) fn not_the_owner(site: &str, owner: &str, person: &str, again: &str) -> UserError {
    UserError::new(format!("only {owner} may change the site {site}"))
        .found(format!("you are {person}, and the site belongs to {owner}"))
        .fix(format!("Act as its owner: sudo -u {owner} nyala {again}"))
}

/// Another way to fix it, for a site whose repository is shared already. `site` is quoted for a
/// shell.
pub(super) fn share_with_a_group(site: &str) -> String {
    format!(
        "Or share it with a group, as its repository is: chgrp -R GROUP {site} && \
         chmod -R g+rwX {site} && find {site} -type d -exec chmod g+s {{}} +"
    )
}

/// The same for a site that is shared already. Both are quoted for a shell.
pub(super) fn join_the_group(site: &str, person: &str) -> String {
    format!("Or join the group that it is shared with: usermod -aG $(stat -c %G {site}) {person}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_else_is_told_who_may() {
        let error = not_the_owner("/srv/shop", "deploy", "ann", "--site /srv/shop redeploy");
        insta::assert_snapshot!(error, @"
        only deploy may change the site /srv/shop
        found: you are ann, and the site belongs to deploy
        Act as its owner: sudo -u deploy nyala --site /srv/shop redeploy
        ");
        insta::assert_snapshot!(join_the_group("/srv/shop", "ann"), @"
        Or join the group that it is shared with: usermod -aG $(stat -c %G /srv/shop) ann
        ");
        insta::assert_snapshot!(error.fix(share_with_a_group("/srv/shop")), @"
        only deploy may change the site /srv/shop
        found: you are ann, and the site belongs to deploy
        1. Act as its owner: sudo -u deploy nyala --site /srv/shop redeploy
        2. Or share it with a group, as its repository is: chgrp -R GROUP /srv/shop && chmod -R g+rwX /srv/shop && find /srv/shop -type d -exec chmod g+s {} +
        ");
    }
}
