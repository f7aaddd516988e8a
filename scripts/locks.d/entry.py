"""What is compared of a package: a line that every tool's answer is brought to."""

import hashlib
import re


def entry(name, version, commit, is_url, hashes):
    name = re.sub(r"[-_.]+", "-", name).lower()
    if commit:
        return f"{name}@{commit}"
    if is_url:
        return name
    digest = hashlib.sha256(" ".join(sorted(set(hashes))).encode()).hexdigest()[:12]
    return (f"{name}=={version}" if version else name) + (f" {digest}" if hashes else "")
