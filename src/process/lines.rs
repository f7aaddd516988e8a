//! Splits a child's output into lines.

use std::borrow::Cow;
use std::sync::Arc;

use crate::console::Mask;
use crate::text;

/// A longer line is passed on in pieces of about this many bytes.
const LONGEST: usize = 64 << 10;

/// Turns bytes into whole lines, in constant memory.
pub(super) struct Lines {
    mask: Arc<Mask>,
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
    /// Whether the first word of a line stays, whatever overwrites the rest.
    is_stamped: bool,
}

impl Lines {
    pub(super) fn new(mask: Arc<Mask>) -> Self {
        Self { mask, begun: Vec::new(), is_stamped: false }
    }

    /// Of a log that puts a time before each line.
    pub(super) fn stamped(mask: Arc<Mask>) -> Self {
        Self { is_stamped: true, ..Self::new(mask) }
    }

    /// More may have become a secret meanwhile.
    pub(super) fn mask_by(&mut self, mask: Arc<Mask>) {
        self.mask = mask;
    }

    /// Passes on the lines that end in these bytes. Returns whether there were any.
    pub(super) fn push(&mut self, bytes: &[u8], on_line: &mut dyn FnMut(&str)) -> bool {
        let mut rest = bytes;
        let mut any = false;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            any = true;
            if self.begun.is_empty() && line.len() <= LONGEST {
                on_line(&self.shown(line));
            } else {
                self.begin(line, on_line);
                on_line(&self.shown(&self.begun));
                self.begun.clear();
            }
        }
        any | self.begin(rest, on_line)
    }

    /// Passes on a last line that has no end.
    pub(super) fn finish(&mut self, on_line: &mut dyn FnMut(&str)) {
        if !self.begun.is_empty() {
            on_line(&self.shown(&self.begun));
            self.begun.clear();
        }
    }

    /// Adds to the line that has begun. Passes on pieces of one that is too long; returns whether
    /// it did.
    fn begin(&mut self, bytes: &[u8], on_line: &mut dyn FnMut(&str)) -> bool {
        // Whether a cut would go through a secret depends on the bytes after it.
        let enough = LONGEST + self.mask.reach();
        let mut any = false;
        for part in bytes.chunks(LONGEST) {
            self.begun.extend_from_slice(part);
            while self.begun.len() > enough {
                if self.forget_what_was_rewritten() {
                    continue;
                }
                let at = character_boundary(&self.begun, LONGEST);
                let at = self.mask.safe_cut(&self.begun, at);
                on_line(&self.shown(&self.begun[..at]));
                self.begun.drain(..at);
                any = true;
            }
        }
        any
    }

    /// A line as a terminal shows it. A secret is masked before its beginning is overwritten: its
    /// end alone would not be recognized.
    fn shown<'b>(&self, line: &'b [u8]) -> Cow<'b, str> {
        if memchr::memchr3(b'\r', b'\x08', b'\x1b', line).is_none() {
            return text::clean_bytes(line);
        }
        let line = String::from_utf8_lossy(line);
        let line = self.mask.apply(&line);
        let own = if self.is_stamped { line.find(' ').map_or(0, |at| at + 1) } else { 0 };
        let (stamp, own) = line.split_at(own);
        Cow::Owned([text::clean(stamp), text::clean(own)].concat())
    }

    /// Drops what a progress line has overwritten. Returns whether there was anything to drop.
    fn forget_what_was_rewritten(&mut self) -> bool {
        let inside = &self.begun[..self.begun.len() - 1];
        match memchr::memrchr(b'\r', inside) {
            Some(at) => {
                self.begun.drain(..=at);
                true
            }
            None => false,
        }
    }
}

