//! The test harness: a sandbox with a real git, real interpreters and real wheels, in which a test
//! is a few lines.

mod count;
mod ends;
mod faults;
mod ftp;
mod gate;
mod http;
mod index;
mod machine;
mod manager;
mod mounts;
mod precious;
pub(crate) mod private_index;
mod project;
mod push;
mod registry;
mod running;
mod sandbox;
pub(crate) mod seeds;
mod site;
mod snapshot;
mod ssh;
mod strace;
mod users;
mod visitor;
mod web_server;
pub(crate) mod wheels;

pub(crate) use count::count;
pub(crate) use ends::Ends;
pub(crate) use faults::{Point, every_point, faulty_nyala, points, worth_dying_at};
pub(crate) use ftp::FtpServer;
pub(crate) use gate::Gate;
pub(crate) use http::WebServer;
pub(crate) use index::use_real_index;
pub(crate) use machine::{
    find_uv, git_can, has_git_lfs, is_root, newest_python, python_2, pythons, runs_program,
    setuptools, skip, tools_folder, two_pythons, uv,
};
pub(crate) use manager::Manager;
pub(crate) use mounts::Mounts;
pub(crate) use precious::Precious;
pub(crate) use private_index::PrivateIndex;
pub(crate) use project::Project;
pub(crate) use push::{Push, RunningPush};
pub(crate) use registry::{DockerRegistry, Fault, HostileRegistry, digest_of};
pub(crate) use running::{Ran, Running, runs, wait_until};
pub(crate) use sandbox::Sandbox;
pub(crate) use site::Site;
pub(crate) use snapshot::{
    Snapshot, snapshot, snapshot_at_rest, snapshot_without, wait_until_quiet,
};
pub(crate) use ssh::SshServer;
pub(crate) use strace::{Call, traced_nyala, traced_push};
pub(crate) use users::{Group, User};
pub(crate) use visitor::{Answer, KeptVisitor, Server};
pub(crate) use web_server::{Front, program};
pub(crate) use wheels::{write_uv_wheel, write_wheel};
