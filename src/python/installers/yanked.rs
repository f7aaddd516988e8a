//! Versions that their authors have taken back, which are installed only where they are pinned: a
//! lock or a `==` names one, and nobody notices unless it is said.
//!
//! <https://packaging.python.org/en/latest/specifications/file-yanking/>

use crate::console;
use crate::text::excerpt;

/// What an installer has said of them.
#[derive(Debug, Default)]
pub(super) struct Yanked {
    /// `oryx 1.0`, and why it was yanked, if somebody said so.
    versions: Vec<(String, String)>,
    /// Whether pip's next line has the reason.
    goes_on: bool,
}

impl Yanked {
    /// Logs a line of an installer; what it says of yanked versions only in full logs.
    pub(super) fn log(&mut self, line: &str) {
        if self.heard(line) {
            console::detail(line);
        } else {
            console::info(line);
        }
    }

    /// A warning that names them, if there are any.
    pub(super) fn warn(self) {
        if !self.versions.is_empty() {
            console::warning(self.text());
        }
    }

    fn heard(&mut self, line: &str) -> bool {
        let goes_on = std::mem::take(&mut self.goes_on);
        if goes_on && let Some(why) = line.strip_prefix("Reason for being yanked: ") {
            if let Some(last) = self.versions.last_mut().filter(|_| why != "<none given>") {
                last.1 = excerpt(why);
            }
            return true;
        }
        let of_pip = of_pip(line);
        self.goes_on = of_pip.is_some();
        let found = of_pip.or_else(|| of_uv(line));
        let is_about_one = found.is_some();
        // With several files, pip may say it of a package twice.
        self.versions.extend(found.filter(|found| !self.versions.contains(found)));
        is_about_one
    }

    fn text(&self) -> String {
        let named = self.versions.iter().map(|(version, why)| {
            if why.is_empty() { version.clone() } else { format!("{version} ({why})") }
        });
        let named: Vec<_> = named.collect();
        let (were, others) =
            if named.len() == 1 { ("was", "another version") } else { ("were", "other versions") };
        format!("{} {were} yanked from the index; pin {others}", named.join(", "))
    }
}

fn of_pip(line: &str) -> Option<(String, String)> {
    const START: &str =
        "WARNING: The candidate selected for download or install is a yanked version: '";
    let (name, rest) = line.strip_prefix(START)?.split_once("' candidate (version ")?;
    let (version, _) = rest.split_once(" at ")?;
    Some((excerpt(&format!("{name} {version}")), String::new()))
}

fn of_uv(line: &str) -> Option<(String, String)> {
    let (version, rest) = line.strip_prefix("warning: `")?.split_once("` is yanked")?;
    let why = rest.strip_prefix(" (reason: \"").and_then(|why| why.strip_suffix("\")"));
    Some((excerpt(&version.replace("==", " ")), excerpt(why.unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(output: &str) -> String {
        let mut yanked = Yanked::default();
        let others: Vec<_> = output.lines().filter(|line| !yanked.heard(line)).collect();
        format!("{}\n{}", others.join("\n"), yanked.text())
    }

    #[test]
    fn yanked_versions_are_named_with_the_reason() {
        let pip = "\
Collecting oryx==1.0
WARNING: The candidate selected for download or install is a yanked version: 'oryx' candidate \
(version 1.0 at https://files/oryx-1.0-py3-none-any.whl (from https://index/oryx/))
Reason for being yanked: it loses \"data\"
WARNING: The candidate selected for download or install is a yanked version: 'grass' candidate \
(version 2.0 at https://files/grass-2.0-py3-none-any.whl (from https://index/grass/))
Reason for being yanked: <none given>
Reason for being yanked: of no version
";
        insta::assert_snapshot!(text(pip), @r#"
        Collecting oryx==1.0
        Reason for being yanked: of no version
        oryx 1.0 (it loses "data"), grass 2.0 were yanked from the index; pin other versions
        "#);
        let uv = "Installed 2 packages in 5ms\n\
                  warning: `oryx==1.0` is yanked (reason: \"it loses \"data\"\")\n";
        insta::assert_snapshot!(text(uv), @r#"
        Installed 2 packages in 5ms
        oryx 1.0 (it loses "data") was yanked from the index; pin another version
        "#);
    }
}
