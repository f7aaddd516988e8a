//! nyala deploys a Python site when somebody runs `git push`.
//!
//! Each room has one job, and uses only rooms below it. `ARCHITECTURE.md` lists them, and a test
//! compares it with the code.
//!
//! This is no API: the modules are public only for the binary, the tests, the benchmarks and the
//! fuzzer, hidden from the documentation, and may change in any release.

#![cfg_attr(
    test,
    allow(clippy::disallowed_macros, reason = "the harness of the tests reads what they print"),
    allow(clippy::disallowed_methods, reason = "tests may change the disk as they like")
)]

#[doc(hidden)]
pub mod access;
#[doc(hidden)]
pub mod activate;
#[doc(hidden)]
pub mod build;
#[doc(hidden)]
pub mod certificates;
#[doc(hidden)]
pub mod checkout;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod console;
#[doc(hidden)]
pub mod control;
#[doc(hidden)]
pub mod disk;
#[doc(hidden)]
pub mod doctor;
#[doc(hidden)]
pub mod elf;
#[doc(hidden)]
pub mod format;
#[doc(hidden)]
pub mod front;
#[doc(hidden)]
pub mod git;
#[doc(hidden)]
pub mod hex;
#[doc(hidden)]
pub mod ids;
#[doc(hidden)]
pub mod image;
#[doc(hidden)]
pub mod kubernetes;
#[doc(hidden)]
pub mod lfs;
#[doc(hidden)]
pub mod notify;
#[doc(hidden)]
pub mod plan;
#[doc(hidden)]
pub mod process;
#[doc(hidden)]
pub mod processes;
#[doc(hidden)]
pub mod python;
#[doc(hidden)]
pub mod receive;
#[doc(hidden)]
pub mod registry;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod retention;
#[doc(hidden)]
pub mod serve;
#[doc(hidden)]
pub mod server;
#[doc(hidden)]
pub mod service;
#[doc(hidden)]
pub mod settings;
#[doc(hidden)]
pub mod setup;
#[doc(hidden)]
pub mod shared;
#[doc(hidden)]
pub mod site;
#[doc(hidden)]
pub mod staging;
#[doc(hidden)]
pub mod submodules;
#[doc(hidden)]
pub mod text;
#[doc(hidden)]
pub mod user_error;
#[doc(hidden)]
pub mod worker;
