"""Several files at once, plain or in zips: each on its own, with its line; nothing of a hostile zip gets further than a sentence."""

import gzip
import io
import struct
import tracemalloc
import zipfile
from collections.abc import Sequence
from datetime import timedelta
from typing import IO

import pytest

from tests.killing import Killer
from tests.settlement import cfonb_files
from tests.settlement.camt_files import Account, Booked, Transaction, camt
from tests.settlement.cfonb_files import Moved, cfonb
from tests.settlement.test_import_statement import OPENING_CENTS, TODAY, Paid, counts
from tests.settlement.town import NOW, PREPARER, wrong_books
from voucher.kernel.database import Database
from voucher.settlement.bank_in.import_bank_files import FileOutcome, import_bank_files
from voucher.settlement.bank_in.import_statement import Imported
from voucher.settlement.formats_in import bank_zip
from voucher.settlement.formats_in.bank_content import shown_name
from voucher.settlement.reconciliation.read_bank_files import imported_files


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return out.getvalue()


def take(database: Database, *files: tuple[str, bytes], days: int = 9) -> list[FileOutcome]:
    opened: list[tuple[str, IO[bytes]]] = [(name, io.BytesIO(content)) for name, content in files]
    return import_bank_files(database, opened, by=PREPARER, now=NOW + timedelta(days=days))


def take_contents(database: Database, files: Sequence[tuple[str, bytes]]) -> list[FileOutcome]:
    return take(database, *files)


def new_counts(outcomes: list[FileOutcome]) -> list[int | None]:
    return [one.done.new_count if isinstance(one.done, Imported) else None for one in outcomes]


def refusals(outcomes: list[FileOutcome]) -> list[str]:
    return [one.errors[0].reason if one.errors else "" for one in outcomes]


class Days:
    """The statements of some days of the paying account, one of them in CFONB."""

    def __init__(self, paid: Paid) -> None:
        self.first = camt(
            "053",
            "08",
            Account(paid.iban, TODAY, [Booked(-3_000, "T1", (Transaction(-3_000, paid.first),))], "R1", OPENING_CENTS),
        )
        self.second = cfonb(
            cfonb_files.Account(
                paid.iban, TODAY + timedelta(days=1), [Moved(-4_000, rcn=paid.second)], OPENING_CENTS - 3_000
            )
        )
        self.third = camt(
            "053", "02", Account(paid.iban, TODAY + timedelta(days=2), [Booked(500, "C1")], "R3", OPENING_CENTS - 7_000)
        )


def test_files_sent_together_are_each_imported_and_a_bad_one_stops_none(database: Database) -> None:
    paid = Paid(database)
    days = Days(paid)
    packed = zipped(
        ("semaine/r2.txt", days.second),
        ("semaine/note.pdf", b"%PDF-1.7"),
        ("semaine/r3.xml", days.third),
        ("__MACOSX/._r3.xml", b"x"),
    )
    outcomes = take(database, ("r1.xml", days.first), ("coupe.xml", days.first[:-30]), ("semaine.zip", packed))
    assert [one.name for one in outcomes] == [
        "r1.xml",
        "coupe.xml",
        "semaine.zip › semaine/r2.txt",
        "semaine.zip › semaine/note.pdf",
        "semaine.zip › semaine/r3.xml",
    ]
    assert new_counts(outcomes) == [1, None, 1, None, 1]
    assert [one.format for one in outcomes] == ["camt.053.001.08", "", "CFONB 120", "", "camt.053.001.02"]
    assert "C’est un PDF" in refusals(outcomes)[3]
    assert paid.states() == ["paid", "paid"]
    assert {(one.name, one.format, one.line_count) for one in imported_files(database, limit=9)} == {
        ("r1.xml", "camt.053.001.08", 1),
        ("semaine.zip › semaine/r2.txt", "CFONB 120", 1),
        ("semaine.zip › semaine/r3.xml", "camt.053.001.02", 1),
    }
    assert wrong_books(database) == []
    again = take(database, ("semaine.zip", packed))
    assert [one.done.is_known for one in again if one.done is not None] == [True, True]


@pytest.mark.kill
def test_a_zip_killed_between_its_files_and_sent_again_gives_the_same(database: Database, killer: Killer) -> None:
    paid = Paid(database)
    days = Days(paid)
    packed = zipped(("r1.xml", days.first), ("mauvais.xml", b"<a>"), ("r2.txt", days.second), ("r3.xml", days.third))
    done, again = killer.everywhere(take_contents, [("semaine.zip", packed)])
    assert (
        [one.done is not None for one in done] == [one.done is not None for one in again] == [True, False, True, True]
    )
    assert all(one.done.is_known for one in again if one.done is not None)
    assert paid.states() == ["paid", "paid"]
    assert counts(database)["bank_file"] == 3
    assert wrong_books(database) == []


def damaged(packed: bytes) -> bytes:
    """Return a zip whose first file does not have the sum that it announces."""
    place = packed.index(b"<?xml")
    return packed[:place] + b"<?xmm" + packed[place + 5 :]


def encrypted(packed: bytes) -> bytes:
    """Return a zip whose files say that they are encrypted."""
    out = bytearray(packed)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = out.find(signature)
        while place >= 0:
            out[place + offset] |= 1
            place = out.find(signature, place + 4)
    return bytes(out)


