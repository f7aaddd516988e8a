//! `nyala config`: the application's settings.

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::site::Site;

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// List the settings' names; values are secrets, and shown only with --values
    List {
        /// Show the values as well
        #[arg(long)]
        values: bool,
        /// As JSON, with the values when they are asked for
        #[arg(long)]
        json: bool,
    },
    /// Print the value of a setting
    Get { name: String },
    /// Set settings, written as NAME=value
    Set {
        #[arg(required_unless_present = "stdin", value_name = "NAME=VALUE")]
        assignments: Vec<String>,
        /// Set this one to what comes on standard input, which no list of processes and no shell's
        /// history shows
        #[arg(long, value_name = "NAME", conflicts_with = "assignments")]
        stdin: Option<String>,
    },
    /// Remove settings
    Unset {
        #[arg(required = true)]
        names: Vec<String>,
    },
}

impl Config {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        match self {
            Config::List { values, json } => list(site, *values, *json),
            Config::Get { name } => match site.app_settings()?.get(name) {
                Some(value) => {
                    say!("{value}");
                    Ok(())
                }
                None => bail!(
                    "there is no setting {}\nWhat there is: nyala config list",
                    name.escape_debug()
                ),
            },
            Config::Set { assignments, stdin } => {
                let value = stdin.as_ref().map(|_| read_value()).transpose()?;
                site.change_app_settings(|settings| {
                    if let (Some(name), Some(value)) = (stdin, value) {
                        settings.set(name, &value)?;
                    }
                    for assignment in assignments {
                        // What has no `=` may be a value by mistake, so it is not shown.
                        let Some((name, value)) = assignment.split_once('=') else {
                            bail!(
                                "a setting is written as NAME=value: nyala config set NAME=value"
                            );
                        };
                        settings.set(name, value)?;
                    }
                    Ok(())
                })?;
                say!("Set. The next deployment uses it; to deploy now: nyala redeploy");
                Ok(())
            }
            Config::Unset { names } => {
                site.change_app_settings(|settings| {
                    for name in names {
                        if !settings.unset(name) {
                            bail!(
                                "there is no setting {}\nWhat there is: nyala config list",
                                name.escape_debug()
                            );
                        }
                    }
                    Ok(())
                })?;
                say!("Removed. The next deployment goes without; to deploy now: nyala redeploy");
                Ok(())
            }
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
        let shown: serde_json::Map<_, _> = settings
            .iter()
            .map(|(name, value)| {
                (name.to_owned(), if values { value.into() } else { serde_json::Value::Null })
            })
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
