"""The audit archive tells who answered a duplicate, without a name; its verifier finds one offered again on the word of one person."""

import io
from pathlib import Path

import pytest

from tests.clients import settings_for
from tests.proof.archives import Files, repacked, signed_again, verified
from tests.proof.test_lying_archives import KEY, TRUSTED, Lines, lines
from tests.settlement.doubt import LATER, Doubt
from tests.settlement.town import APPROVER, PREPARER
from voucher.kernel.database import Database
from voucher.proof.export_audit import export_audit
from voucher.proof.sealing import journal_key, seal_now
from voucher.settlement.model_reports import DuplicateOutcome


@pytest.fixture
def archive(sqlite_database: Database) -> bytes:
    doubt = Doubt(sqlite_database)
    doubt.report(first="DU03")
    for person in (PREPARER, APPROVER):
        doubt.answer(DuplicateOutcome.NEVER_CAME, person, seen=1, why="Écrit par la banque le 12 mars.")
    settings = settings_for(sqlite_database)
    seal_now(sqlite_database, settings, LATER)
    origin, key = journal_key(settings)
    out = io.BytesIO()
    export_audit(sqlite_database, out, origin=origin, key=key)
    return out.getvalue()


def one_person(found: list[str]) -> list[str]:
    return found[:2]


def the_same_person(found: list[str]) -> list[str]:
    return [one.replace(str(APPROVER), str(PREPARER)).replace(APPROVER.hex, PREPARER.hex) for one in found]


def withdrawn(found: list[str]) -> list[str]:
    place = found[0].strip().split(",").index("withdrawn_at")
    cells = found[1].rstrip("\n").split(",")
    cells[place] = "2026-11-23T10:00:00.000000Z"
    return [found[0], ",".join(cells) + "\n", *found[2:]]


def none(found: list[str]) -> list[str]:
    return found[:1]


def test_an_archive_with_a_duplicate_answered_by_two_people_is_right(archive: bytes, tmp_path: Path) -> None:
    assert verified(tmp_path, archive, "--key", TRUSTED)[0] == 0
    assert "12 mars" not in archive.decode("utf-8", "ignore")


@pytest.mark.parametrize(
    "table, change, said",
    [
        ("duplicate_answer.csv", one_person, "sans que deux personnes l'aient dit"),
        ("duplicate_answer.csv", the_same_person, "la même personne répond deux fois"),
        ("duplicate_answer.csv", withdrawn, "sans que deux personnes l'aient dit"),
        ("transfer_report.csv", none, "n'est annoncé en double par aucun fichier"),
    ],
)
def test_a_duplicate_offered_again_otherwise_is_named(
    archive: bytes, tmp_path: Path, table: str, change: Lines, said: str
) -> None:
    def lie(files: Files) -> None:
        lines(table, change)(files)
        signed_again(files, KEY)

    code, words = verified(tmp_path, repacked(archive, lie), "--key", TRUSTED)
    assert code != 0
    assert said in words, words
