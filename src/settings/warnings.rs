//! Settings that have no effect here, and what to use in their place.

use super::DeploymentFile;
use super::names::{BRANCH, DISABLE_SUBMODULES, FILE_KEYS, NAMES};
use crate::console::did_you_mean;
use crate::python::installers::Installer;
use crate::site::{AppSettings, Settings};
use crate::text::excerpt;

/// Kudu's names that mean nothing here, and what serves in their place.
const INSTEAD: [(&str, &str); 6] = [
    ("SCM_REPOSITORY_PATH", "repository in nyala.toml sets where the repository is"),
    ("SCM_TARGET_PATH", "what is live is always SITE/wwwroot"),
    ("SCM_SCRIPT_GENERATOR_ARGS", "nyala script writes a deployment script for you to change"),
    ("SCM_BUILD_ARGS", "there is no build tool to pass them to"),
    ("SCM_TRACE_LEVEL", "NYALA_LOG=debug shows what a command does"),
    ("SCM_LOGSTREAM_TIMEOUT", "nyala build-log --follow follows until the deployment ends"),
];

/// How Heroku and Azure name the port of the application.
const PORTS: [&str; 2] = ["PORT", "WEBSITES_PORT"];

/// A line for each setting that has no effect. Only `SCM_` names are looked at, and what is nearly
/// a key of `.deployment`: everything else may be the application's own.
pub(super) fn warnings(
    settings: &Settings,
    app: &AppSettings,
    file: &DeploymentFile,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let set = app.iter().map(|(name, _)| (name, "the app settings"));
    for (name, place) in set.chain(file.iter().map(|(name, _)| (name, ".deployment"))) {
        let upper = name.to_ascii_uppercase();
        if upper.starts_with("SCM_") && !is_understood(&upper) {
            let instead = INSTEAD.iter().find(|(known, _)| *known == upper);
            let instead = instead
                .map_or("commands see it as an environment variable", |(_, instead)| *instead);
            warnings.push(format!("{} in {place} has no meaning here; {instead}", excerpt(name)));
        }
    }
    for (name, _) in file.iter() {
        if let Some(key) = did_you_mean(name, FILE_KEYS)
            && !key.eq_ignore_ascii_case(name)
        {
            warnings.push(format!(
                "{} in .deployment is not a key; did you mean `{key}`?",
                excerpt(name)
            ));
        }
    }
    let branch = app.get(BRANCH).filter(|branch| !branch.is_empty());
    if let (Some(wanted), Some(branch)) = (branch, &settings.branch)
        && wanted != branch
    {
        warnings.push(format!(
            "the app setting {BRANCH} has no effect: branch = \"{branch}\" in nyala.toml overrides \
             it"
        ));
    }
    // Without an address, nyala runs nothing, and a unit of the user's own may read it.
    if let Some(listen) = &settings.run.listen {
        for name in PORTS.iter().filter(|name| app.get(name).is_some()) {
            warnings.push(format!(
                "the app setting {name} has no effect: during a switch two releases run side by \
                 side, so nyala gives each a port of its own; visitors connect to listen = \
                 \"{listen}\", under [run] in nyala.toml"
            ));
        }
    }
    if settings.pip.is_some() && settings.installer == Installer::Uv {
        warnings.push(
            "pip in nyala.toml has no effect: uv installs, and its environments have no pip"
                .to_owned(),
        );
    }
    warnings
}

fn is_understood(name: &str) -> bool {
    name == DISABLE_SUBMODULES || NAMES.iter().any(|(_, known)| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::deployment_file::parse;

    fn warned(toml: &str, app: &str, file: &str) -> Vec<String> {
        let file = parse(format!("[config]\n{file}").as_bytes()).unwrap();
        warnings(&Settings::parse(toml).unwrap(), &AppSettings::parse(app).unwrap(), &file)
    }

    #[test]
    fn what_nobody_understands_is_a_warning() {
        let settings = warned(
            "branch = 'main'",
            "SCM_TRACE_LEVEL=4 SCM_DISABLE_SUBMODULES=1 OTHER=1 DEPLOYMENT_BRANCH=live",
            "SCM_MINE = 1\ncomand = x\nAPP_KEY = 1",
        );
        let expected = [
            "SCM_TRACE_LEVEL in the app settings has no meaning here; NYALA_LOG=debug shows what a \
             command does",
            "SCM_MINE in .deployment has no meaning here; commands see it as an environment \
             variable",
            "comand in .deployment is not a key; did you mean `command`?",
            "the app setting DEPLOYMENT_BRANCH has no effect: branch = \"main\" in nyala.toml \
             overrides it",
        ];
        assert_eq!(settings, expected);
    }

    #[test]
    fn the_port_is_for_nyala_to_give_where_it_runs_the_application() {
        let served = warned("[run]\nlisten = '8000'", "PORT=5000 WEBSITES_PORT=80", "");
        let why = "has no effect: during a switch two releases run side by side, so nyala gives \
                   each a port of its own; visitors connect to listen = \"127.0.0.1:8000\", under \
                   [run] in nyala.toml";
        let expected =
            [format!("the app setting PORT {why}"), format!("the app setting WEBSITES_PORT {why}")];
        assert_eq!(served, expected);
        assert!(warned("", "PORT=5000", "").is_empty());
    }
}
