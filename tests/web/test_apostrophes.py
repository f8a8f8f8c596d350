"""One apostrophe on screen, ’: in what pages, letters, papers and commands say. What people type is kept as they typed it."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("voucher", "merchant_portal", "issuer_portal", "tools")
# An elided word, then a straight apostrophe, before the word it leans on: no English word is written so.
ELISION = re.compile(
    r"(?<![\w'])(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu|quelqu|presqu|aujourd)'(?=[\w{«<]|\"+$)", re.IGNORECASE
)
# A word of the standard of places, as its schema writes it.
AS_THEY_ARE = ("voucher/network/lieux_schema.py",)


def shown(path: Path) -> Iterator[tuple[int, str]]:
    """Walk over what a file may show, with its line: a module's strings, all of a template or a script."""
    text = path.read_text()
    if path.suffix != ".py":
        yield from enumerate(text.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.STRING:
            yield token.start[0], token.string


@pytest.mark.parametrize("package", PACKAGES)
def test_french_that_people_read_has_one_apostrophe(package: str) -> None:
    files = [
        path
        for ending in ("py", "html", "js", "typ")
        for path in sorted((ROOT / package).rglob(f"*.{ending}"))
        if "vendor" not in path.parts and not str(path.relative_to(ROOT)).startswith(AS_THEY_ARE)
    ]
    strings = [(path, line, text) for path in files for line, text in shown(path)]
    found = [f"{path.relative_to(ROOT)}:{line} {text[:80]}" for path, line, text in strings if ELISION.search(text)]
    assert len(files) > 2
    assert found == []


def test_the_walk_sees_an_elision_and_lets_english_be() -> None:
    assert all(
        ELISION.search(text)
        for text in ('"Rien n\'a été débité."', "jusqu'au bout", 'f"l\'{name}"', "D'abord", "lorsqu'il", '"qu\'"')
    )
    assert not any(
        ELISION.search(text) for text in ("the driver's own", "can't be", "state = 'n'", "n’a", "md5('l' || x)")
    )
