#!/usr/bin/env bash
# Deploys this project: what nyala does by itself, step by step, to be changed. Written by `nyala script`.
#
# .deployment names it, so every push runs it, in the new release's folder and before anything is live; when it
# fails, what is live stays. On your own machine, `bash deploy.sh` does the same into ./artifacts.
#
# nyala tells it what Kudu told: DEPLOYMENT_SOURCE and DEPLOYMENT_TARGET (both the new release, which is the working
# directory), DEPLOYMENT_TEMP, SCM_COMMIT_ID and more, and all app settings. What it prints is the deployment's log.
set -euo pipefail

if ! command -v nyala >/dev/null; then
    echo "error: nyala is not on PATH" >&2
    exit 1
fi

# On your own machine: deploys the work tree, committed or not, to the site in ./artifacts, by this very script.
if [ -z "${NYALA_DEPLOYMENT:-}" ]; then
    cd "$(dirname "${BASH_SOURCE[0]}")"
    exec nyala try
fi

# 1. What comes before: bin/pre_compile and PRE_BUILD_COMMAND, where there are any.
nyala step pre-build

# 2. The virtual environment. `env` is a link to the one that would be used again; a new one is made when runtime.txt or
#    the requirements ask for it. For a new one on every push, delete the link first:
# rm -rf env
nyala step env

# 3. pip install -r requirements.txt. An env that is used again is shared with what is live: install more into it only
#    where you delete it above.
nyala step install
# env/bin/python -m pip install wheels/mine-1.0-py3-none-any.whl

# 4. Django: manage.py collectstatic, where it is used.
nyala step collectstatic

# 5. What comes after: bin/post_compile and POST_BUILD_COMMAND, where there are any.
nyala step post-build
