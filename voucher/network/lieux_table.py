"""A CSV file sent by a person, read row by row: what its bytes, its header and its quotes must be, said in French.

Knows the shape of the file, nothing of what its cells mean. Memory does not grow with the file: one row at a time.
A row's number is the one a spreadsheet shows (the header is row 1; a cell on several lines counts once).
"""

import csv
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from voucher.kernel.refusals import Refused

FILE_BYTES_MAX = 50_000_000
LINE_BYTES_MAX = 1_000_000
ROWS_MAX = 100_000
SNIFFED_BYTES = 512

SAVE_AS_UTF8 = (
    "Ouvrez-le dans votre tableur, choisissez « Enregistrer sous », puis « CSV UTF-8 » "
    "(dans LibreOffice : « Texte CSV », jeu de caractères « Unicode (UTF-8) », séparateur virgule)."
)

# What a file begins with when it is not text at all.
_OTHER_KINDS = {
    b"PK\x03\x04": "Ce fichier est un classeur (Excel ou LibreOffice), pas un CSV.",
    b"\xd0\xcf\x11\xe0": "Ce fichier est un ancien classeur Excel, pas un CSV.",
    b"%PDF": "Ce fichier est un PDF, pas un CSV.",
    b"\x1f\x8b": "Ce fichier est compressé. Décompressez-le d’abord.",
}
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"