/// The last boundary of a UTF-8 character at or before `at`.
fn character_boundary(bytes: &[u8], at: usize) -> usize {
    (at.saturating_sub(3)..=at).rev().find(|place| bytes[*place] & 0xc0 != 0x80).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(mask: &Arc<Mask>, chunks: &[&[u8]]) -> Vec<String> {
        let mut seen = Vec::new();
        let mut lines = Lines::new(Arc::clone(mask));
        for chunk in chunks {
            lines.push(chunk, &mut |line| seen.push(line.to_owned()));
        }
        lines.finish(&mut |line| seen.push(line.to_owned()));
        seen
    }

    fn plain(chunks: &[&[u8]]) -> Vec<String> {
        lines(&Arc::default(), chunks)
    }

    #[test]
    fn lines_are_whole_however_the_bytes_are_split() {
        let expected = ["one", "", "trois é", "end"];
        let bytes = "one\r\n\ntrois é\nend".as_bytes();
        assert_eq!(plain(&[bytes]), expected);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(plain(&single), expected);
    }

    #[test]
    fn a_long_line_is_split_between_characters() {
        let long = "aé€𝄞".repeat(60_000);
        for size in [1000, 65_536, long.len()] {
            let chunks: Vec<&[u8]> = long.as_bytes().chunks(size).collect();
            let pieces = plain(&chunks);
            assert!(pieces.len() > 5);
            assert!(pieces.iter().all(|piece| piece.len() <= LONGEST + 4096));
            assert!(pieces.concat() == long);
        }
    }

    #[test]
    fn an_endless_progress_line_takes_little_memory() {
        let mut lines = Lines::new(Arc::default());
        let mut seen = Vec::new();
        for percent in 0..100_000 {
            lines.push(format!("\r{percent} done").as_bytes(), &mut |line| {
                seen.push(line.to_owned());
            });
            assert!(lines.begun.len() < 2 * LONGEST);
        }
        lines.push(b"\n", &mut |line| seen.push(line.to_owned()));
        assert_eq!(seen, ["99999 done"]);
    }

    #[test]
    fn no_secret_is_split_wherever_it_is() {
        let mask = Arc::new(Mask::new(["0123456789abcdef"]));
        for before in (LONGEST - 40..LONGEST + 40).chain(2 * LONGEST - 20..2 * LONGEST + 20) {
            let text = format!("{}0123456789abcdef{}", "x".repeat(before), "y".repeat(LONGEST));
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(8192).collect();
            let pieces = lines(&mask, &chunks);
            let masked: String = pieces.iter().map(|piece| mask.apply(piece)).collect();
            assert!(masked.contains("x****y"), "{before}");
        }
    }

    #[test]
    fn credentials_in_a_url_are_never_split() {
        let mask = Arc::default();
        for before in LONGEST - 40..LONGEST + 10 {
            let text =
                format!("{} https://me:geheim@host/{}", "x".repeat(before), "y".repeat(LONGEST));
            let masked: String =
                lines(&mask, &[text.as_bytes()]).iter().map(|piece| mask.apply(piece)).collect();
            assert!(!masked.contains("geh") && !masked.contains("eim"), "{before}");
        }
    }

    #[test]
    fn an_overwritten_secret_leaves_no_rest() {
        let mask = Arc::new(Mask::new(["0123456789abcdef"]));
        assert_eq!(lines(&mask, &[b"key 0123456789abcdef\rover\n"]), ["over****"]);
        assert_eq!(lines(&mask, &[b"0123456789abcdef\x08\x08!!\n"]), ["**!!"]);
    }

    #[test]
    fn a_line_that_is_overwritten_keeps_its_time() {
        let mut seen = Vec::new();
        let mut lines = Lines::stamped(Arc::default());
        lines.push(b"12:30 10 %\r20 %\n12:31 a b\n", &mut |line| seen.push(line.to_owned()));
        assert_eq!(seen, ["12:30 20 %", "12:31 a b"]);
    }

    #[test]
    fn control_characters_are_made_harmless() {
        assert_eq!(plain(&[b"\xff\xfe\0\x1b[2J\x1b]0;x\x07ok\n"]), ["\u{fffd}\u{fffd}\\u{0}ok"]);
    }
}
