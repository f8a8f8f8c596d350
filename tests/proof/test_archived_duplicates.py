"""The audit archive tells who answered a duplicate, without a name; its verifier finds one offered again on the word of one person."""

import io
from datetime import timedelta
from pathlib import Path

import pytest

from tests.clients import settings_for
from tests.proof.archives import Files, repacked, signed_again, verified
from tests.proof.test_lying_archives import KEY, TRUSTED, Lines, lines
from tests.settlement.doubt import LATER, Doubt
from tests.settlement.test_import_statement import OPENING_CENTS, TODAY, credit, debit
from tests.settlement.town import APPROVER, PREPARER
from voucher.kernel.database import Database
from voucher.proof.export_audit import export_audit
from voucher.proof.sealing import journal_key, seal_now
from voucher.settlement.words.states import DuplicateOutcome


@pytest.fixture
def archive(sqlite_database: Database) -> bytes:
    doubt = Doubt(sqlite_database)
    doubt.report(first="DU03")
    for person in (PREPARER, APPROVER):
        doubt.answer(DuplicateOutcome.NEVER_CAME, person, seen=1, why="Écrit par la banque le 12 mars.")
    return archived(sqlite_database)


def archived(database: Database) -> bytes:
    settings = settings_for(database)
    seal_now(database, settings, LATER)
    origin, key = journal_key(settings)
    out = io.BytesIO()
    export_audit(database, out, origin=origin, key=key)
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


def test_a_transfer_that_came_back_as_a_duplicate_and_is_paid_again_is_right(
    sqlite_database: Database, tmp_path: Path
) -> None:
    doubt = Doubt(sqlite_database)
    doubt.paid.take(debit("T1", 3_000, doubt.first))
    back = credit("B1", 3_000, doubt.first, return_reason="AM05")
    doubt.paid.take(back, name="R2", day=TODAY + timedelta(days=1), opening_cents=OPENING_CENTS - 3_000)
    assert doubt.freeze().total_cents == 3_000
    code, words = verified(tmp_path, archived(sqlite_database), "--key", TRUSTED)
    assert code == 0, words


@pytest.mark.parametrize(
    "table, change, said",
    [
        ("duplicate_answer.csv", one_person, "sans que deux personnes l’aient dit"),
        ("duplicate_answer.csv", the_same_person, "la même personne répond deux fois"),
        ("duplicate_answer.csv", withdrawn, "sans que deux personnes l’aient dit"),
        ("transfer_report.csv", none, "n’est annoncé en double par aucun fichier"),
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
