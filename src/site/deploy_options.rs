//! What was asked for one deployment beyond the site's settings.

use serde::{Deserialize, Serialize};

use crate::python::installers::Installer;

const REBUILD_ENV: &str = "rebuild-env";
const INSTALLER: &str = "installer=";

/// The options of one deployment: those of `git push -o`, or of a command's flags.
///
/// A record lists them as they are spelled for `git push -o`. Options of the record that this
/// version does not know are ignored: whatever they asked for has been done.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct DeployOptions {
    /// Whether a new environment is made although the live one could be used.
    pub rebuild_env: bool,
    /// What installs in this deployment, in place of the site's own setting.
    pub installer: Option<Installer>,
}

impl DeployOptions {
    /// The spellings that [`DeployOptions::accept`] knows, sorted.
    pub fn known() -> Vec<String> {
        let installers = Installer::ALL.iter().map(|it| format!("{INSTALLER}{}", it.name()));
        installers.chain([REBUILD_ENV.to_owned()]).collect()
    }

    /// Takes one option, of several for an installer the last one. Returns whether it is known.
    pub fn accept(&mut self, option: &str) -> bool {
        let installer = option.strip_prefix(INSTALLER).and_then(Installer::named);
        if installer.is_some() {
            self.installer = installer;
        }
        self.rebuild_env |= option == REBUILD_ENV;
        installer.is_some() || option == REBUILD_ENV
    }

    /// Why a new environment is made, for the log; empty when these options do not ask for one.
    pub fn reasons_for_new_env(&self) -> Vec<String> {
        let reason = format!("a new environment was asked for ({REBUILD_ENV})");
        self.rebuild_env.then_some(reason).into_iter().collect()
    }
}

impl From<Vec<String>> for DeployOptions {
    fn from(recorded: Vec<String>) -> DeployOptions {
        let mut options = DeployOptions::default();
        for option in &recorded {
            options.accept(option);
        }
        options
    }
}

impl From<DeployOptions> for Vec<String> {
    fn from(options: DeployOptions) -> Vec<String> {
        // Destructured whole, so that no new option is missing in the record.
        let DeployOptions { rebuild_env, installer } = options;
        let installer = installer.map(|it| format!("{INSTALLER}{}", it.name()));
        installer.into_iter().chain(rebuild_env.then(|| REBUILD_ENV.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_recorded_as_they_are_spelled_and_read_again() {
        let every =
            [None, Some(Installer::Pip), Some(Installer::Uv)].into_iter().flat_map(|installer| {
                [false, true].map(|rebuild_env| DeployOptions { rebuild_env, installer })
            });
        for options in every {
            let json = serde_json::to_string(&options).unwrap();
            assert_eq!(serde_json::from_str::<DeployOptions>(&json).unwrap(), options, "{json}");
        }
        let both = DeployOptions { rebuild_env: true, installer: Some(Installer::Uv) };
        assert_eq!(serde_json::to_string(&both).unwrap(), r#"["installer=uv","rebuild-env"]"#);
    }

    #[test]
    fn options_of_an_unknown_version_do_not_spoil_a_record() {
        let read: DeployOptions = serde_json::from_str(r#"["later", "rebuild-env"]"#).unwrap();
        assert_eq!(read, DeployOptions { rebuild_env: true, installer: None });
    }

    #[test]
    fn every_known_spelling_is_accepted_and_no_other() {
        for known in DeployOptions::known() {
            assert!(DeployOptions::default().accept(&known), "{known}");
        }
        for other in ["", "rebuild", "REBUILD-ENV", "installer=", "installer=conda"] {
            let mut options = DeployOptions::default();
            assert!(!options.accept(other), "{other}");
            assert_eq!(options, DeployOptions::default());
        }
    }
}
