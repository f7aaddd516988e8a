# Compiles sources with all processors. Run by compile.rs and seed.rs, with Python 3.4 or later.
#
# By fork and not by concurrent.futures: that needs semaphores, which containers may lack.
import compileall, importlib.util, marshal, os, sys

# https://peps.python.org/pep-0552/ added four bytes.
HEADER = 16 if sys.version_info >= (3, 7) else 12


def compile_all(root, paths):
    """Compiles sources below `root`. What cannot be compiled is left alone, as pip does."""
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:
        processors = os.cpu_count() or 1
    count = max(1, min(processors, len(paths) // 20))
    children = []
    for part in range(1, count):
        child = os.fork()
        if not child:
            status = 1
            try:
                compile_part(root, paths[part::count])
                status = 0
            except SystemExit as ended:
                sys.stderr.write(str(ended) + '\n')
                sys.stderr.flush()
            finally:
                os._exit(status)
        children.append(child)
    failed = None
    try:
        compile_part(root, paths[::count])
    except SystemExit as ended:
        failed = ended
    statuses = [os.waitpid(child, 0)[1] for child in children]
    if failed or any(statuses):
        sys.exit(str(failed) if failed else 1)


def compile_part(root, paths):
    for path in paths:
        # Recorded relative to the env, so that a copy of the env names no other one. Python puts
        # the path of the source in its place when it imports the file.
        shown = os.path.relpath(os.path.dirname(path), root)
        compileall.compile_file(path, ddir=shown, quiet=2)
        # On a full disk Python writes half a file without a word:
        # https://github.com/python/cpython/issues/126606
        if not is_whole(path):
            compileall.compile_file(path, ddir=shown, quiet=2, force=True)
            if not is_whole(path):
                sys.exit('only half of the compiled ' + path + ' was written: '
                         'No space left on device')


def is_whole(path):
    try:
        with open(importlib.util.cache_from_source(path), 'rb') as file:
            marshal.loads(file.read()[HEADER:])
    except OSError:
        pass
    except (EOFError, TypeError, ValueError):
        return False
    return True


def sources(top):
    return [os.path.join(folder, name)
            for folder, _, names in os.walk(top) for name in names if name.endswith('.py')]
