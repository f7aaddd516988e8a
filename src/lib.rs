//! nyala deploys a Python site when somebody runs `git push`.
//!
//! Each room has one job, and uses only rooms below it. `ARCHITECTURE.md` lists them, and a test
//! compares it with the code.

#![cfg_attr(
    test,
    allow(clippy::disallowed_macros, reason = "the harness of the tests reads what they print"),
    allow(clippy::disallowed_methods, reason = "tests may change the disk as they like")
)]

pub mod access;
pub mod activate;
pub mod build;
pub mod checkout;
pub mod cli;
pub mod console;
pub mod disk;
pub mod doctor;
pub mod git;
pub mod hex;
pub mod ids;
pub mod lfs;
pub mod notify;
pub mod plan;
pub mod process;
pub mod python;
pub mod receive;
pub mod retention;
pub mod server;
pub mod settings;
pub mod setup;
pub mod shared;
pub mod site;
pub mod staging;
pub mod submodules;
pub mod text;
pub mod user_error;
pub mod worker;
