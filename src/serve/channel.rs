//! Messages between the `nyala serve` of root and that of an owner: a text and open files, over a
//! pair of sockets that nobody else has.

use std::io::{Error, ErrorKind, IoSlice, IoSliceMut, Result};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// How many files a message can have; the kernel allows 253: unix(7).
pub(super) const FILES: usize = 250;

/// The longest text, in bytes.
const TEXT: usize = 64 << 10;

const SPACE: usize = rustix::cmsg_space!(ScmRights(FILES));

/// Both ends.
pub(super) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

pub(super) fn send(channel: &OwnedFd, text: &str, files: &[BorrowedFd<'_>]) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(files));
    }
    let parts = [IoSlice::new(text.as_bytes())];
    sendmsg(channel, &parts, &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The next message. Fails with [`ErrorKind::UnexpectedEof`] when there are no more.
pub(super) fn receive(channel: impl AsFd) -> Result<(String, Vec<OwnedFd>)> {
    let mut text = vec![0; TEXT];
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut text)];
    let received = recvmsg(channel, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes == 0 {
        return Err(Error::from(ErrorKind::UnexpectedEof));
    }
    let files = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    let files = files.flatten().collect();
    text.truncate(received.bytes);
    Ok((String::from_utf8_lossy(&text).into_owned(), files))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_a_text_and_files() {
        let (one, other) = pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        send(&one, "A=1\n", &[file.as_fd(), file.as_fd()]).unwrap();
        send(&one, "B=2\n", &[]).unwrap();
        let (text, files) = receive(&other).unwrap();
        assert_eq!((text.as_str(), files.len()), ("A=1\n", 2));
        let (text, files) = receive(&other).unwrap();
        assert_eq!((text.as_str(), files.len()), ("B=2\n", 0));
        drop(one);
        assert_eq!(receive(&other).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
