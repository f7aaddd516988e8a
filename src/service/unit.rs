//! The unit that runs `nyala serve`. See systemd.service(5), systemd.unit(5) and systemd.kill(5).

use std::path::{Path, PathBuf};

use super::Scope;

/// What the first line of a unit of ours says, with the folder behind it, quoted for a shell.
const MARK: &str = "# Written by: nyala service install ";

/// The text of the unit. Both paths are UTF-8, and have no line breaks.
pub(super) fn text(scope: Scope, binary: &str, folder: &str) -> String {
    let quoted = shlex::try_quote(folder).unwrap_or_default();
    let (after, user, target) = match scope {
        Scope::System => ("After=network.target\n", "", "multi-user.target"),
        Scope::User => ("", " --user", "default.target"),
    };
    format!(
        "{MARK}{quoted}\n\
         # Change it with: systemctl{user} edit nyala\n\
         [Unit]\n\
         Description=nyala, which serves the sites in {shown}\n\
         {after}\
         # It is started again however often it ends.\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         Type=notify\n\
         NotifyAccess=main\n\
         ExecStart={binary} serve {folder}\n\
         Restart=always\n\
         RestartSec=1\n\
         # It ends the applications itself, and asks for more time while they finish requests.\n\
         KillMode=mixed\n\
         TimeoutStopSec=60\n\
         WatchdogSec=60\n\
         # The listening sockets stay open while it is restarted.\n\
         FileDescriptorStoreMax=4096\n\
         # Each visitor takes two files.\n\
         LimitNOFILE=65536\n\
         # An application that uses up the memory ends alone.\n\
         OOMPolicy=continue\n\
         \n\
         [Install]\n\
         WantedBy={target}\n",
        shown = without_specifiers(folder),
        binary = word(binary),
        folder = word(folder),
    )
}

/// The folder that a unit of ours serves; `None` for the unit of somebody else.
pub(super) fn folder_of(text: &str) -> Option<PathBuf> {
    let quoted = text.lines().next()?.strip_prefix(MARK)?;
    let words = shlex::split(quoted)?;
    words.into_iter().next().map(PathBuf::from)
}

/// Whether a unit of ours for a folder is what would be written now, whatever binary it names.
pub(super) fn is_current(scope: Scope, found: &str, folder: &Path) -> bool {
    let Some(folder) = folder.to_str() else { return false };
    let is_start = |line: &&str| line.starts_with("ExecStart=");
    let others = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !is_start(line)).map(str::to_owned).collect()
    };
    let serves = format!(" serve {}", word(folder));
    found.lines().find(is_start).is_some_and(|line| line.ends_with(&serves))
        && others(found) == others(&text(scope, "nyala", folder))
}

/// Whether a unit can name this path.
pub(super) fn can_name(path: &Path) -> bool {
    path.to_str().is_some_and(|text| !text.contains(|it: char| it.is_control()))
}

/// A word of a command line: in quotes, with what systemd would replace escaped.
fn word(text: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "/._-+@:".contains(it);
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.push('\\'),
            '%' => quoted.push('%'),
            '$' => quoted.push('$'),
            _ => {}
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

fn without_specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_of_another_version_is_not_current() {
        let folder = Path::new("/srv");
        let written = text(Scope::User, "/opt/ny ala", "/srv");
        assert!(is_current(Scope::User, &written, folder));
        assert!(!is_current(Scope::System, &written, folder));
        assert!(!is_current(Scope::User, &written.replace("WatchdogSec=60", ""), folder));
        assert!(!is_current(Scope::User, &written.replace("serve /srv", "serve /x"), folder));
    }

    #[test]
    fn the_unit_of_the_system_starts_with_the_machine() {
        let unit = text(Scope::System, "/usr/local/bin/nyala", "/srv");
        insta::assert_snapshot!(unit, @"
        # Written by: nyala service install /srv
        # Change it with: systemctl edit nyala
        [Unit]
        Description=nyala, which serves the sites in /srv
        After=network.target
        # It is started again however often it ends.
        StartLimitIntervalSec=0

        [Service]
        Type=notify
        NotifyAccess=main
        ExecStart=/usr/local/bin/nyala serve /srv
        Restart=always
        RestartSec=1
        # It ends the applications itself, and asks for more time while they finish requests.
        KillMode=mixed
        TimeoutStopSec=60
        WatchdogSec=60
        # The listening sockets stay open while it is restarted.
        FileDescriptorStoreMax=4096
        # Each visitor takes two files.
        LimitNOFILE=65536
        # An application that uses up the memory ends alone.
        OOMPolicy=continue

        [Install]
        WantedBy=multi-user.target
        ");
    }

    #[test]
    fn the_unit_of_the_package_is_the_same_but_for_its_first_line() {
        let packed = include_str!("../../packaging/nyala.service");
        let rest = |text: &str| text.split_once('\n').map(|(_, rest)| rest.to_owned());
        assert_eq!(rest(packed), rest(&text(Scope::System, "/usr/bin/nyala", "/srv")));
        assert_eq!(folder_of(packed), None);
    }

    #[test]
    fn a_folder_may_have_any_name() {
        let folder = "/srv/Ada's 100% $HOME \"sites\"";
        let unit = text(Scope::User, "/home/ada/bin/nyala", folder);
        assert!(unit.contains(
            "ExecStart=/home/ada/bin/nyala serve \"/srv/Ada's 100%% $$HOME \\\"sites\\\"\"\n"
        ));
        assert!(unit.contains("systemctl --user edit nyala\n") && unit.contains("=default.target"));
        assert_eq!(folder_of(&unit), Some(PathBuf::from(folder)));
        assert_eq!(folder_of("[Service]\nExecStart=nyala serve /srv\n"), None);
        assert!(!can_name(Path::new("/srv/a\nb")));
    }
}
