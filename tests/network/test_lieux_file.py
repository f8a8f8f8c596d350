"""A lieux file as a whole: encodings, columns, quotes, size; and what frictionless says of the same."""

import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.network.lieux_files import ESPACE, frictionless_errors, read, table, unreadable
from voucher.network.lieux_schema import standard_columns
from voucher.network.lieux_standard import (
    PlaceLine,
    RefusedLine,
    UnreadableFile,
    read_places,
    write_places,
)

# The file


def test_utf8_is_read_with_and_without_its_mark() -> None:
    content = table(ESPACE | {"nom": "Médiathèque"})
    assert read(content) == read(b"\xef\xbb\xbf" + content)


@pytest.mark.parametrize("encoding", ["windows-1252", "iso-8859-1", "mac-roman"])
def test_another_encoding_is_refused_with_its_line_and_how_to_save_the_file(encoding: str) -> None:
    plain = ESPACE | {"services": ""}
    problem = unreadable(table(plain, plain | {"id": "2", "nom": "Médiathèque"}).decode().encode(encoding))
    assert problem.line == 3
    assert problem.sentence.startswith("Ligne 3 : Ce fichier n’est pas en UTF-8")
    assert "après « 2,73282932000074,M »" in problem.sentence
    assert "« CSV UTF-8 »" in problem.sentence


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf16_is_refused_by_its_name(encoding: str) -> None:
    assert "UTF-16" in unreadable(table(ESPACE).decode().encode(encoding)).sentence


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "vide"),
        (b"\n\n", "vide"),
        (b"PK\x03\x04\x14\x00\x06", "classeur"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "ancien classeur Excel"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\x1f\x8b\x08\x00", "compressé"),
        (b"\x89PNG\r\n\x1a\n", "UTF-8"),
        (b"<!doctype html>\n<p>", "aucun titre du standard"),
        (b"nom_du_lieu,ville\nA,B\n", "aucun titre du standard"),
        (b'"id","pivot\n', "guillemets"),
        (b"id,pivot\rA,B\r", "fins de ligne"),
    ],
)
def test_what_is_not_such_a_file_is_said_in_plain_words(content: bytes, said: str) -> None:
    assert said in unreadable(content).sentence


def test_a_header_alone_says_that_there_is_no_place() -> None:
    assert "aucun lieu" in unreadable(table()).sentence


def test_nul_bytes_are_refused_with_their_line() -> None:
    problem = unreadable(table(ESPACE, ESPACE).replace(b"Espace Clic", b"Espace\0Clic"))
    assert problem.line == 2
    assert "octets nuls" in problem.sentence


def test_required_columns_that_miss_are_all_named() -> None:
    columns = [name for name in standard_columns() if name not in ("code_postal", "date_maj")]
    cells = {name: ESPACE[name] for name in ESPACE if name in columns}
    problem = unreadable(table(cells, columns=columns))
    assert "Il manque ces colonnes : code_postal, date_maj." in problem.sentence


def test_optional_columns_may_miss() -> None:
    (place,) = read(table(ESPACE, columns=list(ESPACE)))
    assert isinstance(place, PlaceLine)
    assert place.warnings == ()


def test_doubled_columns_are_refused_because_nobody_knows_which_is_right() -> None:
    content = table(ESPACE).replace(b"complement_adresse", b"adresse", 1)
    assert "en double : adresse" in unreadable(content).sentence


def test_unknown_columns_are_told_once() -> None:
    rows = [ESPACE | {"couleur": "bleu"}, ESPACE | {"id": "espace-2", "couleur": "vert"}]
    first, second = read(table(*rows, columns=[*ESPACE, "couleur"]))
    assert isinstance(first, PlaceLine)
    assert isinstance(second, PlaceLine)
    assert first.warnings == ("La colonne « couleur » n’est pas dans le standard : elle n’a pas été lue.",)
    assert second.warnings == ()


def test_semicolons_are_taken_when_the_header_proves_them_and_tabs_never() -> None:
    assert read(table(ESPACE, delimiter=";")) == read(table(ESPACE))
    assert "tabulations" in unreadable(table(ESPACE, delimiter="\t")).sentence


def test_lines_are_numbered_as_a_spreadsheet_shows_them() -> None:
    content = (
        table(ESPACE | {"presentation_detail": "sur\ntrois\nlignes"})
        + b"\n"
        + table(ESPACE | {"id": "2"}).split(b"\n", 1)[1]
    )
    assert [line.line_number for line in read(content)] == [2, 4]


