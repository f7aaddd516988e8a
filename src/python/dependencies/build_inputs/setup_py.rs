//! Whether a `setup.py` is a declaration: one that calls `setup()` with plain values, and reads at
//! most files that it names in its own folder.
//!
//! Everything else is code, and what code reads is not known before it runs.

/// What may be called.
const FUNCTIONS: [&str; 9] = [
    "setup",
    "find_packages",
    "find_namespace_packages",
    "Extension",
    "open",
    "dict",
    "list",
    "tuple",
    "str",
];
/// What may follow a dot.
const METHODS: [&str; 7] = ["read", "readlines", "strip", "rstrip", "split", "splitlines", "close"];
const MODULES: [&str; 3] = ["setuptools", "distutils", "core"];
/// Words that are code, or that bring other code into the build.
const REFUSED: [&str; 14] = [
    "async",
    "await",
    "class",
    "cmdclass",
    "def",
    "del",
    "distclass",
    "exec",
    "global",
    "lambda",
    "nonlocal",
    "setup_requires",
    "yield",
    "nonlocals",
];

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a str),
    Text(&'a str),
    Sign(char),
    LineEnd,
}

pub(super) fn does_nothing_but_setup(text: &str) -> bool {
    let Some(tokens) = tokens(text) else { return false };
    let mut imports = false;
    tokens.iter().enumerate().all(|(at, token)| {
        let before = at.checked_sub(1).map(|at| &tokens[at]);
        let after = tokens.get(at + 1);
        match token {
            Token::LineEnd => {
                imports = false;
                true
            }
            Token::Name("import" | "from") => {
                imports = true;
                true
            }
            Token::Name(name) if imports => MODULES.contains(name) || FUNCTIONS[..4].contains(name),
            Token::Name(name) => {
                let is_called = after == Some(&Token::Sign('('));
                let is_attribute = before == Some(&Token::Sign('.'));
                let opens_a_name = *name != "open"
                    || is_called
                        && matches!(tokens.get(at + 2), Some(Token::Text(_)))
                        && matches!(tokens.get(at + 3), Some(Token::Sign(',' | ')')));
                !REFUSED.contains(name)
                    && (!name.starts_with("__") || *name == "__name__")
                    && (!is_called
                        || if is_attribute {
                            METHODS.contains(name) || FUNCTIONS[..4].contains(name)
                        } else {
                            FUNCTIONS.contains(name) || is_keyword(name)
                        })
                    && opens_a_name
            }
            Token::Text(text) => {
                // `"." + "./deps.txt"` is a path that leads up, too.
                let stands_alone = matches!(
                    after,
                    Some(Token::Sign(',' | ')' | ']' | '}' | ':' | ';') | Token::LineEnd) | None
                );
                !text.contains("..")
                    && !text.starts_with(['/', '~'])
                    && (stands_alone || !text.ends_with('.'))
            }
            // A decorator, or an assignment to what is called.
            Token::Sign(sign) => {
                *sign != '@'
                    && !(*sign == '='
                        && matches!(before, Some(Token::Name(name)) if FUNCTIONS.contains(name)))
            }
        }
    })
}

fn is_keyword(name: &str) -> bool {
    matches!(name, "and" | "if" | "in" | "not" | "or" | "return" | "with" | "print")
}

/// The tokens of a Python text; `None` for what is not looked into: escapes, f-strings, and what
/// does not end.
fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut depth = 0_usize;
    while let Some(first) = rest.chars().next() {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        if first == '#' {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if first == '\n' {
            if depth == 0 {
                tokens.push(Token::LineEnd);
            }
            rest = &rest[1..];
        } else if first.is_whitespace() {
            rest = &rest[first.len_utf8()..];
        } else if first == '"' || first == '\'' {
            let (text, after) = string(rest, first)?;
            tokens.push(Token::Text(text));
            rest = after;
        } else if is_name(first) {
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            if after.starts_with(['"', '\'']) {
                // A prefix: `f` computes, `b` is no path.
                if !matches!(name, "r" | "R" | "u" | "U" | "b" | "B") {
                    return None;
                }
            } else {
                tokens.push(Token::Name(name));
            }
            rest = after;
        } else if first == '\\' {
            rest = rest.strip_prefix("\\\n")?;
        } else {
            match first {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            tokens.push(Token::Sign(first));
            rest = &rest[first.len_utf8()..];
        }
    }
    Some(tokens)
}

/// The content of the string that `text` begins with, and what follows it.
fn string(text: &str, quote: char) -> Option<(&str, &str)> {
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    let mark = if text.starts_with(&triple) { triple.as_str() } else { &text[..1] };
    let from = &text[mark.len()..];
    let end = from.find(mark)?;
    let content = &from[..end];
    let is_plain = !content.contains('\\') && (mark.len() == 3 || !content.contains('\n'));
    is_plain.then(|| (content, &from[end + mark.len()..]))
}
