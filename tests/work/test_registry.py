"""What says that a job does something names it, and the registry holds that job."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.test_house import ROOT
from voucher.background.jobs import JOBS

KEYS = {job.key for job in JOBS}
NAMED = re.compile(r"\bjobs? ((?:`\w+`(?:, | and | et )?)+)")
SPEAKS_OF_ONE = re.compile(
    r"\b(?:a|one|la|une) (?:nightly )?job\b|\bnightly\b|\b(?:every|each|that) night\b|\bchaque nuit\b|\bthe worker\b", re.IGNORECASE
)  # fmt: skip
# The engine of the jobs, which speaks of any of them.
ENGINE = ("voucher/background/jobs.py", "voucher/cli/work.py", "voucher/background/beside_gunicorn.py", "docs/house.md")


def paragraphs() -> Iterator[tuple[str, str]]:
    """Give each (place, text): paragraphs of documents and pages, texts of code (docstrings, helps, sentences)."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]:
        for text in re.split(r"\n\s*\n|\n(?=[-|] )", path.read_text()):
            yield str(path.relative_to(ROOT)), text
    for folder in ("voucher", "issuer_portal", "merchant_portal"):
        for path in sorted((ROOT / folder).rglob("*.html")):
            for line in path.read_text().splitlines():
                yield str(path.relative_to(ROOT)), line
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield str(path.relative_to(ROOT)), node.value


def named(text: str) -> set[str]:
    """Return the jobs that a text names."""
    return {key for group in NAMED.findall(text) for key in re.findall(r"`(\w+)`", group)}


def test_what_says_that_a_job_does_it_names_one_that_is_in_the_registry() -> None:
    unknown = {(place, key) for place, text in paragraphs() for key in named(text) - KEYS}
    assert unknown == set()
    vague = [
        (place, text[:100]) for place, text in paragraphs()
        if place not in ENGINE and SPEAKS_OF_ONE.search(text) and not named(text)
    ]  # fmt: skip
    assert vague == []


def test_every_job_is_said_where_its_work_is_and_in_the_readme() -> None:
    said = {key for place, text in paragraphs() if place.endswith(".py") and place not in ENGINE for key in named(text)}
    assert said == KEYS
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert [row for row in rows if row[0] in KEYS] == [(job.key, job.label) for job in JOBS]


@pytest.mark.parametrize("claim", ["A job does it.", "Déclare caducs les chèques, chaque nuit.", "Run by the worker."])
def test_a_claim_without_a_name_would_be_seen(claim: str) -> None:
    assert SPEAKS_OF_ONE.search(claim)
    assert not named(claim)


def test_a_lock_does_not_hang_on_a_french_label() -> None:
    assert all(re.fullmatch(r"[a-z_]+", job.key) and job.turn == f"job {job.key}" for job in JOBS)
    assert len(KEYS) == len({job.label for job in JOBS}) == len(JOBS)
