//! Another user, and becoming that user.

use std::env;
use std::ffi::{CStr, CString, OsStr};
use std::io::{Error, Result};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, Mode, access};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities,
};

/// What another user gets of the environment of whoever calls: what is about the machine and the
/// terminal. As with sudo(8), everything else is dropped: a session may hold secrets, and what the
/// project of the other user runs would see and log them.
const KEPT: [&str; 21] = [
    "ALL_PROXY",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLORTERM",
    "COLUMNS",
    "FTP_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LANGUAGE",
    "LINES",
    "NO_COLOR",
    "NO_PROXY",
    "PATH",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TERM",
    "TMPDIR",
    "TZ",
];

/// How the names of further ones begin. git speaks to its hooks in its own.
const KEPT_PREFIXES: [&[u8]; 3] = [b"GIT_", b"LC_", b"NYALA_"];

fn is_kept(name: &OsStr) -> bool {
    KEPT.iter().any(|it| name.eq_ignore_ascii_case(it))
        || KEPT_PREFIXES.iter().any(|it| name.as_bytes().starts_with(it))
}

#[derive(Debug)]
pub(super) struct User {
    /// `#1005` for one that has no name, as sudo has it.
    pub(super) name: String,
    uid: u32,
    gid: u32,
    home: PathBuf,
}

impl User {
    /// The user with this id. One that the machine does not know has the given group, and a home
    /// where it can do no harm.
    pub(super) fn with_id(uid: u32, gid: u32, home: &Path) -> User {
        known(uid).unwrap_or_else(|| User {
            name: format!("#{uid}"),
            uid,
            gid,
            home: home.to_owned(),
        })
    }

    /// The name of the user with this id, if the machine knows it.
    pub(super) fn name_of(uid: u32) -> Option<String> {
        known(uid).map(|user| user.name)
    }

    /// Makes this process, which is root's, one of this user: for good, with the user's groups and
    /// without any capability. Where the working directory is closed to the user, it becomes
    /// `folder`.
    pub(super) fn become_it(&self, folder: &Path) -> Result<()> {
        clear_ambient_capability_set()?;
        let name = CString::new(self.name.as_str())?;
        let check = |result: i32| if result == 0 { Ok(()) } else { Err(Error::last_os_error()) };
        // SAFETY: the name is a valid string for the call, the list of groups has one entry, and
        // all of these only change the credentials of this process.
        #[expect(unsafe_code, reason = "the standard library cannot change the user of a process")]
        unsafe {
            check(if self.name.starts_with('#') {
                libc::setgroups(1, &raw const self.gid)
            } else {
                libc::initgroups(name.as_ptr(), self.gid)
            })?;
            check(libc::setresgid(self.gid, self.gid, self.gid))?;
            check(libc::setresuid(self.uid, self.uid, self.uid))?;
        }
        let none = CapabilitySet::empty();
        set_capabilities(
            None,
            CapabilitySets { effective: none, permitted: none, inheritable: none },
        )?;
        // SAFETY: it only asks for a change of the credentials of this process.
        #[expect(unsafe_code, reason = "the standard library cannot change the user of a process")]
        let came_back = unsafe { libc::setresuid(0, 0, 0) } == 0;
        if came_back {
            return Err(Error::other("the way back to root is still open"));
        }
        rustix::process::umask(Mode::from_raw_mode(0o022));
        self.take_environment();
        if access(".", Access::READ_OK | Access::EXEC_OK).is_err() {
            env::set_current_dir(folder)?;
        }
        Ok(())
    }

    /// The environment that a login of this user would have, in what is about the user.
    fn take_environment(&self) {
        let old_home = env::var_os("HOME").map(PathBuf::from).filter(|it| it.parent().is_some());
        let is_closed = |folder: &Path| access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err();
        let gone: Vec<_> = env::vars_os()
            .filter(|(name, value)| {
                let path = Path::new(value);
                let is_of_home = old_home.as_deref().is_some_and(|home| path.starts_with(home));
                !is_kept(name)
                    || is_of_home && !name.as_bytes().starts_with(b"GIT_")
                    || name == "TMPDIR" && is_closed(path)
            })
            .map(|(name, _)| name)
            .collect();
        // SAFETY: this process has one thread yet, so nobody reads the environment meanwhile.
        #[expect(unsafe_code, reason = "children find out by these who they are")]
        unsafe {
            for name in gone {
                env::remove_var(name);
            }
            env::set_var("HOME", &self.home);
            env::set_var("USER", &self.name);
            env::set_var("LOGNAME", &self.name);
        }
    }
}

/// The user of the machine with this id; `None` when there is none.
fn known(uid: u32) -> Option<User> {
    const LONGEST: usize = 1 << 20;
    let mut buffer: Vec<libc::c_char> = vec![0; 1 << 12];
    loop {
        let mut entry = std::mem::MaybeUninit::<libc::passwd>::uninit();
        let mut found = std::ptr::null_mut();
        // SAFETY: all pointers are to live memory of the sizes that are given.
        #[expect(unsafe_code, reason = "the standard library does not know users")]
        let result = unsafe {
            libc::getpwuid_r(
                uid,
                entry.as_mut_ptr(),
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut found,
            )
        };
        if result == libc::ERANGE && buffer.len() < LONGEST {
            buffer.resize(buffer.len() * 4, 0);
            continue;
        }
        if result != 0 || found.is_null() {
            return None;
        }
        // SAFETY: the call has filled the entry, whose strings are in the buffer that is still
        // there.
        #[expect(unsafe_code, reason = "the standard library does not know users")]
        let (name, home, gid) = unsafe {
            let entry = entry.assume_init();
            (CStr::from_ptr(entry.pw_name), CStr::from_ptr(entry.pw_dir), entry.pw_gid)
        };
        return Some(User {
            name: name.to_string_lossy().into_owned(),
            uid,
            gid,
            home: Path::new(OsStr::from_bytes(home.to_bytes())).to_owned(),
        });
    }
}
