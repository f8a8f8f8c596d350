"""The report of an import, line by line, as it is kept: what was taken, what was already so, what was refused and why."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What became of a line of the file."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ReportLine:
    """A line of the file by its number in a spreadsheet; `sentences` are French: reasons of a refusal, or warnings."""

    number: int
    external_id: str
    name: str
    outcome: Outcome
    sentences: tuple[str, ...] = ()


def counts_of(lines: Iterable[ReportLine]) -> tuple[int, int, int]:
    """Count the lines taken, unchanged, refused."""
    outcomes = [line.outcome for line in lines]
    refused = outcomes.count(Outcome.REFUSED)
    unchanged = outcomes.count(Outcome.UNCHANGED)
    return len(outcomes) - refused - unchanged, unchanged, refused


def written_report(lines: Sequence[ReportLine]) -> str:
    """Return the report as JSON: one array a line, in the file's order."""
    rows = [[line.number, line.external_id, line.name, line.outcome, *line.sentences] for line in lines]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def read_report(text: str) -> list[ReportLine]:
    """Return the lines of a report."""
    return [
        ReportLine(number, external_id, name, Outcome(outcome), tuple(sentences))
        for number, external_id, name, outcome, *sentences in json.loads(text)
    ]