def of_the_larger_sort(packed: bytes, *, is_lying: bool) -> bytes:
    """Return a zip whose directory is told by a zip64 record, the plain one at its end telling nothing, or a lie."""
    place = len(packed) - 22
    _, _, _, _, count, directory_bytes, start, _ = struct.unpack("<4s4H2LH", packed[place:])
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, directory_bytes, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, place, 1)
    plain = (1, 1, 46, 0) if is_lying else (0xFFFF, 0xFFFF, 0xFFFF_FFFF, 0xFFFF_FFFF)
    return packed[:place] + record + locator + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, *plain, 0)


def test_each_file_of_a_zip_that_cannot_be_read_has_its_line(sqlite_database: Database) -> None:
    paid = Paid(sqlite_database)
    days = Days(paid)
    plain = zipped(("a.xml", days.first), ("b.xml", days.third), method=zipfile.ZIP_STORED)
    said = refusals(take(sqlite_database, ("z.zip", damaged(plain))))
    assert "abîmé dans le zip" in said[0]
    assert said[1] == ""
    nested = zipped(("a.zip", plain), ("b.xml.gz", gzip.compress(days.first)), ("vide.xml", b""), ("c.xml", days.first))
    said = refusals(take(sqlite_database, ("z.zip", nested)))
    assert ["encore compressé" in one for one in said] == [True, True, False, False]
    assert "est vide" in said[2]
    assert said[3] == ""
    assert all("mot de passe" in one for one in refusals(take(sqlite_database, ("z.zip", encrypted(plain)))))
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert (
            "inhabituelle"
            in refusals(take(sqlite_database, ("z.zip", zipped(("a.xml", days.first), method=method))))[0]
        )


def test_a_zip_too_long_too_big_empty_or_damaged_is_refused_as_a_whole(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = zipped(*((f"{rank}.xml", b"<a/>") for rank in range(101)))
    (one,) = take(sqlite_database, ("z.zip", many))
    assert "plus de 100 fichiers" in one.errors[0].reason
    assert len(take(sqlite_database, ("z.zip", zipped(*((f"{rank}.xml", b"<a/>") for rank in range(100)))))) == 100
    for content, words in (
        (zipped(), "aucun fichier"),
        (zipped(("dossier/", b"")), "aucun fichier"),
        (many[:-40], "abîmé"),
        (b"PK", "abîmé"),
        (b"PK\x03\x04" + b"x" * 200, "abîmé"),
        (zipped(*((f"{rank}.xml", b"") for rank in range(20_000))), "plus de 100 fichiers"),
        (zipped(("[Content_Types].xml", b""), ("xl/workbook.xml", b"")), "classeur Excel (XLSX)"),
        (zipped(("[Content_Types].xml", b""), ("word/document.xml", b"")), "document Word"),
        (zipped(("mimetype", b"application/vnd.oasis")), "LibreOffice"),
    ):
        (one,) = take(sqlite_database, ("z.zip", content))
        assert words in one.errors[0].reason
    crowd = zipped(*((f"{rank}.xml", b"") for rank in range(2_000)))
    with monkeypatch.context() as patch:
        patch.setattr(zipfile, "ZipFile", None)  # a directory so long is refused before it is read
        refused = [of_the_larger_sort(crowd, is_lying=lies) for lies in (False, True)]
        for one in take(sqlite_database, *(("z.zip", content) for content in (crowd, *refused))):
            assert "plus de 100 fichiers" in one.errors[0].reason
    few = zipped(("a.xml", b"<a/>"), ("b.xml", b"<a/>"))
    for is_lying in (False, True):
        assert len(take(sqlite_database, ("z.zip", of_the_larger_sort(few, is_lying=is_lying)))) == 2
    monkeypatch.setattr(bank_zip, "UNPACKED_BYTES_MAX", 10_000_000)
    bomb = zipped(("a.xml", b" " * 6_000_000), ("b.xml", b" " * 6_000_000))
    (one,) = take(sqlite_database, ("z.zip", bomb))
    assert "dépasse" in one.errors[0].reason


def test_a_zip_that_lies_on_a_size_gives_no_more_than_it_announced(sqlite_database: Database) -> None:
    packed = bytearray(zipped(("a.xml", b" " * 50_000_000)))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = packed.find(signature)
        packed[place + offset : place + offset + 4] = struct.pack("<I", 10)
    tracemalloc.start()
    try:
        (one,) = take(sqlite_database, ("z.zip", bytes(packed)))
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert "abîmé" in one.errors[0].reason


def test_names_are_shown_on_one_line_without_signs_that_hide_and_are_never_paths(sqlite_database: Database) -> None:
    paid = Paid(sqlite_database)
    name = "../../etc/\u202egnp.\nreleve\x00\ud800.xml"
    assert shown_name(name) == "../../etc/ gnp. releve .xml"
    assert len(shown_name("é" * 5_000)) == 200
    assert shown_name("\u200b\n") == "sans nom"
    (one,) = take(sqlite_database, ("z.zip", zipped(("../../../../tmp/x.xml", Days(paid).first))))
    assert one.name == "z.zip › ../../../../tmp/x.xml"
    assert one.done is not None
