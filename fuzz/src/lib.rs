//! What has to hold for any bytes that nyala reads: one `check` for each kind of them, which panics
//! when it does not hold.
//!
//! The fuzzer calls them (`targets/`), and so does an ordinary test with the corpus (`tests/fuzz`
//! of the main crate).

pub mod deployment_file;
pub mod locks;
pub mod log;
pub mod nyala_toml;
pub mod proc_receive;
pub mod pyproject;
pub mod python_version;
pub mod records;
pub mod refs;
pub mod requirements;
pub mod runtime_txt;
pub mod settings_env;
pub mod text;
mod tree;

pub use locks::{pdm_lock, pipfile_lock, poetry_lock, pylock, uv_lock};

/// One kind of input. Its corpus is `corpus/NAME`, its dictionary `dictionaries/NAME.dict`.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub name: &'static str,
    pub check: fn(&[u8]),
}

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        pub const TARGETS: &[Target] =
            &[$(Target { name: stringify!($name), check: $name::check }),*];
    };
}

targets! {
    deployment_file,
    log,
    nyala_toml,
    pdm_lock,
    pipfile_lock,
    poetry_lock,
    proc_receive,
    pylock,
    pyproject,
    python_version,
    records,
    refs,
    requirements,
    runtime_txt,
    settings_env,
    uv_lock,
}
