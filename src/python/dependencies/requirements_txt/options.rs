//! From a logical line to what it says: a requirement, another file, or options (pip's
//! `get_line_parser`).

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Statement {
    Requirement {
        editable: bool,
        spec: String,
        hashes: Vec<String>,
        /// Options that count for this requirement alone, `--config-settings=x=y`.
        options: Vec<String>,
    },
    Include {
        path: String,
        constraint: bool,
    },
    Options(Vec<Setting>),
}

/// One option. `name` is the long form; one that pip does not know is kept as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) value: Option<String>,
}

/// The options that a requirements file may have: long name, other spelling, whether it takes a
/// value.
///
/// Of all pips from 18 to 26. One that a pip does not know is that pip's own error.
const KNOWN: [(&str, &str, bool); 20] = [
    ("--index-url", "-i", true),
    ("--pypi-url", "", true),
    ("--extra-index-url", "", true),
    ("--no-index", "", false),
    ("--constraint", "-c", true),
    ("--requirement", "-r", true),
    ("--editable", "-e", true),
    ("--find-links", "-f", true),
    ("--no-binary", "", true),
    ("--only-binary", "", true),
    ("--prefer-binary", "", false),
    ("--require-hashes", "", false),
    ("--pre", "", false),
    ("--trusted-host", "", true),
    ("--use-feature", "", true),
    ("--global-option", "", true),
    ("--install-option", "", true),
    ("--hash", "", true),
    ("--config-settings", "-C", true),
    ("--config-setting", "", true),
];

/// What `line` says. Fails, in words, where no pip could read it.
pub(super) fn statement(line: &str) -> Result<Statement, String> {
    let (spec, rest) = split_options(line);
    let words = shlex::split(rest).ok_or("a quotation mark is not closed")?;
    let (settings, unknown) = settings(words)?;
    let values = |name: &str| -> Vec<String> {
        settings
            .iter()
            .filter(|setting| setting.name == name)
            .filter_map(|setting| setting.value.clone())
            .collect()
    };

    let editable = values("--editable").into_iter().next();
    if !spec.is_empty() || editable.is_some() {
        let mut options: Vec<String> = settings
            .iter()
            .filter(|setting| {
                matches!(
                    setting.name.as_str(),
                    "--global-option" | "--install-option" | "--config-settings"
                )
            })
            .map(Setting::to_string)
            .collect();
        options.extend(unknown);
        return Ok(Statement::Requirement {
            editable: spec.is_empty(),
            spec: if spec.is_empty() { editable.unwrap_or_default() } else { spec.to_owned() },
            hashes: values("--hash").iter().map(|hash| hash.to_ascii_lowercase()).collect(),
            options,
        });
    }
    for (name, constraint) in [("--requirement", false), ("--constraint", true)] {
        if let Some(path) = values(name).into_iter().next() {
            return Ok(Statement::Include { path, constraint });
        }
    }
    let mut settings = settings;
    settings.extend(unknown.map(|name| Setting { name, value: None }));
    Ok(Statement::Options(settings))
}

impl Setting {
    /// Whether pip reads that file in place of the line.
    fn names_a_file(&self) -> bool {
        matches!(self.name.as_str(), "--requirement" | "--constraint")
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} {value}", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}

/// Splits before the first word that begins with `-`; words are separated by single spaces, as pip
/// has it, because what comes before may hold quotation marks that are no shell's.
fn split_options(line: &str) -> (&str, &str) {
    let mut from = 0;
    for word in line.split(' ') {
        if word.starts_with('-') {
            return (line[..from].trim_end_matches(' '), &line[from..]);
        }
        from += word.len() + 1;
    }
    (line, "")
}

/// The options of a line, and what begins with one that is not known: its values cannot be told
/// from other words.
fn settings(words: Vec<String>) -> Result<(Vec<Setting>, Option<String>), String> {
    let mut settings = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        if !word.starts_with('-') || word == "-" {
            // optparse puts aside what is no option, and pip never looks at it.
            continue;
        }
        let Some((name, attached, takes_value)) = known(&word) else {
            let rest: Vec<String> = words.collect();
            let unknown = [&[word], rest.as_slice()].concat().join(" ");
            // A pip that knows the option reads the file that is named after it.
            let (after, _) = self::settings(rest).unwrap_or_default();
            settings.extend(after.into_iter().filter(Setting::names_a_file));
            return Ok((settings, Some(unknown)));
        };
        let value = match (takes_value, attached) {
            (true, Some(value)) => Some(value),
            (true, None) => {
                Some(words.next().ok_or_else(|| format!("the option {name} needs a value"))?)
            }
            (false, Some(_)) => return Err(format!("the option {name} does not take a value")),
            (false, None) => None,
        };
        settings.push(Setting { name: name.to_owned(), value });
    }
    Ok((settings, None))
}

