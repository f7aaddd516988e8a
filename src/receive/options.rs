//! What can be asked of a push with `git push -o`, and in a commit's message.

use super::error::unknown_options;
use crate::console::did_you_mean;
use crate::site::DeployOptions;
use crate::user_error::UserError;

const SKIP_DEPLOY: &str = "skip-deploy";
const DRY_RUN: &str = "dry-run";

/// What in a commit's message keeps it from being deployed, in any case of letters.
const SKIP_MESSAGE: &str = "[skip deploy]";

/// The options of one push. They hold for whatever it deploys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PushOptions {
    pub deploy: DeployOptions,
    pub skip_deploy: bool,
    pub dry_run: bool,
}

impl PushOptions {
    /// Reads the options of a push. Fails on an unknown one: a typo must not do something else than
    /// what was asked for.
    pub(super) fn parse(given: &[String]) -> Result<PushOptions, UserError> {
        let mut options = PushOptions::default();
        let mut unknown = Vec::new();
        for option in given {
            match option.as_str() {
                SKIP_DEPLOY => options.skip_deploy = true,
                DRY_RUN => options.dry_run = true,
                other if options.deploy.accept(other) => {}
                other => unknown.push(other),
            }
        }
        if let Some(first) = unknown.first() {
            let known = known();
            let meant = did_you_mean(first, known.iter().map(String::as_str));
            return Err(unknown_options(&unknown, meant, &known));
        }
        Ok(options)
    }

    /// Why a commit with this message is not deployed, or `None` when it is.
    pub(super) fn skipped_because(&self, message: &str) -> Option<&'static str> {
        if self.skip_deploy {
            Some("the push asked for it (skip-deploy)")
        } else if message.to_ascii_lowercase().contains(SKIP_MESSAGE) {
            Some("its commit message says [skip deploy]")
        } else {
            None
        }
    }
}

/// All the push options, sorted.
fn known() -> Vec<String> {
    let mut known = DeployOptions::known();
    known.extend([DRY_RUN, SKIP_DEPLOY].map(ToOwned::to_owned));
    known.sort();
    known
}

/// What was given with `git push -o`, as git hands it to a post-receive hook: in the environment
/// (githooks(5)).
pub(super) fn of_environment() -> Vec<String> {
    let count =
        std::env::var("GIT_PUSH_OPTION_COUNT").ok().and_then(|count| count.parse::<usize>().ok());
    (0..count.unwrap_or(0))
        .filter_map(|number| std::env::var_os(format!("GIT_PUSH_OPTION_{number}")))
        .map(|option| option.to_string_lossy().into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::installers::Installer;

    fn parse(options: &[&str]) -> Result<PushOptions, UserError> {
        PushOptions::parse(&options.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn known_options_are_read_and_kept() {
        assert_eq!(parse(&[]).unwrap(), PushOptions::default());
        let options = parse(&["rebuild-env", "dry-run"]).unwrap();
        assert!(options.dry_run && !options.skip_deploy);
        assert!(options.deploy.rebuild_env);
    }

    #[test]
    fn an_unknown_option_is_an_error_that_lists_the_known_ones() {
        let error = parse(&["dry-run", "ci.skip"]).unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown push option `ci.skip`\n\
             allowed: dry-run, installer=pip, installer=uv, rebuild-env, skip-deploy"
        );
        let error = parse(&["rebuild_env", "\u{1b}[2J"]).unwrap_err();
        assert_eq!(error.fixes, ["Did you mean `rebuild-env`?"]);
    }

    #[test]
    fn every_installer_can_be_asked_for() {
        for installer in Installer::ALL {
            let options = parse(&[&format!("installer={}", installer.name())]).unwrap();
            assert_eq!(options.deploy.installer, Some(installer));
        }
        let error = parse(&["installer=vu"]).unwrap_err().to_string();
        assert!(error.contains("Did you mean `installer=uv`?"), "{error}");
    }

    #[test]
    fn a_commit_message_can_say_that_it_is_not_deployed() {
        let none = PushOptions::default();
        assert!(none.skipped_because("Fix\n\n[Skip Deploy] for now").is_some());
        assert!(none.skipped_because("Skip deploy").is_none());
        assert!(
            parse(&["skip-deploy"])
                .unwrap()
                .skipped_because("Fix")
                .unwrap()
                .contains("skip-deploy")
        );
    }
}
