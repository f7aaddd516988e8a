//! Decompresses zstd. What podman and buildah write has many frames, and some without data.
//! See <https://www.rfc-editor.org/rfc/rfc8878#name-frames>.

use std::io::{self, BufRead, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// What all frames of a stream have in them, one after another.
pub(super) struct Frames<R> {
    from: R,
    decoder: FrameDecoder,
    is_in_frame: bool,
}

/// Whether bytes are the start of a frame, with data or without.
pub(super) fn is_zstd(start: &[u8]) -> bool {
    start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        || matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(from: R) -> Frames<R> {
        Frames { from, decoder: FrameDecoder::new(), is_in_frame: false }
    }

    /// Goes to the next frame with data; `Ok(false)` at the end.
    fn begin(&mut self) -> io::Result<bool> {
        use FrameDecoderError::ReadFrameHeaderError as InHeader;
        while !self.from.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.from) {
                Ok(()) => return Ok(true),
                Err(InHeader(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let length = u64::from(length);
                    let skipped = io::copy(&mut self.from.by_ref().take(length), &mut io::sink())?;
                    if skipped < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_in_frame && !self.begin()? {
                return Ok(0);
            }
            self.is_in_frame = true;
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.from, one).map_err(io::Error::other)?;
            }
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(to);
            }
            self.is_in_frame = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn frame(data: &[u8]) -> Vec<u8> {
        compress_to_vec(data, CompressionLevel::Fastest)
    }

    fn read(stream: &[u8]) -> io::Result<Vec<u8>> {
        let mut read = Vec::new();
        Frames::new(stream).read_to_end(&mut read).map(|_| read)
    }

    #[test]
    fn all_frames_are_read() {
        let large: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let skipped = [&[0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0], b"abc".as_slice()].concat();
        let (first, empty, last) = (frame(&large), frame(b""), frame(b"last"));
        let all = [&skipped, &first, &empty, &skipped, &last, &skipped].map(Vec::as_slice).concat();
        assert!(read(&all).unwrap() == [&large, b"last".as_slice()].concat());
        assert_eq!(read(b"").unwrap(), b"");
        assert!(is_zstd(&first) && is_zstd(&skipped) && !is_zstd(b"\x1f\x8b"));
        for cut in [all.len() - 1, first.len(), skipped.len() + 2, 3] {
            assert!(read(&all[..cut]).is_err(), "{cut}");
        }
        assert!(read(&[&first, b"rubbish".as_slice()].concat()).is_err());
    }
}
