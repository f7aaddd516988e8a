//! Compiles what an installer has put into an env, with all processors.
//!
//! pip compiles one file after the other, which is most of its time when the wheels are in its
//! cache.

use std::path::Path;

use anyhow::Result;

use crate::process::{self, Environment, Invocation, Limits};

/// `compile_tree(folder)`: what is compiled already is left alone, and what cannot be compiled too,
/// as with pip.
///
/// By fork and not by `concurrent.futures`: that needs semaphores, which containers may lack.
///
/// On a disk that is just full Python writes half a `.pyc` and says nothing
/// (python/cpython#126606). So each is read once more.
pub(super) const COMPILE_TREE: &str = "
import compileall, importlib.util, marshal, os, sys
def compile_part(paths):
    for path in paths:
        compileall.compile_file(path, quiet=2)
        if not whole(path):
            compileall.compile_file(path, quiet=2, force=True)
            if not whole(path):
                sys.exit('half of what ' + path + ' compiles to was written: No space left on device')
def whole(path):
    try:
        with open(importlib.util.cache_from_source(path), 'rb') as file:
            marshal.loads(file.read()[16:])
    except OSError:
        pass
    except (EOFError, TypeError, ValueError):
        return False
    return True
def compile_tree(top):
    paths = [os.path.join(folder, name)
             for folder, _, names in os.walk(top) for name in names if name.endswith('.py')]
    count = max(1, min(len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1,
                       len(paths) // 20))
    children = []
    for part in range(1, count):
        child = os.fork()
        if not child:
            status = 1
            try:
                compile_part(paths[part::count])
                status = 0
            except SystemExit as ended:
                sys.stderr.write(str(ended) + '\\n')
                sys.stderr.flush()
            finally:
                os._exit(status)
        children.append(child)
    failed = None
    try:
        compile_part(paths[::count])
    except SystemExit as ended:
        failed = ended
    statuses = [os.waitpid(child, 0)[1] for child in children]
    if failed or any(statuses):
        sys.exit(str(failed) if failed else 1)
";

/// Compiles what is under `folder` and is not compiled yet. The interpreter is Python 3.6 or later.
pub fn compile(
    python: &Path,
    folder: &Path,
    environment: &Environment,
    limits: &Limits,
) -> Result<()> {
    let script = format!("{COMPILE_TREE}\ncompile_tree(sys.argv[1])\n");
    let invocation = Invocation::new(python)
        // Warnings of a package's own code are its author's business; pip shows none either.
        .args(["-I", "-W", "ignore", "-c", &script])
        .arg(folder)
        .cwd("/")
        .environment(environment.clone())
        .limits(limits.clone())
        .named("compiling");
    process::capture(&invocation)?;
    Ok(())
}
