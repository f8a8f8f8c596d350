"""docs/security.md tells each line of OWASP ASVS 5.0 of levels 1 and 2 on authentication and sessions, with a test that exists or a reason."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINES = {
    # Chapter, section: the lines of levels 1 and 2, from 1. Those of level 3 stand at the end of their sections.
    "6.1": 3, "6.2": 11, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4,
    "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2,
}  # fmt: skip
ROW = re.compile(r"^\| (\d\.\d\.\d+) \| (.+) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)


def test_every_line_of_level_two_stands_there_once() -> None:
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    asked = [f"{section}.{number}" for section, count in LINES.items() for number in range(1, count + 1)]
    assert [number for number, _, _ in ROW.findall(text)] == asked


def test_each_line_names_a_test_that_exists_or_gives_its_reason() -> None:
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    tests = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in TEST.findall(path.read_text(encoding="utf-8"))
    }
    named = {number: re.findall(r"`(test_\w+)`", last) for number, _, last in ROW.findall(text)}
    assert [number for number, _, last in ROW.findall(text) if not named[number] and "Reason" not in last] == []
    assert {(number, name) for number, names in named.items() for name in names if name not in tests} == set()