def test_a_line_with_too_few_or_too_many_cells_is_refused_and_the_next_is_read() -> None:
    header, good = table(ESPACE).split(b"\n", 1)
    short, long, last = read(header + b"\nA,B\n" + good.strip() + b",surplus\n" + good)
    assert isinstance(short, RefusedLine)
    assert "Cette ligne a 2 cases, les titres en ont 32" in short.reasons[0].sentence
    assert isinstance(long, RefusedLine)
    assert isinstance(last, PlaceLine)


@pytest.mark.parametrize("cell", ['"jamais refermé', '"La "Ruche""', '"' + "a" * 200_000])
def test_broken_quotes_stop_the_reading_at_their_line(cell: str) -> None:
    columns = ["presentation_detail", *ESPACE]
    header = ",".join(columns).encode() + b"\n"
    good = table(ESPACE, columns=columns).split(b"\n", 1)[1]
    problem = unreadable(header + good + cell.encode() + good)
    assert problem.line == 3
    assert "guillemet" in problem.sentence


def test_a_file_without_end_of_lines_is_not_swallowed_whole() -> None:
    assert "trop longue" in unreadable(table(ESPACE) + b"a" * 2_000_000).sentence


def outcome(content: bytes) -> str | None:
    """What the person is told of the whole file; None when it was read line by line."""
    try:
        read(content)
    except UnreadableFile as problem:
        return problem.sentence
    return None


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_whatever_fail_otherwise_than_by_a_sentence(noise: bytes) -> None:
    assert outcome(noise) != ""
    assert outcome(table(ESPACE) + noise) != ""


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(list(standard_columns())), st.text(max_size=30), max_size=6))
def test_no_cells_whatever_fail_otherwise_than_by_a_sentence(cells: dict[str, str]) -> None:
    assert (
        outcome(table(ESPACE | {name: cell.encode("utf-8", "replace").decode() for name, cell in cells.items()})) != ""
    )


# Against frictionless


def test_what_frictionless_refuses_we_refuse_or_leave_out(tmp_path: Path) -> None:
    broken = {
        "pivot": "12",
        "nom": "",
        "commune": "",
        "code_postal": "5110",
        "code_insee": "20004",
        "adresse": "",
        "date_maj": "hier",
    }
    for name, cell in broken.items():
        content = table(ESPACE | {name: cell})
        assert [field for _, field in frictionless_errors(content, tmp_path)] == [name]
        (line,) = read(content)
        assert isinstance(line, RefusedLine)
        assert [reason.column for reason in line.reasons] == [name]
    left_out = {"telephone": "demain", "services": "Cuisine", "latitude": "nord", "presentation_resume": "a" * 281}
    for name, cell in left_out.items():
        content = table(ESPACE | {name: cell})
        assert [field for _, field in frictionless_errors(content, tmp_path)] == [name]
        (line,) = read(content)
        assert isinstance(line, PlaceLine)
        assert name in line.warnings[0]
        assert frictionless_errors(b"".join(write_places([line])), tmp_path) == []


def test_frictionless_agrees_on_doubled_ids(tmp_path: Path) -> None:
    content = table(ESPACE, ESPACE)
    assert {kind for kind, _ in frictionless_errors(content, tmp_path)} <= {"primary-key", "unique-error"}
    assert frictionless_errors(content, tmp_path)
    assert [type(line) for line in read(content)] == [PlaceLine, RefusedLine]


# Memory


class EndlessFile(io.RawIOBase):
    """A file of `count` places that is never whole in memory."""

    def __init__(self, count: int) -> None:
        header, line = table(ESPACE).split(b"\n", 1)
        self._lines: Iterator[bytes] = iter(
            header + b"\n" if number == 0 else line.replace(b"espace-1", b"espace-%d" % number, 1)
            for number in range(count + 1)
        )

    def readline(self, size: int | None = -1, /) -> bytes:
        return next(self._lines, b"")


def test_memory_stays_flat_however_long_the_file() -> None:
    tracemalloc.start()
    try:
        count = sum(isinstance(line, PlaceLine) for line in read_places(EndlessFile(1_000)))  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 1_000
    assert peak < 1_000_000  # the ids, about 100 bytes each, and one line
