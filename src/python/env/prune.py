# Uninstalls what nothing requires any more. Run by prune.rs with an env's own Python 3.8 or later,
# in an env into which only pip has ever written.
#
# The result is the set of packages that a new env would have. Where that is not certain, nothing is
# changed, the reason is printed, and the exit status is 3.
import importlib.util, json, os, shutil, sys
from importlib import metadata

from pip._vendor.packaging.requirements import InvalidRequirement, Requirement
from pip._vendor.packaging.utils import canonicalize_name

LOWER_BOUNDS = {'>=', '>'}


class NotCertain(Exception):
    pass


def main(task):
    folder = task['packages']
    dists = installed(folder)
    roots = [parse(text) for text in task['roots']]
    needed = closure(dists, roots, direct(dists) if task['direct'] else [])
    kept = set(needed) | {canonicalize_name(name) for name in task['keep']}
    removed = [dist for name, dist in sorted(dists.items()) if name not in kept]
    gone = [parse(text) for text in task['gone']]
    check_versions(dists, needed, kept, roots, removed, gone, task['constrained'])
    files = [(dist, files_of(dist, folder, task['env'])) for dist in removed]
    stay = {path for name, dist in dists.items() if name in kept
            for path in files_of(dist, folder, task['env'])}
    for dist, paths in files:
        print('Uninstalling %s %s: nothing requires it any more.'
              % (dist.metadata['Name'], dist.version))
        uninstall(dist, [path for path in paths if path not in stay], folder)


def installed(folder):
    dists = {}
    for dist in metadata.distributions(path=[folder]):
        name = dist.metadata['Name']
        if not name:
            raise NotCertain('a package has no name')
        if dists.setdefault(canonicalize_name(name), dist) is not dist:
            raise NotCertain('%s is installed twice' % name)
    return dists


def parse(text):
    try:
        return Requirement(text)
    except InvalidRequirement:
        raise NotCertain('%s cannot be compared with what is installed' % text)


def requires(dist):
    return [parse(text) for text in dist.requires or []]


def direct(dists):
    """What was installed from a path or an address."""
    return [name for name, dist in dists.items() if dist.read_text('direct_url.json')]


def closure(dists, roots, direct):
    """The names that are needed, each with the extras that are asked for."""
    needed = {}
    todo = [(canonicalize_name(req.name), set(req.extras)) for req in roots if applies(req, [''])]
    todo += [(name, set()) for name in direct]
    while todo:
        name, extras = todo.pop()
        if name in needed and extras <= needed[name]:
            continue
        if name not in dists:
            raise NotCertain('%s is required, and is not installed' % name)
        needed.setdefault(name, set()).update(extras)
        spelled = spellings(dists[name], needed[name])
        todo += [(canonicalize_name(req.name), set(req.extras))
                 for req in requires(dists[name]) if applies(req, spelled)]
    return needed


def spellings(dist, extras):
    """The extras as the package spells them."""
    wanted = {canonicalize_name(extra) for extra in extras}
    provided = dist.metadata.get_all('Provides-Extra') or []
    return ['', *extras, *wanted,
            *[extra for extra in provided if canonicalize_name(extra) in wanted]]


def applies(req, extras):
    return req.marker is None or any(req.marker.evaluate({'extra': extra}) for extra in extras)


def check_versions(dists, needed, kept, roots, removed, gone, constrained):
    """Another version of what stays might be chosen without what goes."""
    bounded = {canonicalize_name(name) for name in constrained}
    staying = roots + [req for name in needed for req in requires(dists[name])]
    bounded |= {canonicalize_name(req.name) for req in staying if not has_lower_bounds_only(req)}
    def check(who, req, is_certain):
        name = canonicalize_name(req.name)
        if name in kept and (req.specifier or req.url) and not is_certain(name):
            raise NotCertain('%s had a say in the version of %s' % (who, req.name))

    for req in gone:
        check('a removed requirement', req, lambda name: False)
    for dist in removed:
        for req in requires(dist):
            check(dist.metadata['Name'], req,
                  lambda name: name not in bounded and has_lower_bounds_only(req))


def has_lower_bounds_only(req):
    return (not req.url and not req.specifier.prereleases
            and all(clause.operator in LOWER_BOUNDS for clause in req.specifier))


def files_of(dist, folder, env):
    if not dist.files:
        raise NotCertain('%s has no list of its files' % dist.metadata['Name'])
    paths = [os.path.normpath(os.path.join(folder, str(file))) for file in dist.files]
    for path in paths:
        if not path.startswith(env + os.sep):
            raise NotCertain('%s has a file outside of the environment: %s'
                             % (dist.metadata['Name'], path))
    return paths


def uninstall(dist, paths, folder):
    folders = set()
    for path in paths:
        remove(path)
        folders.add(os.path.dirname(path))
        if path.endswith('.py'):
            for level in ('', 1, 2):
                remove(importlib.util.cache_from_source(path, optimization=level))
    for info in {os.path.dirname(path) for path in paths if path.endswith('.dist-info/RECORD')}:
        shutil.rmtree(info, ignore_errors=True)
    for top in sorted(folders, key=len, reverse=True):
        while top.startswith(folder + os.sep):
            for empty in (os.path.join(top, '__pycache__'), top):
                try:
                    os.rmdir(empty)
                except OSError:
                    pass
            if os.path.isdir(top):
                break
            top = os.path.dirname(top)


def remove(path):
    try:
        os.remove(path)
    except FileNotFoundError:
        pass


if __name__ == '__main__':
    with open(sys.argv[1]) as file:
        task = json.load(file)
    try:
        main(task)
    except NotCertain as why:
        print(why)
        sys.exit(3)
