#!/usr/bin/env bash
# Deploys this project. Written by `nyala script`: it does what nyala does by itself, step by step,
# for you to change.
#
# The command in .deployment runs it on every push, in the folder of the new release, before that
# goes live. If it fails, the live release is unchanged. On your own machine, `bash deploy.sh`
# deploys into ./artifacts.
#
# It gets the variables that Kudu set: DEPLOYMENT_SOURCE and DEPLOYMENT_TARGET (both are the new
# release, which is also the working directory), DEPLOYMENT_TEMP, SCM_COMMIT_ID and others, and all
# app settings. Its output goes into the log of the deployment.
set -euo pipefail

if ! command -v nyala >/dev/null; then
    echo "error: nyala is not on PATH" >&2
    exit 1
fi

# On your own machine: deploy the work tree, committed or not, to the site in ./artifacts. That runs
# this script again.
if [ -z "${NYALA_DEPLOYMENT:-}" ]; then
    cd "$(dirname "${BASH_SOURCE[0]}")"
    exec nyala try
fi

# 1. Run bin/pre_compile and PRE_BUILD_COMMAND, if there are any.
nyala step pre-build

# 2. Prepare the virtual environment. `env` is a link to the one that would be reused; a new one is
#    created when runtime.txt or the requirements ask for it. To get a new one on every push, delete
#    the link first:
# rm -rf env
nyala step env

# 3. Install the requirements. A reused env is shared with the live release, so install more into it
#    only if you delete the link above.
nyala step install
# env/bin/python -m pip install wheels/mine-1.0-py3-none-any.whl

# 4. Collect Django's static files (manage.py collectstatic), if the project has any.
nyala step collectstatic

# 5. Run bin/post_compile and POST_BUILD_COMMAND, if there are any.
nyala step post-build
