//! The test harness: a sandbox with a real git, real interpreters and real wheels, in which a test
//! is a few lines.

mod count;
mod faults;
mod ftp;
mod gate;
mod http;
mod index;
mod machine;
mod mounts;
mod precious;
mod project;
mod push;
mod running;
mod sandbox;
mod seeds;
mod site;
mod snapshot;
mod ssh;
mod strace;
mod users;
pub mod wheels;

pub use count::count;
pub use faults::{Point, every_point, faulty_nyala, points, worth_dying_at};
pub use ftp::FtpServer;
pub use gate::Gate;
pub use http::WebServer;
pub use index::use_real_index;
pub use machine::{
    git_can, has_git_lfs, is_root, newest_python, python_2, pythons, skip, tools_folder,
    two_pythons, uv,
};
pub use mounts::Mounts;
pub use precious::Precious;
pub use project::Project;
pub use push::{Push, RunningPush};
pub use running::{Ran, Running, runs, wait_until};
pub use sandbox::Sandbox;
pub use site::Site;
pub use snapshot::{Snapshot, snapshot, snapshot_without};
pub use ssh::SshServer;
pub use strace::{Call, traced_nyala, traced_push};
pub use users::{Group, User};
pub use wheels::write_wheel;
