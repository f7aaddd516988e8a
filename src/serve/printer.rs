//! What `nyala serve` prints, for a terminal or a journal.

use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crate::console;

/// How many lines may wait to be printed. More are dropped: whoever reads them must not keep a
/// visitor waiting, and the files have them.
const WAITING: usize = 10_000;

/// Prints a line, later if need be.
pub(super) fn print(line: String) {
    static PRINTER: OnceLock<SyncSender<String>> = OnceLock::new();
    let printer = PRINTER.get_or_init(|| {
        let (sender, receiver) = sync_channel::<String>(WAITING);
        thread::spawn(move || {
            for line in receiver {
                console::say(line);
            }
        });
        sender
    });
    let _ = printer.try_send(line);
}
