#!/bin/sh
# Make .venv with the first Python that is recent enough, or say what to install.
set -eu
cd "$(dirname "$0")/.."
[ -x .venv/bin/python ] && exit 0

for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3.14 python3; do
    # A name on the PATH may be a shim with nothing behind it: only running it tells.
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        if ! "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            version=$("$candidate" -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")')
            echo "$candidate cannot make a virtual environment. On Debian: apt-get install python3-venv (or python$version-venv)" >&2
            exit 1
        fi
        echo "Making .venv with $("$candidate" --version)"
        rm -rf .venv
        "$candidate" -m venv .venv
        exit 0
    fi
done
echo "Python 3.11 or later was not found. On Debian: apt-get install python3 python3-venv" >&2
exit 1
