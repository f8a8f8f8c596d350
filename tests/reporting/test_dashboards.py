"""Finance's dashboards through the application: figures lead to their rows, tables are files too, a scope shows its own alone."""

import io
import re
from datetime import timedelta

import openpyxl
import pytest
from flask.testing import FlaskClient

from tests.clients import app_for, signed_in_client
from tests.reporting.life import advices, book, export_period
from tests.settlement.town import NOW, a_town
from voucher.access.rules import Role
from voucher.demonstration.bank import BookedLine
from voucher.kernel.database import Database
from voucher.kernel.money import format_euros

HERE = "/finances/tableau-de-bord"
TABLES = (
    "/dettes", "/dettes?tableau=etats", "/dettes/lignes", "/encaissements", "/lots", "/lots?tableau=etapes",
    "/rejets?tableau=motif", "/rejets?tableau=banque", "/rejets?tableau=mois", "/rejets/lignes", "/tresorerie",
)  # fmt: skip


class Desk:
    """Two issuers' towns, one with a transfer that came back; a preparer for all, a preparer for the first issuer."""

    def __init__(self, database: Database) -> None:
        town, other = a_town(database), a_town(database, structure_count=1)
        town.redeem(0, 3)
        town.redeem(1, 4)
        batch_id = export_period(town, now=NOW)
        reference, cents = advices(database, batch_id)[0]
        book(
            town,
            [BookedLine(reference="T1", amount_cents=cents, is_credit=False, end_to_end_id=reference)],
            now=NOW + timedelta(days=1),
        )
        book(
            town,
            [
                BookedLine(
                    reference="T2", amount_cents=cents, is_credit=True, end_to_end_id=reference, return_reason="AC04"
                )
            ],
            now=NOW + timedelta(days=2),
        )
        other.redeem(0, 5, now=NOW + timedelta(days=2))
        self.failed_cents = cents
        app = app_for(database, NOW + timedelta(days=3))
        self.whole = signed_in_client(app, database, Role.FINANCE_PREPARER)
        self.scoped = signed_in_client(app, database, Role.FINANCE_PREPARER, other.agreed.issuer_id)


@pytest.fixture
def desk(sqlite_database: Database) -> Desk:
    return Desk(sqlite_database)


def text_of(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.get_data(as_text=True)


def test_every_figure_leads_to_its_rows(desk: Desk) -> None:
    seen, waiting = set(), [HERE]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = desk.whole.get(path)
        content = answer.get_data()
        assert answer.status_code == 200, path
        if "format=" not in path:
            links = re.findall(r'href="([^"]+)"', content.decode())
            links = [link.replace("&amp;", "&") for link in links]
            links = [path.split("?")[0] + link if link.startswith("?") else link for link in links]
            waiting += [link for link in links if link.startswith(HERE) and "tri=" not in link]
    assert len({path.split("?")[0] for path in seen if path.startswith(HERE)}) == 8


def test_what_is_owed_stands_beside_the_ledger(desk: Desk) -> None:
    page = text_of(desk.whole, f"{HERE}/dettes")
    assert "Égal au registre." in page
    assert format_euros(12_000) in page
    rows = text_of(desk.whole, f"{HERE}/dettes/lignes?etat=rejete")
    assert format_euros(desk.failed_cents) in rows


def test_a_finance_role_held_for_one_issuer_sees_its_own_alone(desk: Desk) -> None:
    assert format_euros(5_000) in text_of(desk.scoped, f"{HERE}/dettes")
    assert "Aucun rejet." in text_of(desk.scoped, f"{HERE}/rejets")
    assert "Aucun lot." in text_of(desk.scoped, f"{HERE}/lots")
    for path in TABLES:
        assert "AC04" not in text_of(desk.scoped, path_as(path, "csv"))


@pytest.mark.parametrize("path", TABLES)
def test_each_table_is_a_csv_file_and_a_workbook_with_the_same_rows(desk: Desk, path: str) -> None:
    lines = text_of(desk.whole, path_as(path, "csv")).strip().splitlines()
    content = desk.whole.get(path_as(path, "xlsx")).get_data()
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet.auto_filter.ref.endswith(str(len(lines)))
    assert len(lines) > 1
    assert sheet.cell(1, 1).value == lines[0].removeprefix("\ufeff").split(";")[0]


def path_as(path: str, kind: str) -> str:
    return f"{HERE}{path}{'&' if '?' in path else '?'}format={kind}"


def test_odd_filters_break_no_page(desk: Desk) -> None:
    for odd in ("etat=x", "age=x", "du=hier&au=demain", "scenario=x", "convention=x", "mois=x", "retard=x", "etape=x"):
        for path in {path.split("?")[0] for path in TABLES}:
            text_of(desk.whole, f"{HERE}{path}?{odd}")
