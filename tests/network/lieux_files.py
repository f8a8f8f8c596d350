"""Files of the lieux standard for tests, and what our reader makes of them."""

import csv
import io
import json
from pathlib import Path

import pytest
from frictionless import Resource, Schema

from voucher.network.lieux_schema import SCHEMA_PATH, standard_columns
from voucher.network.lieux_standard import (
    PlaceLine,
    RefusedLine,
    UnreadableFile,
    read_places,
)

EXAMPLE = Path(__file__).parent / "files" / "lieux-exemple.csv"
# Plainly invented, in Reims; its SIRET only has right check digits.
ESPACE = {
    "id": "espace-1",
    "pivot": "73282932000074",
    "nom": "Espace Clic",
    "commune": "Reims",
    "code_postal": "51100",
    "code_insee": "51454",
    "adresse": "3 rue des Essais",
    "latitude": "49.2583",
    "longitude": "4.0317",
    "date_maj": "2024-04-02",
    "services": "Aide aux démarches administratives",
}


def table(*rows: dict[str, str], delimiter: str = ",", columns: list[str] | None = None) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns or list(standard_columns()), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def read(content: bytes) -> list[PlaceLine | RefusedLine]:
    return list(read_places(io.BytesIO(content)))


def taken(**cells: str) -> PlaceLine:
    (line,) = read(table(ESPACE | cells))
    assert isinstance(line, PlaceLine), line
    return line


def refused(**cells: str) -> dict[str, str]:
    (line,) = read(table(ESPACE | cells))
    assert isinstance(line, RefusedLine), line
    return dict(line.reasons)


def unreadable(content: bytes) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as raised:
        read(content)
    return raised.value


def frictionless_errors(content: bytes, tmp_path: Path) -> list[tuple[str, str]]:
    (tmp_path / "lieux.csv").write_bytes(content)
    schema = Schema.from_descriptor(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))
    report = Resource(path="lieux.csv", basepath=str(tmp_path), schema=schema, encoding="utf-8").validate()
    return [(str(kind), str(field)) for kind, field in report.flatten(["type", "fieldName"])]
