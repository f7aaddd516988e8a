//! Where Django has put the static files of a release.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::settings_module;
use super::{MANAGE, NO_SETTINGS};
use crate::process::{self, ChildError, Environment, Invocation};
use crate::processes::DJANGO_SETTINGS;

/// Prints what the settings say, or null when the application has no static files of its own.
const ASK: &str = "
import json
from django.conf import settings
has_some = 'django.contrib.staticfiles' in settings.INSTALLED_APPS and settings.STATIC_ROOT
found = {'url': settings.STATIC_URL, 'root': str(settings.STATIC_ROOT)} if has_some else None
print('\\nnyala: ' + json.dumps(found))
";
/// What comes before the answer: the settings may print as well.
const MARK: &str = "nyala: ";

/// How long Django may take, and how much it may print, in bytes.
const LIMIT: Duration = Duration::from_secs(30);
const MOST: usize = 1 << 20;

/// The static files of an application.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct StaticFiles {
    /// `STATIC_URL`: where visitors find them, such as `/static/`.
    pub url: String,
    /// `STATIC_ROOT`: the folder that they were collected into.
    pub root: PathBuf,
}

/// Asks the settings of a release where its static files are; `None` when it has none. `folder` is
/// that of its manage.py.
pub fn static_files(
    python: &Path,
    folder: &Path,
    environment: &Environment,
) -> Result<Option<StaticFiles>, ChildError> {
    let ask = |environment: &Environment| {
        let shell = Invocation::new(python).args([MANAGE, "shell", "-c", ASK]).cwd(folder);
        process::capture(&shell.environment(environment.clone()).probing(LIMIT, MOST))
    };
    let mut answer = ask(environment);
    if let Err(ChildError::Exited { complaint, .. }) = &answer
        && complaint.contains(NO_SETTINGS)
        && let [(module, _)] = Vec::from_iter(settings_module::named_below(folder))[..].as_ref()
    {
        answer = ask(&environment.clone().set(DJANGO_SETTINGS, module));
    }
    let text = answer?.text();
    let found = text.lines().rev().find_map(|line| line.strip_prefix(MARK));
    Ok(found.and_then(|found| serde_json::from_str(found).ok()).flatten())
}
