//! What git asks a proc-receive hook, in pkt-lines, and what it is answered.

use nyala::receive::wire::{Answer, Request, answer, read};

use super::refs::assert_is_an_update;
use super::text::{LONGEST, assert_fit_to_be_shown};

pub fn check(data: &[u8]) {
    of_packets(data);
    of_packets(&packets(data));
}

/// The lines of a text as pkt-lines; an empty one ends a section. A fuzzer finds this out by itself
/// only in hours.
fn packets(text: &[u8]) -> Vec<u8> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| line.len() <= LARGEST);
    lines.flat_map(|line| if line.is_empty() { b"0000".to_vec() } else { packet(line) }).collect()
}

/// The most bytes in a pkt-line (gitprotocol-common(5)).
const LARGEST: usize = 65_516;

fn packet(line: &[u8]) -> Vec<u8> {
    [format!("{:04x}", line.len() + 4).as_bytes(), line].concat()
}

fn of_packets(data: &[u8]) {
    let mut rest = data;
    let mut greeting = Vec::new();
    let request = match read(&mut rest, &mut greeting) {
        Ok(request) => request,
        Err(error) => return assert_fit_to_be_shown(&format!("{error:#}"), LONGEST),
    };
    // To take half of what git asks for the whole would be to move some of the refs of an atomic
    // push.
    let taken = data.len() - rest.len();
    for missing in 1..=taken.min(200) {
        assert!(read(&data[..taken - missing], Vec::new()).is_err(), "{missing} bytes are missing");
    }

    let greeting = lines(&greeting);
    assert!(
        [[b"version=1".as_slice()].as_slice(), &[b"version=1\0push-options"]]
            .contains(&greeting.as_slice())
    );
    let Request { atomic: _, updates, names, options } = &request;
    assert_eq!(updates.len(), names.len());
    assert!(options.is_empty() || greeting[0].ends_with(b"push-options"));
    for (update, name) in updates.iter().zip(names) {
        assert_is_an_update(update);
        assert_eq!(update.refname.as_str(), String::from_utf8_lossy(name));
    }
    let reason = String::from_utf8_lossy(data);
    for one in [Answer::Moved, Answer::LeftToGit, Answer::Refused(reason.into_owned())] {
        let answers = vec![one.clone(); names.len()];
        assert_is_an_answer(&request, &one, &answers);
    }
}

fn assert_is_an_answer(request: &Request, one: &Answer, answers: &[Answer]) {
    let mut written = Vec::new();
    let fits = request.names.iter().all(|name| name.len() + 2048 < LARGEST);
    match answer(&mut written, &request.names, answers) {
        Ok(()) => {}
        Err(error) if fits => panic!("{error:#}"),
        Err(_) => return,
    }
    let mut lines = lines(&written).into_iter();
    for name in &request.names {
        let line = lines.next().expect("each ref has an answer");
        let (word, rest) = line.split_at(3);
        let rest = rest.strip_prefix(name.as_slice()).expect("the answer is for that ref");
        match one {
            Answer::Moved => assert_eq!((word, rest), (b"ok ".as_slice(), b"".as_slice())),
            Answer::LeftToGit => {
                assert_eq!((word, rest), (b"ok ".as_slice(), b"".as_slice()));
                assert_eq!(lines.next(), Some(b"option fall-through".as_slice()));
            }
            Answer::Refused(_) => {
                assert_eq!(word, b"ng ");
                let reason = rest.strip_prefix(b" ").expect("a reason follows");
                let reason = std::str::from_utf8(reason).expect("it is text");
                assert_fit_to_be_shown(reason, 2048);
                assert!(!reason.contains('\n'));
            }
        }
    }
    assert_eq!(lines.next(), None);
}

/// The pkt-lines of one section, by the definition of the format. Fails when anything is behind its
/// end.
fn lines(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    loop {
        let (length, rest) = bytes.split_at(4);
        let length = usize::from_str_radix(std::str::from_utf8(length).expect("a length"), 16)
            .expect("a length");
        if length == 0 {
            assert!(rest.is_empty());
            return lines;
        }
        let (line, rest) = rest.split_at(length - 4);
        lines.push(line);
        bytes = rest;
    }
}