class UnreadableFile(Refused):
    """The file as a whole cannot be read; nothing of it may be kept. `line` is the spreadsheet row, None for the whole file."""

    def __init__(self, sentence: str, line: int | None = None) -> None:
        super().__init__("unreadable_file", sentence if line is None else f"Ligne {line} : {sentence}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Row:
    """One row under the header: column name → text as written. `problem` is a French sentence when its cells cannot be named."""

    number: int
    cells: dict[str, str]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """An opened file. `notes` are French sentences about columns that will not be read; `rows` may raise UnreadableFile at any row."""

    notes: tuple[str, ...]
    rows: Iterator[Row]


def open_table(stream: BinaryIO, columns: Collection[str], required: Collection[str]) -> Table:
    """Read the header of a CSV in UTF-8 (with or without mark) and prepare its rows. Raises UnreadableFile.

    The delimiter is the comma of the standard. A semicolon, which French spreadsheets write, is taken as well, because
    the header proves it: it is kept only when it makes the standard's own column names appear. Nothing else is guessed.
    """
    lines = _text_lines(stream)
    first_line = next(lines, "")
    if not first_line.strip(" \t\r\n,;"):
        raise UnreadableFile(
            "Ce fichier est vide ou sa première ligne est vide. Envoyez un fichier avec les titres du standard.", 1
        )
    if "\r" in first_line.rstrip("\r\n"):
        raise UnreadableFile(_LINE_ENDS, 1)
    delimiter, header = _header(first_line, frozenset(columns))
    _check_header(header, delimiter, columns, required)
    unknown = [name for name in header if name and name not in columns]
    notes = tuple(f"La colonne « {name[:60]} » n’est pas dans le standard : elle n’a pas été lue." for name in unknown)
    return Table(notes, _rows(lines, header, delimiter))


def _header(first_line: str, columns: frozenset[str]) -> tuple[str, list[str]]:
    """The delimiter that shows most of the standard's names, and the names it shows."""
    readings: list[tuple[str, list[str]]] = []
    for delimiter in (",", ";", "\t"):
        try:
            cells = next(csv.reader([first_line], delimiter=delimiter, strict=True))
        except csv.Error:
            continue
        readings.append((delimiter, [cell.strip().lower() for cell in cells]))
    if not readings:
        raise UnreadableFile(_QUOTES, 1)
    return max(readings, key=lambda reading: len(columns.intersection(reading[1])))


def _check_header(header: list[str], delimiter: str, columns: Collection[str], required: Collection[str]) -> None:
    if not set(columns).intersection(header):
        raise UnreadableFile(
            "La première ligne ne donne aucun titre du standard. Elle doit commencer par : "
            f"{', '.join(list(columns)[:4])}… Les titres s’écrivent exactement ainsi.",
            1,
        )
    if delimiter == "\t":
        raise UnreadableFile(f"Les colonnes sont séparées par des tabulations. {SAVE_AS_UTF8}", 1)
    doubled = [name for name, times in Counter(header).items() if name and times > 1]
    if doubled:
        raise UnreadableFile(f"Ces colonnes sont en double : {', '.join(doubled)}. Gardez-en une seule de chaque.", 1)
    missing = [name for name in required if name not in header]
    if missing:
        raise UnreadableFile(f"Il manque ces colonnes : {', '.join(missing)}. Ajoutez-les, avec ces titres exacts.", 1)


def _rows(lines: Iterator[str], header: list[str], delimiter: str) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    number, is_empty = 1, True
    while True:
        number += 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise UnreadableFile(_csv_sentence(str(error)), number) from error
        except _BrokenText as broken:
            raise UnreadableFile(broken.sentence, number) from broken
        if cells is None:
            break
        if not any(cell.strip() for cell in cells):
            continue
        if number > ROWS_MAX + 1:
            raise UnreadableFile(f"Ce fichier a plus de {ROWS_MAX} lignes. Coupez-le en plusieurs fichiers.", number)
        is_empty = False
        yield _row(number, header, cells)
    if is_empty:
        raise UnreadableFile("Ce fichier ne contient aucun lieu sous ses titres. Ajoutez une ligne par lieu.")


def _row(number: int, header: list[str], cells: list[str]) -> Row:
    surplus = any(cell.strip() for cell in cells[len(header) :])
    if len(cells) < len(header) or surplus:
        sentence = (
            f"Cette ligne a {len(cells)} cases, les titres en ont {len(header)}. "
            "Vérifiez les virgules et les guillemets : un texte qui contient une virgule doit être entre guillemets."
        )
        return Row(number, {}, sentence)
    return Row(number, {name: cell for name, cell in zip(header, cells, strict=False) if name})


class _BrokenText(Exception):
    """Bytes that are not the text we can read; the reader of rows adds where."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def _text_lines(stream: BinaryIO) -> Iterator[str]:
    """Decoded lines, newlines kept. The first one is checked here, so its refusal is already an UnreadableFile."""
    size, is_first = 0, True
    while raw := stream.readline(LINE_BYTES_MAX + 1):
        size += len(raw)
        if is_first:
            _check_kind(raw[:SNIFFED_BYTES])
            raw = raw.removeprefix(_UTF8_MARK)
        try:
            yield _decoded(raw, size)
        except _BrokenText as broken:
            if is_first:
                raise UnreadableFile(broken.sentence, 1) from broken
            raise
        is_first = False


def _check_kind(start: bytes) -> None:
    for magic, sentence in _OTHER_KINDS.items():
        if start.startswith(magic):
            raise UnreadableFile(f"{sentence} {SAVE_AS_UTF8}")
    # UTF-16 without a mark shows as one NUL byte beside each letter.
    if start.startswith(_UTF16_MARKS) or start.count(0) > len(start) // 3:
        raise UnreadableFile(f"Ce fichier est en UTF-16 (« texte Unicode »), pas en UTF-8. {SAVE_AS_UTF8}")


def _decoded(raw: bytes, size: int) -> str:
    if size > FILE_BYTES_MAX:
        raise _BrokenText(f"Ce fichier dépasse {FILE_BYTES_MAX // 1_000_000} Mo. Coupez-le en plusieurs fichiers.")
    if len(raw) > LINE_BYTES_MAX:
        raise _BrokenText(
            "Cette ligne est trop longue pour un lieu. Vérifiez qu’il y a bien un retour à la ligne après chaque lieu."
        )
    if 0 in raw:
        raise _BrokenText(f"Ce fichier contient des octets nuls : il est abîmé, ou ce n’est pas un CSV. {SAVE_AS_UTF8}")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")[-20:]
        raise _BrokenText(
            f"Ce fichier n’est pas en UTF-8 (sans doute Windows-1252 ou Latin-1) : une lettre est illisible après « {before} ». {SAVE_AS_UTF8}"
        ) from error


_LINE_ENDS = f"Les fins de ligne ne sont pas celles d’un CSV. {SAVE_AS_UTF8}"
_QUOTES = (
    "Les guillemets sont mal fermés. Une case entre guillemets finit par un guillemet, "
    'et un guillemet dans le texte s’écrit deux fois : "".'
)


def _csv_sentence(error: str) -> str:
    if "new-line character" in error:
        return _LINE_ENDS
    if "field larger" in error:
        return "Une case est beaucoup trop longue : un guillemet ouvert ici n’est sans doute jamais fermé. Fermez-le."
    return _QUOTES
