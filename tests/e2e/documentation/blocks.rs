//! The fenced blocks of a Markdown page, and what the words behind a fence's language ask for. No
//! renderer shows these words.
//!
//! | words | the block |
//! |---|---|
//! | `sh` | commands, each of which has to succeed |
//! | `console` | commands behind `$ `, and what they print |
//! | `… on=server` | is typed on the server, and not on the laptop |
//! | `… new` | begins with a new server and a new laptop |
//! | `… background` | goes on until the page ends |
//! | `… skip=needs-root` | is not run here, for this reason |
//! | `… parsed` | is generated, and only has to parse; see `src/cli/help.rs` |
//! | `python file=app.py` | is written to this file |
//! | `toml` | is a `nyala.toml`, unless it is written to another file |
//! | `ini`, `yaml`, `text`, … | is only shown |
//!
//! What a page needs and does not show is in a comment: `<!-- sh` or `<!-- python file=app.py`, a
//! line for each command or of the file, and `-->`.

/// Languages of blocks that are commands.
const COMMANDS: [&str; 2] = ["sh", "console"];
/// Languages of blocks that may be only shown.
const SHOWN: [&str; 6] = ["text", "ini", "yaml", "python", "rust", "json"];

#[derive(Debug, Clone)]
pub(super) struct Block {
    /// The page and the line of the fence, such as `README.md:40`.
    pub place: String,
    /// The lines of its content in the page: from, and up to but without.
    pub lines: (usize, usize),
    pub language: String,
    pub text: String,
    words: Vec<String>,
}

impl Block {
    /// All blocks of a page. Panics on one that says too little of itself.
    pub(super) fn all(page: &str, text: &str) -> Vec<Block> {
        let mut blocks = Vec::new();
        let lines: Vec<_> = text.lines().collect();
        let mut at = 0;
        while at < lines.len() {
            let line = lines[at];
            at += 1;
            let opened = match line.strip_prefix("```") {
                Some(info) => Some((info, "```")),
                None => line.strip_prefix("<!-- ").filter(|it| is_code(it)).map(|it| (it, "-->")),
            };
            assert!(!line.starts_with(' ') || !line.contains("```"), "{page}:{at}: indented");
            let Some((info, end)) = opened else { continue };
            let length = lines[at..].iter().position(|it| *it == end);
            let length = length.unwrap_or_else(|| panic!("{page}:{at}: no {end}"));
            let mut words = info.split_whitespace().map(str::to_owned);
            let language =
                words.next().unwrap_or_else(|| panic!("{page}:{at}: {}", ask("no language")));
            let block = Block {
                place: format!("{page}:{at}"),
                lines: (at, at + length),
                language,
                text: lines[at..at + length].iter().flat_map(|it| [it, "\n"]).collect(),
                words: words.collect(),
            };
            block.check();
            at += length + 1;
            blocks.push(block);
        }
        blocks
    }

    fn check(&self) {
        let Self { place, language, words, .. } = self;
        let known = self.is_command()
            || self.file().is_some()
            || language == "toml"
            || self.skip().is_some()
            || SHOWN.contains(&language.as_str());
        assert!(known, "{place}: {}", ask(&format!("what becomes of a block of {language}?")));
        for word in words {
            let name = word.split('=').next().unwrap();
            let known = ["on", "new", "background", "skip", "parsed", "file"].contains(&name);
            assert!(known, "{place}: {}", ask(&format!("what is {word}?")));
        }
        assert!(language != "console" || self.text.starts_with("$ "), "{place}: no command");
    }

    pub(super) fn is_command(&self) -> bool {
        COMMANDS.contains(&self.language.as_str())
    }

    pub(super) fn has(&self, word: &str) -> bool {
        self.words.iter().any(|it| it == word)
    }

    /// Where its commands are typed.
    pub(super) fn on(&self) -> &str {
        self.value("on").unwrap_or("laptop")
    }

    pub(super) fn file(&self) -> Option<&str> {
        self.value("file")
    }

    /// Why it is not run.
    pub(super) fn skip(&self) -> Option<String> {
        self.value("skip").map(|why| why.replace('-', " "))
    }

    /// The commands of a console, each with the lines that follow it.
    pub(super) fn dialogue(&self) -> Vec<(String, Vec<String>)> {
        let mut dialogue: Vec<(String, Vec<String>)> = Vec::new();
        for line in self.text.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => dialogue.push((command.to_owned(), Vec::new())),
                None => dialogue.last_mut().unwrap().1.push(line.to_owned()),
            }
        }
        dialogue
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }
}

fn ask(question: &str) -> String {
    format!("{question} See the words in tests/e2e/documentation/blocks.rs")
}

/// Whether a comment holds commands or a file, and not words.
fn is_code(comment: &str) -> bool {
    let language = comment.split_whitespace().next().unwrap_or_default();
    !comment.contains("-->") && (COMMANDS.contains(&language) || comment.contains(" file="))
}
