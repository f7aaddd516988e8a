//! `docs/settings.md`, generated from the commented file that a new site gets, from the defaults,
//! and from the names of app settings.

use std::fs;
use std::path::Path;

use super::names::{
    AZURE_PYTHON, BRANCH, DISABLE_SUBMODULES, EXTRAS, FILE_KEYS, GROUPS, NAMES, PYTHON,
    REQUIREMENTS,
};
use super::{DeploymentFile, EffectiveSettings};
use crate::site::settings::{Dependencies, Image, Kubernetes, Run, Webhook, keys};
use crate::site::{AppSettings, Settings};

const TEMPLATE: &str = include_str!("../nyala.toml");

const INTRODUCTION: &str = "\
# Settings

<!-- Generated from src/nyala.toml and src/settings. To regenerate:
UPDATE_DOCS=1 cargo test --lib reference -->

A setting comes from the first of these that has it:

1. an option of one deployment: `git push -o`, or a flag of a command
2. `nyala.toml` in the site's folder
3. the app settings (`nyala config set NAME=value`)
4. `.deployment` in the commit
5. the default

The order and the names of the app settings are Kudu's.
An app setting with an empty value does not count.
`nyala config show` prints what applies to a site, and where it comes from.
A change takes effect with the next deployment.

Most sites need none of them, or one of these:

| key | default | |
|---|---|---|
| `branch` | the first branch pushed | the branch to deploy |
| `python` | the newest on the machine | the Python for projects that do not specify one |
| `installer` | `\"pip\"`; `nyala init` writes `\"uv\"` if it is installed | what creates envs and \
installs the requirements: [pip and uv](installers.md) |
| `keep` | `3` | how many successful releases are kept with their envs, including the live one |
| `shared` | `[]` | paths that are [stored in `shared/`](history.md#what-outlives-releases) |
| `strict` | `false` | `git push` fails when the deployment fails: [exit codes](exit-code.md) |

`nyala.toml` is created with a comment on every key.
An unknown key is an error that suggests the nearest known one.
";

const APP_SETTINGS: &str = "
## App settings

App settings are environment variables of the build, of the application's commands and of actions,
for what does not belong in git.

<!-- sh on=server new
nyala init /srv/shop
cd /srv/shop
echo secret > token
-->

```sh on=server
nyala config set SECRET_KEY=... PIP_INDEX_URL=https://pypi.example.org/simple
nyala config set --stdin API_TOKEN < token     # not in the shell's history or the list of processes
nyala config list
```

Their values are never printed in a log, and their file, `settings.env`, is readable only by the
owner. It has lines of the form `NAME=value`, quoted as in a shell, and comments with `#`.
You can edit it by hand, even on Windows: CRLF line ends and a byte order mark are not part of a
value, and the next `nyala config set` removes them.

These are settings of nyala as well.
`.deployment` can set those that are marked with it, in its section `[config]`.

| name | setting | in `.deployment` |
|---|---|---|
";

/// A key as the template has it.
#[derive(Debug)]
struct Documented {
    /// `dependencies`, or empty at the top level.
    table: String,
    key: String,
    example: String,
    about: String,
}

/// The keys of the template. A comment that is not followed by a key at once is not about one.
fn documented() -> Vec<Documented> {
    let mut found: Vec<Documented> = Vec::new();
    let (mut table, mut about) = (String::new(), Vec::new());
    for line in TEMPLATE.lines() {
        let text = line.trim_start_matches('#').trim();
        let name = text.trim_matches(['[', ']']);
        let key = text.split_once(" = ").filter(|(key, _)| {
            key.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
        });
        if text.is_empty() {
            about.clear();
        } else if text.starts_with('[') {
            name.clone_into(&mut table);
            let (key, example) = (table.clone(), text.to_owned());
            found.push(Documented { table: String::new(), key, example, about: about.join("\n") });
        } else if let Some((key, _)) = key {
            let (key, example) = (key.to_owned(), text.to_owned());
            found.push(Documented { table: table.clone(), key, example, about: about.join("\n") });
        } else {
            about.push(text);
        }
    }
    found
}

fn reference() -> String {
    let defaults = EffectiveSettings::resolve(
        &Settings::default(),
        &AppSettings::default(),
        &DeploymentFile::default(),
    );
    let defaults = defaults.listed();
    let mut page = format!("{INTRODUCTION}\n## nyala.toml\n");
    for Documented { table, key, example, about } in documented() {
        let name = if table.is_empty() { key.clone() } else { format!("{table}.{key}") };
        page += &format!("\n### {name}\n\n{about}\n\n```toml\n{example}\n```\n");
        let default = defaults.iter().find(|listed| table.is_empty() && listed.name == key);
        if let Some(listed) = default.filter(|it| !it.value.is_null() && !it.value.is_object()) {
            page += &format!("\nDefault: `{}`.\n", listed.value);
        }
        if let Some(name) = app_name(&key).filter(|_| table.is_empty()) {
            page += &format!("\nAs an app setting: `{name}`.\n");
        }
    }
    page += APP_SETTINGS;
    let yes = |name: &str| {
        let key = FILE_KEYS.iter().find(|key| key.eq_ignore_ascii_case(name)).unwrap_or(&name);
        format!("`{key}`")
    };
    for (key, name) in NAMES {
        let inverted = if key == "collectstatic" { ", inverted" } else { "" };
        let unit = if key == "idle_timeout" { ", in seconds" } else { "" };
        page += &format!("| `{name}` | `{key}`{inverted}{unit} | {} |\n", yes(name));
    }
    for (name, about, file) in [
        (DISABLE_SUBMODULES, "whether submodules stay empty folders", true),
        (BRANCH, "`branch`", false),
        (PYTHON, "the Python of a project that names none in its files", false),
        (AZURE_PYTHON, "the same, where `PYTHON_VERSION` is not set", false),
        (REQUIREMENTS, "`file` under `[dependencies]`", false),
        (GROUPS, "`groups` under `[dependencies]`, with commas between them", false),
        (EXTRAS, "`extras` under `[dependencies]`, with commas between them", false),
    ] {
        page +=
            &format!("| `{name}` | {about} | {} |\n", if file { yes(name) } else { String::new() });
    }
    page
}

fn app_name(key: &str) -> Option<&'static str> {
    let of_key = NAMES.iter().find(|(known, _)| *known == key).map(|(_, name)| *name);
    of_key.or_else(|| (key == "branch").then_some(BRANCH))
}

