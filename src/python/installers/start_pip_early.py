# Imports what pip needs to install, which takes most of its time where little is installed. Other
# packages of the env may not be there yet: to pip, they are optional, and it does without them.
# When standard input has ended, the env is whole, and pip runs as `python -m pip` does.
import importlib
import os
import runpy
import sys

path = list(sys.path)
try:
    import pip
    sys.path[:] = [folder for folder in path if not folder.startswith(sys.prefix + '/')]
    import pip._internal.cli.main
    import pip._internal.commands.install
    import pip._internal.resolution.resolvelib.resolver
except Exception:
    pass  # Another pip: it imports itself below, or says what is wrong with it.
sys.path[:] = path
sys.stdin.read()
if any(name.endswith('pkg_resources') for name in sys.modules):
    # It looks for what is installed when it is imported, as pips of old do at once.
    os.execv(sys.executable, [sys.executable, '-I', '-u', '-m', 'pip'] + sys.argv[1:])
importlib.invalidate_caches()
runpy.run_module('pip', run_name='__main__', alter_sys=True)
