//! Makes inputs from others, as a fuzzer does, but always the same ones.

use fastrand::Rng;

/// No input gets longer than this, in bytes.
const LONGEST: usize = 4096;

/// Makes inputs from a corpus and the words of a dictionary.
pub(crate) struct Mutator<'a> {
    corpus: &'a [Vec<u8>],
    words: Vec<Vec<u8>>,
    random: Rng,
}

impl<'a> Mutator<'a> {
    pub(crate) fn new(corpus: &'a [Vec<u8>], mut words: Vec<Vec<u8>>) -> Mutator<'a> {
        words.extend(
            ["\n", "\r\n", "\0", " ", "#", "\u{feff}", "é", "\u{202e}", "\u{1b}[2J"].map(Vec::from),
        );
        words.push(vec![0xff]);
        Mutator { corpus, words, random: Rng::with_seed(20) }
    }

    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut input = self.one_of_the_corpus();
        for _ in 0..self.random.usize(1..6) {
            self.change(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn one_of_the_corpus(&mut self) -> Vec<u8> {
        self.corpus[self.random.usize(..self.corpus.len())].clone()
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.random.usize(..=input.len());
        let to = self.random.usize(at..=input.len().min(at + 16));
        let range = at..to;
        match self.random.u8(..7) {
            0 => drop(input.drain(range)),
            1 => input[range].iter_mut().for_each(|byte| *byte ^= 1 << self.random.u8(..8)),
            2 => drop(input.splice(range, [self.random.u8(..)])),
            3 => {
                let again = input[range].to_vec();
                input.splice(at..at, again);
            }
            4 => {
                let other = self.one_of_the_corpus();
                input.splice(range, other[self.random.usize(..=other.len())..].iter().copied());
            }
            _ => {
                let word = &self.words[self.random.usize(..self.words.len())];
                input.splice(range, word.iter().copied());
            }
        }
    }
}

/// The words of a dictionary as libFuzzer has it: one in quotes a line, with `\\`, `\"` and `\xAB`.
pub(crate) fn words(dictionary: &str) -> Vec<Vec<u8>> {
    let quoted = dictionary.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    quoted.map(unescaped).collect()
}

fn unescaped(quoted: &str) -> Vec<u8> {
    let mut word = Vec::new();
    let mut rest = quoted.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let (value, after) = match (byte, after) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let hex = [*high, *low];
                (u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap(), after)
            }
            (b'\\', [escaped, after @ ..]) => (*escaped, after),
            _ => (*byte, after),
        };
        word.push(value);
        rest = after;
    }
    word
}
