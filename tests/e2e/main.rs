//! End-to-end tests: the real binary, run by the real git, creates real environments with real
//! interpreters and real wheels.
//!
//! This is one test binary, so that it is linked only once. A test's name is the behaviour, and
//! `support` keeps it to a few lines.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is all that is asked"
)]
#![allow(clippy::disallowed_methods, reason = "tests may change the disk as they like")]
#![allow(clippy::disallowed_macros, reason = "the harness of the tests reads what they print")]

mod support;

mod abuse;
mod access;
mod acting;
mod advice;
mod bad_input;
mod causes;
mod clients;
mod commands;
mod control;
mod crowds;
mod declarations;
mod deployment_file;
mod disk_full;
mod django;
mod doctor;
mod documentation;
mod downloads;
mod ending;
mod endless_logs;
mod envs;
mod faults;
mod fronts;
mod hard_clients;
mod held;
mod history;
mod hostile;
mod images;
mod index;
mod inputs;
mod install_script;
mod isolation;
mod kubernetes;
mod large;
mod lfs;
mod limits;
mod locks;
mod monorepos;
mod notes;
mod nothing_twice;
mod notify;
mod own_scripts;
mod packages;
mod processes;
mod prune;
mod push_options;
mod pythons;
mod queue;
mod rebuild;
mod records;
mod refs;
mod releases;
mod report;
mod repositories;
mod requests;
mod requirements;
mod rollback;
mod running;
mod scripts;
mod secrets;
mod service;
mod serving;
mod settings;
mod shared;
mod shell;
mod sites;
mod ssh;
mod staging;
mod strict;
mod submodules;
mod trees;
mod unshared;
mod upgrade;
mod uv;
mod visits;
mod wait;
mod watch;
mod within;
