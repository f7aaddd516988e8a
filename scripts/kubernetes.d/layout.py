"""Writes a folder, or a tar file, as an image of one layer: an OCI layout.
usage: layout.py FOLDER|TAR LAYOUT [COMMAND...]"""
import gzip
import hashlib
import json
import os
import platform
import subprocess
import sys

MEDIA = "application/vnd.oci.image"


def put(folder, content):
    digest = hashlib.sha256(content).hexdigest()
    with open(os.path.join(folder, "blobs", "sha256", digest), "wb") as file:
        file.write(content)
    return {"digest": "sha256:" + digest, "size": len(content)}


def main(source, folder, *command):
    os.makedirs(os.path.join(folder, "blobs", "sha256"))
    if os.path.isdir(source):
        owner = ["--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "--sort=name"]
        tar = subprocess.run(["tar", "-C", source, *owner, "-cf", "-", "."],
                             check=True, stdout=subprocess.PIPE).stdout
    else:
        with open(source, "rb") as file:
            tar = file.read()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    layer = put(folder, gzip.compress(tar, 6, mtime=0))
    config = put(folder, json.dumps({
        "architecture": machine, "os": "linux",
        "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "Cmd": list(command)},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest()]},
    }).encode())
    manifest = put(folder, json.dumps({
        "schemaVersion": 2, "mediaType": MEDIA + ".manifest.v1+json",
        "config": {"mediaType": MEDIA + ".config.v1+json", **config},
        "layers": [{"mediaType": MEDIA + ".layer.v1.tar+gzip", **layer}],
    }).encode())
    with open(os.path.join(folder, "index.json"), "w") as file:
        json.dump({"schemaVersion": 2, "manifests": [
            {"mediaType": MEDIA + ".manifest.v1+json", **manifest}]}, file)
    with open(os.path.join(folder, "oci-layout"), "w") as file:
        file.write('{"imageLayoutVersion": "1.0.0"}')


main(*sys.argv[1:])
