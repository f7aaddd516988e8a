//! Which names a tree may have, and how a name is shown.

use std::fmt::Write;

use thiserror::Error;

/// Names longer than this are cut in messages.
const SHOWN: usize = 120;

/// Why an entry of a tree is not written.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    #[error("its name is empty")]
    Empty,
    #[error("its name refers to another folder")]
    Dots,
    #[error("its name contains a slash")]
    Slash,
    #[error("its name is `.git`, or is equivalent to that on Windows or macOS")]
    DotGit,
    #[error("it is a link, and git does not allow a link with that name")]
    LinkedModules,
}

/// Says whether an entry of this name may be written.
///
/// git refuses the same when it checks out (`verify_path` in its read-cache.c). The spellings that
/// only macOS takes for `.git` are refused here as well: no honest tree has them, and a release can
/// be copied to such a machine.
pub(super) fn check(name: &[u8], is_link: bool) -> Result<(), Refused> {
    match name {
        b"" => Err(Refused::Empty),
        b"." | b".." => Err(Refused::Dots),
        _ if name.contains(&b'/') => Err(Refused::Slash),
        // Every spelling of `.git` starts with one of these bytes; this is all that an ordinary
        // name pays.
        [b'.' | b'g' | b'G' | 0xe2 | 0xef, ..] => {
            if is_dot_git(name) {
                Err(Refused::DotGit)
            } else if is_link && name.eq_ignore_ascii_case(b".gitmodules") {
                Err(Refused::LinkedModules)
            } else {
                Ok(())
            }
        }
        _ => Ok(()),
    }
}

fn is_dot_git(name: &[u8]) -> bool {
    is_dot_git_on_ntfs(name) || is_dot_git_on_hfs(name)
}

/// NTFS ignores spaces and dots at the end of a name and what follows a colon, takes a backslash
/// for a slash, and gives `.git` the short name `git~1`.
fn is_dot_git_on_ntfs(name: &[u8]) -> bool {
    let rest = [b".git".as_slice(), b"git~1".as_slice()].into_iter().find_map(|git| {
        let (start, rest) = name.split_at_checked(git.len())?;
        start.eq_ignore_ascii_case(git).then_some(rest)
    });
    rest.is_some_and(|rest| {
        rest.iter()
            .find(|byte| !matches!(byte, b' ' | b'.'))
            .is_none_or(|byte| matches!(byte, b':' | b'\\'))
    })
}

/// HFS+ ignores some invisible characters anywhere in a name.
fn is_dot_git_on_hfs(name: &[u8]) -> bool {
    let text = String::from_utf8_lossy(name);
    let is_ignored = |c: &char| {
        matches!(c,
            '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{206a}'..='\u{206f}' | '\u{feff}')
    };
    let mut seen = text.chars().filter(|c| !is_ignored(c));
    let is_git =
        ".git".chars().all(|wanted| seen.next().is_some_and(|c| c.eq_ignore_ascii_case(&wanted)));
    is_git && seen.next().is_none()
}

/// A path or name of a tree, for a message: invisible characters and bytes that are not UTF-8 are
/// escaped, and a very long one is cut.
///
/// Names come from whoever pushed. An escape sequence in one must not reach the terminal of
/// somebody else.
pub(crate) fn shown(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len().min(SHOWN) + 2);
    text.push('"');
    for chunk in name.utf8_chunks() {
        text.extend(chunk.valid().chars().flat_map(escaped));
        for byte in chunk.invalid() {
            // Writing to a string does not fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
        if text.len() > SHOWN {
            break;
        }
    }
    if text.len() > SHOWN {
        while text.len() > SHOWN {
            text.pop();
        }
        let _ = write!(text, "…\" ({} bytes)", name.len());
    } else {
        text.push('"');
    }
    text
}

/// Like `char::escape_debug`, which knows what can be seen, but leaves an apostrophe alone.
fn escaped(c: char) -> impl Iterator<Item = char> {
    let plain = (c == '\'').then_some(c);
    let escaped = (c != '\'').then(|| c.escape_debug());
    plain.into_iter().chain(escaped.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_dot_git_is_refused() {
        let spellings: [&[u8]; 14] = [
            b".git",
            b".GIT",
            b".Git",
            b"git~1",
            b"GIT~1",
            b".git ",
            b".git...",
            b".git . .",
            b".git::$INDEX_ALLOCATION",
            b"git~1:x",
            b".git\\config",
            ".g\u{200c}it".as_bytes(),
            "\u{feff}.gIt".as_bytes(),
            ".git\u{206f}".as_bytes(),
        ];
        for name in spellings {
            assert_eq!(check(name, false), Err(Refused::DotGit), "{name:?}");
        }
    }

    #[test]
    fn names_that_only_look_like_dot_git_are_kept() {
        let names: [&[u8]; 9] = [
            b".gitignore",
            b".gitattributes",
            b".github",
            b"git",
            b"git~2",
            b"git~10",
            b".git-x",
            b".giti",
            "\u{200c}git".as_bytes(),
        ];
        for name in names {
            assert_eq!(check(name, false), Ok(()), "{name:?}");
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        assert_eq!(check(b"", false), Err(Refused::Empty));
        assert_eq!(check(b".", false), Err(Refused::Dots));
        assert_eq!(check(b"..", false), Err(Refused::Dots));
        assert_eq!(check(b"a/b", false), Err(Refused::Slash));
        assert_eq!(check(b"/", false), Err(Refused::Slash));
        assert_eq!(check(b"...", false), Ok(()));
    }

    #[test]
    fn gitmodules_may_be_a_file_and_not_a_link() {
        assert_eq!(check(b".gitmodules", false), Ok(()));
        assert_eq!(check(b".gitmodules", true), Err(Refused::LinkedModules));
        assert_eq!(check(b".GitModules", true), Err(Refused::LinkedModules));
    }

    #[test]
    fn what_cannot_be_seen_is_shown_escaped() {
        assert_eq!(shown(b"a\x1b[31m\n"), r#""a\u{1b}[31m\n""#);
        assert_eq!(shown(b"caf\xe9 x"), r#""caf\xe9 x""#);
        assert_eq!(shown("ça's".as_bytes()), "\"ça's\"");
        assert_eq!(shown("a\u{200b}b\u{202e}".as_bytes()), r#""a\u{200b}b\u{202e}""#);
    }

    #[test]
    fn a_very_long_name_is_cut() {
        let text = shown(&[b'x'; 4096]);
        assert!(text.ends_with("…\" (4096 bytes)"), "{text}");
        assert!(text.len() < 160);
        assert!(shown("é".repeat(300).as_bytes()).ends_with("(600 bytes)"));
    }
}
