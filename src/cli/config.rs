//! `nyala config`: the application's settings.

mod change;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::{error, say_error};
use crate::git::Repository;
use crate::settings::{DeploymentFile, EffectiveSettings, Listed};
use crate::site::{Settings, Site};
use crate::text::clean;
use crate::user_error::{Explain, UserError};

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// List the names of the app settings, and their values with --values
    List {
        /// Show the values as well, which are secrets
        #[arg(long)]
        values: bool,
        /// Print JSON, with the values if --values is given
        #[arg(long)]
        json: bool,
    },
    /// Show every setting that applies to the site, its value, and where it comes from
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the value of an app setting
    Get {
        /// The name of the app setting
        name: String,
    },
    /// Set app settings, written as NAME=value
    Set {
        /// The names and values, quoted for your shell
        #[arg(required_unless_present = "stdin", value_name = "NAME=VALUE")]
        assignments: Vec<String>,
        /// Read the value of this setting from standard input, so that neither the list of
        /// processes nor the shell's history shows it
        #[arg(long, value_name = "NAME", conflicts_with = "assignments")]
        stdin: Option<String>,
        /// Leave the application running with the settings that it has
        #[arg(long)]
        no_restart: bool,
    },
    /// Remove app settings
    Unset {
        /// The names of the app settings
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Leave the application running with the settings that it has
        #[arg(long)]
        no_restart: bool,
    },
}

impl Config {
    pub(super) fn changes(&self) -> bool {
        match self {
            Config::List { .. } | Config::Get { .. } | Config::Show { .. } => false,
            Config::Set { .. } | Config::Unset { .. } => true,
        }
    }

    pub(super) fn run(&self, site: &Site) -> Result<()> {
        match self {
            Config::List { values, json } => list(site, *values, *json),
            Config::Show { json } => show(site, *json),
            Config::Get { name } => match site.app_settings()?.get(name) {
                Some(value) => {
                    say!("{value}");
                    Ok(())
                }
                None => Err(error::no_setting(name).into()),
            },
            Config::Set { assignments, stdin, no_restart } => {
                let value = stdin.as_ref().map(|_| read_value()).transpose()?;
                change::apply(site, *no_restart, |settings| {
                    if let (Some(name), Some(value)) = (stdin, value) {
                        settings.set(name, &value)?;
                    }
                    for assignment in assignments {
                        // What has no `=` may be a value by mistake, so it is not shown.
                        let Some((name, value)) = assignment.split_once('=') else {
                            return Err(error::no_value().into());
                        };
                        settings.set(name, value)?;
                    }
                    Ok(())
                })
            }
            Config::Unset { names, no_restart } => change::apply(site, *no_restart, |settings| {
                for name in names {
                    if !settings.unset(name) {
                        return Err(error::no_setting(name).into());
                    }
                }
                Ok(())
            }),
        }
    }
}

/// What comes on standard input, without the end of its last line.
fn read_value() -> Result<String> {
    let value = std::io::read_to_string(std::io::stdin()).context("the value cannot be read")?;
    Ok(value
        .strip_suffix('\n')
        .map_or(value.as_str(), |value| value.strip_suffix('\r').unwrap_or(value))
        .to_owned())
}

fn list(site: &Site, values: bool, json: bool) -> Result<()> {
    let settings = site.app_settings()?;
    if json {
        let shown: Map<_, _> = settings
            .iter()
            .map(|(name, value)| (name.to_owned(), if values { value.into() } else { Value::Null }))
            .collect();
        say!("{}", serde_json::to_string_pretty(&shown)?);
        return Ok(());
    }
    for (name, value) in settings.iter() {
        if values {
            say!("{name}={}", shlex::try_quote(value)?);
        } else {
            say!("{name}");
        }
    }
    Ok(())
}

/// Prints the settings of the next deployment, if its commit has the `.deployment` of the live one.
fn show(site: &Site, json: bool) -> Result<()> {
    let (settings, app_settings) = (site.settings()?, site.app_settings()?);
    let file = live_deployment_file(site, &settings);
    let unread = file.as_ref().err().map(UserError::of);
    let settings = EffectiveSettings::resolve(&settings, &app_settings, &file.unwrap_or_default());
    let listed = settings.listed();
    if json {
        let entry = |Listed { name, value, source }: &Listed| {
            let origin = source.to_string();
            ((*name).to_owned(), json!({ "value": value, "origin": origin }))
        };
        let shown = json!({
            "settings": listed.iter().map(entry).collect::<Map<_, _>>(),
            "warnings": settings.warnings,
            "problems": settings.problems.iter().chain(&unread).collect::<Vec<_>>(),
        });
        say!("{}", serde_json::to_string_pretty(&shown)?);
        return Ok(());
    }
    let width = listed.iter().map(|it| it.name.len()).max().unwrap_or_default();
    for Listed { name, value, source } in &listed {
        match value {
            Value::Null => say!("{name:width$} = (not set)"),
            value => say!("{name:width$} = {}  ({source})", clean(&value.to_string())),
        }
    }
    for warning in &settings.warnings {
        say!("warning: {}", clean(warning));
    }
    for problem in settings.problems.iter().chain(&unread) {
        say_error(problem);
    }
    Ok(())
}

/// The `.deployment` of the live commit; empty when nothing is live.
fn live_deployment_file(site: &Site, settings: &Settings) -> Result<DeploymentFile> {
    let live = site.live()?.map(|id| site.record(id)).transpose()?.flatten();
    let Some(live) = live else { return Ok(DeploymentFile::default()) };
    let repository = Repository::open(&site.repository(settings))?;
    let commit = repository.commit(&live.commit).explain(error::cannot_read_deployment_file)?;
    DeploymentFile::of(&repository.tree(&commit)?)
}