#[test]
fn the_documentation_lists_every_setting() {
    assert_documented("docs/settings.md", &reference());
}

/// Compares a page that is generated with what it should be; with `UPDATE_DOCS`, writes it.
pub(crate) fn assert_documented(page: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, expected).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == expected,
        "{page} is out of date. To regenerate it: UPDATE_DOCS=1 cargo test --lib reference"
    );
}

#[test]
fn the_file_of_a_new_site_explains_every_key() {
    let documented = documented();
    let explained = |table: &str| {
        let of_table = documented.iter().filter(|it| it.table == table);
        let mut keys: Vec<_> = of_table.map(|it| it.key.as_str()).collect();
        keys.sort_unstable();
        keys
    };
    let known = |keys: &[&'static str]| {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys
    };
    assert_eq!(explained(""), known(keys::<Settings>()));
    assert_eq!(explained("dependencies"), known(keys::<Dependencies>()));
    assert_eq!(explained("run"), known(keys::<Run>()));
    assert_eq!(explained("image"), known(keys::<Image>()));
    assert_eq!(explained("kubernetes"), known(keys::<Kubernetes>()));
    assert_eq!(explained("webhook"), known(keys::<Webhook>()));
    let unexplained: Vec<_> = documented.iter().filter(|it| it.about.is_empty()).collect();
    assert!(unexplained.is_empty(), "{unexplained:?}");
}

#[test]
fn every_key_of_the_site_settings_is_listed() {
    let settings = EffectiveSettings::resolve(
        &Settings::default(),
        &AppSettings::default(),
        &DeploymentFile::default(),
    );
    let listed: Vec<_> = settings.listed().iter().map(|listed| listed.name).collect();
    for key in keys::<Settings>() {
        assert!(listed.contains(key), "{key} is missing in EffectiveSettings");
    }
}

#[test]
fn the_file_of_a_new_site_can_be_uncommented() {
    let text: String = TEMPLATE
        .lines()
        .filter(|line| documented().iter().any(|it| line.ends_with(&it.example)))
        .map(|line| line.trim_start_matches("# ").to_owned() + "\n")
        .collect();
    let settings = Settings::parse(&text).unwrap();
    assert_eq!(settings.set.len(), keys::<Settings>().len());
}
