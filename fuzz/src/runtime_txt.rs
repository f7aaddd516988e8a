//! runtime.txt: one line, `python-X.Y` or `python-X.Y.Z`.

use nyala::python::version::{Version, Wanted};
use nyala::python::version_files;

use super::text::{LONGEST, assert_fit_to_be_shown, number, with_bom, with_crlf};

pub fn check(data: &[u8]) {
    let read = version_files::runtime_txt(data);
    assert_eq!(read.as_ref().ok(), by_the_grammar(data).as_ref());
    for same in
        [with_crlf(data), with_bom(data)].into_iter().flatten().filter(|same| same.len() <= LARGEST)
    {
        assert_eq!(version_files::runtime_txt(&same).ok().as_ref(), read.as_ref().ok());
    }
    match read {
        Ok(wanted) => assert_eq!(
            version_files::runtime_txt(format!("python-{wanted}").as_bytes()),
            Ok(wanted)
        ),
        Err(error) => assert_fit_to_be_shown(&error.to_string(), LONGEST),
    }
}

/// The largest runtime.txt that is read.
const LARGEST: usize = 64 * 1024;

/// What the documentation says, as short as it can be said.
fn by_the_grammar(data: &[u8]) -> Option<Wanted> {
    let text = std::str::from_utf8(data).ok().filter(|_| data.len() <= LARGEST)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line).trim_matches([' ', '\t']));
    let lines: Vec<&str> =
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let [line] = lines[..] else { return None };
    let (prefix, version) = line.split_at_checked("python-".len())?;
    if !prefix.eq_ignore_ascii_case("python-") {
        return None;
    }
    match version.split('.').map(number).collect::<Option<Vec<_>>>()?[..] {
        [major, minor] => Some(Wanted::Minor { major, minor }),
        [major, minor, patch] => Some(Wanted::Exact(Version::new(major, minor, patch))),
        _ => None,
    }
}
