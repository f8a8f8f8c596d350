"""One row a measurement."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """What was done, what it gave, the limit measured in the same run, their ratio, and what to know to read them."""

    job: str
    result: str
    limit: str
    ratio: str
    note: str = ""


def written(rows: Iterable[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| job | result | limit, same run | ratio | note |", "|---|---|---|---|---|"]
    lines += [f"| {row.job} | {row.result} | {row.limit} | {row.ratio} | {row.note} |" for row in rows]
    return "\n".join(lines)
