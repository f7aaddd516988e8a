"""Prints the licences of the libraries that are in nyala's binary, each text once.

Run in the root of the repository, after a build.
"""

import json
import pathlib
import subprocess

NAMES = ("license", "licence", "copying", "copyright", "notice", "unlicense")

command = ["cargo", "metadata", "--locked", "--format-version", "1"]
command += ["--filter-platform", "x86_64-unknown-linux-gnu"]
metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}

# What the tests alone need is not in the binary.
waiting, linked = [metadata["resolve"]["root"]], set()
while waiting:
    node = nodes[waiting.pop()]
    if node["id"] in linked:
        continue
    linked.add(node["id"])
    for dependency in node["deps"]:
        if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
            waiting.append(dependency["pkg"])
linked.remove(metadata["resolve"]["root"])

texts = {}
print("The binary of nyala contains these libraries.\n")
linked_packages = [packages[key] for key in linked]
for package in sorted(linked_packages, key=lambda it: (it["name"], it["version"])):
    name = f"{package['name']} {package['version']}"
    print(f"{name}: {package['license'] or 'see below'}")
    folder = pathlib.Path(package["manifest_path"]).parent
    for path in sorted(folder.rglob("*")):
        if path.name.lower().startswith(NAMES) and path.is_file() and "src" not in path.parts[-3:]:
            text = path.read_text(encoding="utf-8", errors="replace").strip()
            texts.setdefault(text, []).append(name)
for text, names in texts.items():
    print("\n" + "=" * 80)
    print("\n".join(dict.fromkeys(names)))
    print("-" * 80 + "\n" + text)
