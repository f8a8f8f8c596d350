"""The verifier that each audit archive carries, in parts that fit a page each; `single_file` joins them into one.

It may import Python's own library and `cryptography`, nothing else: an auditor runs it far from this code.
"""

import ast
from pathlib import Path

_PARTS = ("archive.py", "proofs.py", "journal.py", "trail.py", "facts.py", "histories.py", "decisions.py", "command.py")
_OPENING = '''"""Prove an audit archive of the Pass numérique without its software or its database.

This one file needs Python 3.10 or later and the library `cryptography`. It reads the archive a row at a time and names every
violation, in French, with its file. It exits with 0 when all is right, 1 when something is not, 2 when something could not be read.

    python verify.py archive.zip --key "<name>+<id>+<key>" --checkpoint note.txt --proof entry.tlog-proof
    python verify.py --key "<name>+<id>+<key>" --proof entry.tlog-proof          (one entry, without the archive)

It reads from top to bottom: files, then trees and signatures, then the journal, the audit trail, then the facts the journal tells, then what became of payments, then who decided, then the command.
"""
'''


def single_file() -> str:
    """Return the source of the whole verifier: its parts one after the other, without what they import of each other."""
    return "\n\n".join([_OPENING, *(_alone(Path(__file__).with_name(part).read_text("utf-8")) for part in _PARTS)])


def _alone(source: str) -> str:
    lines = source.splitlines()
    for node in reversed(ast.parse(source).body):
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_ours = isinstance(node, ast.ImportFrom) and (node.module or "").startswith("voucher.")
        if is_docstring or is_ours:
            del lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(lines).strip("\n") + "\n"
