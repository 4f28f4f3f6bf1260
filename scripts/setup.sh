#!/bin/sh
# Make the virtual environment $1 and install the project into it, once per content of the two files that decide.
set -eu
venv=$1
wanted=$(cat pyproject.toml constraints.txt | sha256sum | cut -d' ' -f1)
[ "$(cat "$venv/.installed" 2>/dev/null || true)" != "$wanted" ] || exit 0

"${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "error: ${PYTHON:-python3} is older than Python 3.11; run make PYTHON=/path/to/python3.11" >&2
    exit 2
}
echo "Installing into $venv (some minutes, once) ..."
"${PYTHON:-python3}" -m venv "$venv"
# torch first: named with its version it is the CPU build wherever one is at hand
torch=$(grep '^torch==' constraints.txt)
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$torch"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
# The path of the source relative to the environment, so that a copy of both runs its own code.
for link in "$venv"/lib/python3*/site-packages/__editable__.embedrec-*.pth; do
    echo '../../../../src' >"$link"
done
echo "$wanted" >"$venv/.installed"
