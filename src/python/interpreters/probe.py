# Run by every interpreter that nyala finds, from 2.7 on: prints one line of JSON that says what it
# is.
import sys

# With -c the working directory comes first, which is not the interpreter's.
sys.path[:] = [folder for folder in sys.path if folder]

import json
import os
import platform
import sysconfig


def has(module):
    try:
        from importlib.util import find_spec
    except ImportError:  # 2.7
        from pkgutil import find_loader as find_spec
    try:
        return find_spec(module) is not None
    except Exception:
        return False


def bundled():
    """The wheels that ensurepip would install, pip's first, and the folders that it looks in."""
    try:
        import ensurepip
        prefixes = ["pip-%s-" % ensurepip.version()]
        # Until 3.11 setuptools comes along.
        projects = getattr(ensurepip, "_PROJECTS", ())
        prefixes += ["%s-%s-" % p[:2] for p in projects if p[0] == "setuptools"]
        if sys.version_info < (3, 12) and len(prefixes) == 1:
            prefixes.append("setuptools-")
    except Exception:
        return [], []
    # Debian and Fedora keep the wheels outside of the library; Debian before 3.10 had no setting
    # for it.
    folders = [
        sysconfig.get_config_var("WHEEL_PKG_DIR"),
        os.path.join(os.path.dirname(os.path.abspath(ensurepip.__file__)), "_bundled"),
        "/usr/share/python-wheels",
    ]
    folders = [folder for folder in folders if folder]
    for folder in folders:
        try:
            names = sorted(name for name in os.listdir(folder) if name.endswith(".whl"))
        except OSError:
            continue
        wheels = []
        for prefix in prefixes:
            project = prefix.split("-")[0] + "-"
            found = [name for name in names if name.startswith(prefix)]
            # Debian unbundles, and may have another version than ensurepip says.
            wheels += (found or [name for name in names if name.startswith(project)])[-1:]
        if len(wheels) == len(prefixes):
            return [os.path.join(folder, name) for name in wheels], folders
    return [], folders


def stage():
    kinds = {"alpha": "a", "beta": "b", "candidate": "rc", "final": ""}
    kind = kinds.get(sys.version_info[3], "?")
    return kind + str(sys.version_info[4]) if kind else ""


wheels, wheel_folders = bundled()
# virtualenv before version 20 left real_prefix in the environments it made.
base_prefix = getattr(sys, "real_prefix", None) or getattr(sys, "base_prefix", sys.prefix)

print("nyala-probe " + json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3] + stage(),
    "implementation": platform.python_implementation(),
    "special": any(map(sysconfig.get_config_var, ("Py_GIL_DISABLED", "Py_DEBUG"))),
    "executable": sys.executable or "",
    "base_executable": getattr(sys, "_base_executable", None) or "",
    "prefix": sys.prefix,
    "base_prefix": base_prefix,
    "venv": has("venv") and has("ensurepip") and bool(wheels),
    "virtualenv": has("virtualenv"),
    "bundled": wheels,
    # Whatever changes the answers above changes one of these folders.
    "folders": sys.path + wheel_folders,
}))
