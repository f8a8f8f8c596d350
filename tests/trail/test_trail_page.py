"""The trail is searched by person, act, subject and days, taken as a file that leaves its own line, and each line shows its seal."""

import csv
import io
from datetime import UTC, datetime, timedelta

import openpyxl

from tests.builders import NOW, an_agreement
from tests.clients import a_person, app_for, sign_in, signed_in_client
from tests.listed import listed
from voucher.access.audit import note_access
from voucher.access.read_trail import SYSTEM, TrailLine, trail
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked
from voucher.kernel.typed_days import wrong_days
from voucher.proof.sealing import seal_now

PAGE = "/personnes/journal"
LAST_SECOND = datetime(2026, 3, 2, 22, 59, 59, 999999, tzinfo=UTC)  # of the second of March, in Paris


def found(database: Database, **filters: str) -> list[TrailLine]:
    lines, _ = listed(trail(database, Asked(limit=20, filters=filters)))
    return list(lines)


def subjects(database: Database, **filters: str) -> list[str]:
    return [line.subject for line in found(database, **filters)]


def test_each_filter_finds_its_lines_and_both_days_are_counted_in(database: Database) -> None:
    one, other = (a_person(database, None, email=f"{name}@pass.example") for name in ("claire", "luce"))
    for who, action, subject, at in (
        (one, "account_opened", "l’une", LAST_SECOND),
        (other, "Lecture d’un RIB", "structure 100%", LAST_SECOND + timedelta(microseconds=1)),
        (None, "Lecture d’un RIB", "structure 1001", LAST_SECOND + timedelta(days=1, microseconds=1)),
    ):
        note_access(database, who, action, subject, at)
    assert subjects(database) == ["l’une", "structure 100%", "structure 1001"]
    assert subjects(database, who="LUCE@pass") == ["structure 100%"]
    assert subjects(database, who=SYSTEM) == ["structure 1001"]
    assert subjects(database, who="camille") == ["l’une", "structure 100%"], "the name of both"
    assert subjects(database, action="compte ouvert") == ["l’une"]
    assert subjects(database, action="lecture d'un rib", subject="100%") == ["structure 100%"]
    assert subjects(database, since="02/03/2026", until="2026-03-02") == ["l’une"]
    assert subjects(database, since="2026-03-03") == ["structure 100%", "structure 1001"]
    assert subjects(database, until="2026-03-03") == ["l’une", "structure 100%"]
    assert subjects(database, since="hier") == []
    assert "hier" in wrong_days("hier", None)
    assert "après" in wrong_days("2026-03-03", "02/03/2026")
    assert wrong_days("2026-03-03", "03/03/2026") == wrong_days(None, "") == ""


def test_a_line_shows_its_number_once_it_is_sealed(database: Database) -> None:
    an_agreement(database)
    note_access(database, None, "Compte ouvert", "première", NOW)
    note_access(database, None, "Compte ouvert", "seconde", NOW + timedelta(hours=1))
    app = app_for(database, NOW)
    seal_now(database, app.extensions["services"].settings, NOW)
    assert [line.leaf for line in found(database)] == [0, None]
    page = signed_in_client(app, database, Role.AUDITOR).get(f"{PAGE}?sujet=première").text
    assert "première" in page
    assert "seconde" not in page


def test_a_file_of_the_trail_is_what_was_asked_and_leaves_a_line(database: Database) -> None:
    app = app_for(database, NOW)
    auditor_id = a_person(database, Role.AUDITOR, now=NOW, email="audit@pass.example")
    note_access(database, auditor_id, "Lecture d’un RIB", "structure A", NOW - timedelta(days=40))
    note_access(database, auditor_id, "Lecture d’un RIB", "structure B", NOW)
    auditor = sign_in(app, database, auditor_id)
    asked = f"{PAGE}?action=lecture&du=2026-03-01"
    text = auditor.get(f"{asked}&format=csv").get_data().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))
    assert [(row["Qui"], row["Adresse"], row["Quoi"], row["Sur quoi"]) for row in rows] == [
        ("Camille Exemple", "audit@pass.example", "Lecture d’un RIB", "structure B")
    ]
    book = openpyxl.load_workbook(io.BytesIO(auditor.get(f"{asked}&format=xlsx").get_data()))
    assert [cell.value for cell in next(book.active.iter_rows(min_row=2, max_row=2))][-1] == "structure B"
    taken = [(line.email, line.subject) for line in found(database, action="Export du journal")]
    assert taken == [("audit@pass.example", "1 lignes : action « lecture », du « 2026-03-01 »")] * 2
    page = auditor.get(f"{PAGE}?du=hier").text
    assert "« hier »" in page
    assert "structure B" not in page


def test_only_the_programme_and_the_auditor_read_it(sqlite_database: Database) -> None:
    app = app_for(sqlite_database, NOW)
    answers = {
        role: signed_in_client(app, sqlite_database, role).get(PAGE).status_code
        for role in (Role.FINANCE_PREPARER, Role.PROGRAMME, Role.AUDITOR)
    }
    assert answers == {Role.FINANCE_PREPARER: 403, Role.PROGRAMME: 200, Role.AUDITOR: 200}
