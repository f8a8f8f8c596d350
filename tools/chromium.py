"""Find the Chromium that browser tests and pictures drive, and install one where there is none.

python -m tools.chromium
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DEBIAN_PACKAGES = ("chromium", "fonts-liberation")
ADVICE = """\
Chromium was not found and could not be installed. One of these will do:
  as root:          apt-get install chromium
  without root:     .venv/bin/playwright install chromium
  another browser:  PASS_CHROMIUM=/path/to/chromium make test"""


def find() -> Path | None:
    """Return the browser: PASS_CHROMIUM, else the machine's, else the one Playwright installed, else None.

    Playwright is asked last and in a process of its own: this function may be called while it runs.
    """
    if given := os.environ.get("PASS_CHROMIUM"):
        return Path(given)
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    code = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    installed = Path(asked.stdout.strip() or "/nonexistent")
    return installed if installed.is_file() else None


def install() -> bool:
    """Install Chromium by apt when root on Debian, else by Playwright's own installer; say whether all went well."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        commands = [
            ["apt-get", "-q", "update"],
            ["apt-get", "-q", "install", "--yes", "--no-install-recommends", *DEBIAN_PACKAGES],
        ]
        if all(subprocess.run(command, env=environment, check=False).returncode == 0 for command in commands):
            return True
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    return subprocess.run(command, check=False).returncode == 0


def main() -> int:
    """Make sure there is a Chromium; return the exit code."""
    if find() or (install() and find()):
        return 0
    print(ADVICE, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