/// The option that a word begins, the value attached to it, and whether it takes one.
fn known(word: &str) -> Option<(&'static str, Option<String>, bool)> {
    let (name, attached, takes_value) = if word.starts_with("--") {
        let (given, attached) = match word.split_once('=') {
            Some((given, value)) => (given, Some(value.to_owned())),
            None => (word, None),
        };
        let (name, takes_value) = long(given)?;
        (name, attached, takes_value)
    } else {
        let attached = word.get(2..)?;
        let (name, _, takes_value) =
            KNOWN.iter().find(|(_, short, _)| !short.is_empty() && word.starts_with(short))?;
        let attached = (!attached.is_empty()).then(|| attached.to_owned());
        (*name, attached, *takes_value)
    };
    let name = match name {
        "--pypi-url" => "--index-url",
        "--config-setting" => "--config-settings",
        name => name,
    };
    Some((name, attached, takes_value))
}

/// optparse takes a long option's beginning for it where no other begins like it.
fn long(given: &str) -> Option<(&'static str, bool)> {
    let exact = KNOWN.iter().find(|(name, ..)| *name == given);
    let mut beginnings = KNOWN.iter().filter(|(name, ..)| name.starts_with(given));
    let (name, _, takes_value) = match exact {
        Some(exact) => exact,
        None => match (beginnings.next(), beginnings.next()) {
            (Some(only), None) => only,
            _ => return None,
        },
    };
    Some((name, *takes_value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn include(path: &str, constraint: bool) -> Statement {
        Statement::Include { path: path.to_owned(), constraint }
    }

    fn option(name: &str, value: Option<&str>) -> Setting {
        Setting { name: name.to_owned(), value: value.map(str::to_owned) }
    }

    #[test]
    fn every_spelling_of_an_include_is_read() {
        for line in [
            "-r a.txt",
            "-ra.txt",
            "--requirement a.txt",
            "--requirement=a.txt",
            "--requirem a.txt",
            "-r a.txt ignored",
            "-r 'a.txt'",
        ] {
            assert_eq!(statement(line).unwrap(), include("a.txt", false), "{line}");
        }
        assert_eq!(statement("-c c.txt").unwrap(), include("c.txt", true));
        // As optparse reads it.
        assert_eq!(statement("-r=a.txt").unwrap(), include("=a.txt", false));
    }

    #[test]
    fn a_requirement_keeps_what_shells_would_eat() {
        let Statement::Requirement { spec, hashes, .. } =
            statement(r#"a; python_version < "3.8" --hash=sha256:AA --hash sha256:bb"#).unwrap()
        else {
            panic!("no requirement");
        };
        assert_eq!(spec, r#"a; python_version < "3.8""#);
        assert_eq!(hashes, ["sha256:aa", "sha256:bb"]);
    }

    #[test]
    fn options_of_a_file_are_told_from_those_of_a_requirement() {
        assert_eq!(
            statement("-i https://a/ --extra-index-url=https://b/ --pre").unwrap(),
            Statement::Options(vec![
                option("--index-url", Some("https://a/")),
                option("--extra-index-url", Some("https://b/")),
                option("--pre", None),
            ])
        );
        assert_eq!(
            statement("a --pre -C x=y --frobnicate z").unwrap(),
            Statement::Requirement {
                editable: false,
                spec: "a".to_owned(),
                hashes: vec![],
                options: vec!["--config-settings x=y".into(), "--frobnicate z".into()],
            }
        );
        assert!(matches!(
            statement("-e ./lib").unwrap(),
            Statement::Requirement { editable: true, .. }
        ));
    }

    #[test]
    fn an_unknown_option_is_kept_and_left_to_pip() {
        assert_eq!(
            statement("--frobnicate x --pre").unwrap(),
            Statement::Options(vec![option("--frobnicate x --pre", None)])
        );
        assert_eq!(statement("--frobnicate x -r a.txt").unwrap(), include("a.txt", false));
        assert_eq!(statement("-").unwrap(), Statement::Options(vec![]));
        assert_eq!(statement("-é").unwrap(), Statement::Options(vec![option("-é", None)]));
    }

    #[test]
    fn what_no_pip_reads_is_an_error() {
        for line in ["-r", "-r 'a", "--pre=1", "--index-url"] {
            assert!(statement(line).is_err(), "{line}");
        }
    }
}
