"""Amounts as they were typed in the field, each with its cents or « refused » (amounts.tsv, written for this project)."""

import csv
from pathlib import Path


def typed_amounts() -> list[tuple[str, str]]:
    """Return each text with the right answer."""
    with (Path(__file__).parent / "amounts.tsv").open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["cents"]) for row in csv.DictReader(file, delimiter="\t")]
