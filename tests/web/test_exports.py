"""Every file that leaves for a spreadsheet holds what people typed, and none of it runs there: all texts of a whole world are made
to begin as formulas do, then each link to a CSV or an XLSX that a person of each role can reach is followed. On the way, each list
is followed from page to page, against its two files: the same headings, the same values, none lost between two pages.
"""

import csv
import inspect
import io
import itertools
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from html import unescape
from urllib.parse import urljoin, urlsplit
from zipfile import ZipFile

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree
from sqlalchemy import String, select, text, update

from tests.clients import app_for
from tests.faults.world import a_full_world, unguarded
from tests.settlement.test_overpayments import DAYS, LATER
from tests.settlement.town import APPROVER, NOW, PREPARER
from tests.web.lists import check_list, lists_of
from voucher.access import sessions
from voucher.access.model import RoleGrant, StaffSession
from voucher.access.rules import Role
from voucher.demonstration import DEMO_PASSWORD, DEMO_STAFF
from voucher.funding.documents import keep_call_documents
from voucher.funding.model import CallKind, FundsCall
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.models import Base
from voucher.network.model import Place
from voucher.programme.model import SettlementChannel
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.model.batches import SettlementBatch
from voucher.settlement.model.recoveries import Overpayment
from voucher.settlement.recoveries.revenue_order import claim_overpayment
from voucher.settlement.words.states import BatchState
from voucher.web.access import SESSION_COOKIE
from voucher.web.tables import read_listing
from voucher.web.tables.workbook import MEDIA_TYPE

SIGNS = ("=", "+", "-", "@", "\t=", "\r=")
# What people, bank files and imports write freely, by column.
FREE = frozenset({
    "address", "address_complement", "agent", "bank_reference", "city", "commitment_number", "contact_email",
    "contact_phone", "counterparty", "decision", "end_to_end_id", "facts", "failure", "file_name",
    "holder_name", "known_as", "label", "lift_reason", "name", "narration", "number", "reason", "recipient", "reference",
    "remittance", "service_code", "state_reason", "subject", "summary", "undone_reason", "vat_regime",
    "website", "why", "withdrawn_reason", "words", "write_off_reason",
})  # fmt: skip
# What has a form of its own, that the system makes or checks: codes, identifiers, hashes, addresses one signs in with. (The database
# holds the words of enumerations.)
FORMED = frozenset({
    "action", "answer", "bank_file", "beginning", "bic", "body", "book", "code", "code_hash", "content", "counterparty_iban", "csv_sha256",
    "department_code", "domain_code", "email", "event_type", "external_id", "file_sha256", "iban", "idp_id", "insee_code", "issuer", "journal", "key",
    "known_email", "message_id", "network", "new_email", "note", "opening_hours", "other_columns", "password_hash", "path",
    "payment_information_id", "pdf_sha256", "phone", "pivot", "postcode", "provider_hint", "ranges", "region_code", "report",
    "return_reason", "role", "rule", "services", "sha256", "siren", "text",
})  # fmt: skip
# Endpoints of which no cell is a free text, with what they hold.
OURS_ALONE = {
    "board.table": "what is to decide, in our sentences, with counts, days and euros",
    "books.journals": "entries and euros by journal and month",
    "books.trial": "euros by account of the chart",
    "counter.today": "counts, euros, services and states of a counter's day",
    "finance.failures": "counts and euros by the banks' reason codes",
    "funding.statement_page": "euros by stage",
    "ledger.proofs": "instants, counts and hashes of checkpoints",
    "prescriber.stock": "booklets by number and state",
}
# Views whose files hold what the page draws otherwise: as charts, cards, a definition list, one scenario of three, or not at all.
DRAWN_OTHERWISE = {
    "board.table", "books.annual_uses", "counter.today", "finance.cash_page", "funding.statement_page",
}  # fmt: skip
# Lists that grow as they are read, since a file of them leaves a line: compared where nothing of it shows.
STILL = {"staff.trail": "?action=compte"}
SHORT_PAGE = 3
# Files of other kinds that pages give; their form is the law's or their receiver's.
OTHER_FORMS = {
    "text/plain": "the FEC (art. A. 47 A-1 LPF), published figures, checkpoints and proofs",
    "application/xml": "pain.001, for the bank",
    "application/json": "the état liquidatif as data, published keys",
    "application/pdf": "printed, not computed",
    "application/zip": "the audit archive",
    "application/x-pem-file": "the programme's key",
}
PAGES_OF_ONE_KIND_MAX = 2
SUM = re.compile(r"SUBTOTAL\(109,[A-Z]+2:[A-Z]+\d+\)")
NUMBER = re.compile(r"[+-]?\d+([,.]\d+)?")


@dataclass(frozen=True, slots=True)
class Hostile:
    """A world whose texts are formulas, and the addresses of files that were written from them and kept."""

    database: Database
    kept: tuple[str, ...]


@pytest.fixture(scope="module")
def hostile_world(open_demonstration: Callable[[str], AbstractContextManager[Database]]) -> Iterator[Hostile]:
    with open_demonstration("sqlite") as database:
        a_full_world(database)
        write_as_formulas(database)
        yield Hostile(database, make_the_files_that_are_kept(database))


def write_as_formulas(database: Database) -> None:
    """Let every free text of every table begin with a sign that starts a formula."""
    # A number and a reference stand in names of files, which a header says on one line.
    signs = dict(zip(sorted(FREE), itertools.cycle(SIGNS), strict=False)) | {"number": "=", "reference": "+"}
    with unguarded(database) as session:
        for table in Base.metadata.sorted_tables:
            for column in table.columns:
                if not isinstance(column.type, String) or column.name not in FREE:
                    continue
                changed = text(f"UPDATE {table.name} SET {column.name} = :sign || {column.name}")
                session.execute(changed, {"sign": signs[column.name]})
        # A report of an import says the file's words in JSON.
        session.execute(text("""UPDATE places_import SET report = replace(report, ',"demo-', ',"=demo-')"""))
        session.commit()


def make_the_files_that_are_kept(database: Database) -> tuple[str, ...]:
    """Let calls, a batch of the public accountant and a demand to it write their lists out of what is planted; return where."""
    of_accountant = SettlementBatch.channel == SettlementChannel.PUBLIC_ACCOUNTANT
    with database.read() as session:
        calls = select(FundsCall.id).where(FundsCall.kind == CallKind.USE).order_by(FundsCall.reference.desc())
        call_ids = session.scalars(calls.limit(PAGES_OF_ONE_KIND_MAX)).all()
        batch_id = session.scalars(
            select(SettlementBatch.id).where(of_accountant, SettlementBatch.state == BatchState.FROZEN)
        ).one()
        overpayment_id = session.scalars(
            select(Overpayment.id)
            .where(Overpayment.claimed_at.is_(None), Overpayment.recovered_cents < Overpayment.amount_cents)
            .limit(1)
        ).one()
    claim_overpayment(database, new_id(), overpayment_id, days=DAYS, by=PREPARER, now=LATER)
    for call_id in call_ids:
        keep_call_documents(database, call_id, now=NOW)
    approve_batch(database, batch_id, by=APPROVER, now=NOW)
    export_batch(database, batch_id, by=PREPARER, now=NOW)
    return (
        *(f"/financement/appels/{call_id}/fichiers/uses_csv" for call_id in call_ids),
        *(f"/finances/lots/{batch_id}/fichiers/{kind}" for kind in ("liquidation_csv", "supporting_csv")),
        f"/finances/trop-percus/{overpayment_id}/demande/csv",
    )


def test_every_text_of_a_table_is_free_or_has_a_form_of_its_own() -> None:
    texts = {one.name for table in Base.metadata.sorted_tables for one in table.columns if isinstance(one.type, String)}
    assert texts == FREE | FORMED, "say of a new column whether people write it freely"
    assert set() == FREE & FORMED


@pytest.mark.long
def test_nothing_that_people_wrote_runs_in_a_spreadsheet_and_each_list_is_its_files(
    hostile_world: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_listing.__kwdefaults__ is not None
    monkeypatch.setitem(read_listing.__kwdefaults__, "per_page", SHORT_PAGE)
    app = app_for(hostile_world.database, NOW, is_demo=True)
    found: dict[str, list[list[str]]] = defaultdict(list)  # texts of each file, by endpoint and kind
    others: set[str] = set()
    lists: dict[str, int] = {}  # how many rows of each endpoint's lists were compared
    # A counter's day without a voucher offers no list.
    starts = {Role.MEDIATOR: ("/comptoir/aujourdhui?format=csv",), Role.FINANCE_PREPARER: hostile_world.kept}
    taken: dict[tuple[str, str], int] = defaultdict(int)
    for role in (None, *Role):
        client = visitor(app, hostile_world.database, role)
        for endpoint, kind, texts in files_of(app, client, ("/", *starts.get(role, ())), taken, lists):
            if texts is None:
                others.add(kind)
            else:
                found[f"{endpoint} {kind}"].append(texts)
    running = {
        file: [cell for texts in many for cell in texts if runs(cell)]
        for file, many in found.items()
        if file.endswith("csv")
    }
    assert {file: texts for file, texts in running.items() if texts} == {}
    assert {"finance.file csv", "funding.call_file csv", "finance.order_file csv"} <= set(found), "what is kept leaves"
    tame = {
        file
        for file, many in found.items()
        if not any(
            starts_a_formula(one.removeprefix("'")) and not NUMBER.fullmatch(one) for texts in many for one in texts
        )
    }
    assert {file.split()[0] for file in tame} == set(OURS_ALONE), "these hold nothing that was planted"
    assert others <= set(OTHER_FORMS)
    exporters = {endpoint for endpoint, view in app.view_functions.items() if gives_a_list(view)}
    assert exporters - {file.split()[0] for file in found} == set(), "nobody reached these lists"
    assert exporters - {one for one, count in lists.items() if count} == DRAWN_OTHERWISE
    assert [one for one, count in lists.items() if count > SHORT_PAGE] != []


def visitor(app: Flask, database: Database, role: Role | None) -> FlaskClient:
    client = app.test_client()
    if role is not None:
        token = sessions.sign_in(database, DEMO_STAFF[role][0], DEMO_PASSWORD, now=NOW)
        client.set_cookie(SESSION_COOKIE, token)
    if role is Role.MEDIATOR:
        with database.write() as session:
            mine = select(Place.id).join(RoleGrant, RoleGrant.scope_id == Place.structure_id).limit(1)
            session.execute(update(StaffSession).values(place_id=mine.scalar_subquery()))
    return client


def files_of(
    app: Flask,
    client: FlaskClient,
    starts: tuple[str, ...],
    taken: dict[tuple[str, str], int],
    lists: dict[str, int],
) -> Iterator[tuple[str, str, list[str] | None]]:
    """Follow every link from a person's first page and from `starts`; give each file: its endpoint, its kind, its texts.

    `taken` counts the files of each kind that somebody has taken: one who may take them too need not again.
    """
    adapter = app.url_map.bind("127.0.0.1")
    first = client.get("/personnes/moi", follow_redirects=True)
    waiting = [*starts, *links(first.request.path, first.get_data(as_text=True))]
    seen: set[str] = set()
    pages: dict[tuple[str, str], int] = defaultdict(int)
    while waiting:
        link = waiting.pop(0)
        parts = urlsplit(link)
        endpoint, values = adapter.match(parts.path, method="GET")
        form = (re.search(r"format=\w+", parts.query) or [values.get("kind", "")])[0]
        counted = taken if form else pages
        kind = (endpoint, form or ("?" if parts.query else ""))
        if link in seen or counted[kind] >= PAGES_OF_ONE_KIND_MAX or endpoint == "web.static":
            continue
        seen.add(link)
        counted[kind] += 1
        answer = client.get(link, buffered=True)
        if answer.status_code in (302, 303):
            waiting.append(answer.location)
            continue
        assert answer.status_code == 200, f"{link}: {answer.status}"
        if answer.mimetype == "text/html":
            page = answer.get_data(as_text=True)
            waiting += links(parts.path, page)
            if not parts.query and not lists.get(endpoint) and (found := lists_of(page)):
                where = link + STILL.get(endpoint, "")
                lists[endpoint] = sum(check_list(client, where, rank) for rank in range(len(found)))
        elif answer.mimetype == "text/csv":
            yield endpoint, "csv", cells_of(answer.get_data())
        elif answer.mimetype == MEDIA_TYPE:
            yield endpoint, "xlsx", texts_of(answer.get_data())
        else:
            yield endpoint, str(answer.mimetype), None
        answer.close()


def links(path: str, page: str) -> list[str]:
    whole = [urljoin(path, unescape(found)) for found in re.findall(r'<a\b[^>]*\bhref="([^"#]+)', page)]
    return [one for one in whole if one.startswith("/")]


def cells_of(content: bytes) -> list[str]:
    lines = content.decode("utf-8-sig")
    delimiter = ";" if ";" in lines.splitlines()[0] else ","
    return [cell for row in csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter) for cell in row]


def texts_of(content: bytes) -> list[str]:
    """Return the texts of a workbook; its only formulas are our own sums, which hold no text."""
    with ZipFile(io.BytesIO(content)) as book:
        sheet = etree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    formulas = [one.text or "" for one in sheet.iter("{*}f")]
    assert [one for one in formulas if not SUM.fullmatch(one)] == []
    # A workbook writes a carriage return so.
    return [(one.text or "").replace("_x000D_", "\r") for one in sheet.iter("{*}t")]


def starts_a_formula(cell: str) -> bool:
    return cell.lstrip(" \u00a0\u202f").startswith(("=", "+", "-", "@", "\t", "\r"))


def runs(cell: str) -> bool:
    """Say whether a spreadsheet would compute a cell of a CSV file, its own numbers left out."""
    return starts_a_formula(cell) and not NUMBER.fullmatch(cell)


def gives_a_list(view: Callable[..., object]) -> bool:
    """Say whether a view, or a function of its module that it calls or chooses from a table, writes rows for a spreadsheet."""
    source = inspect.getsource(view)
    module = sys.modules[view.__module__]
    called = []
    for name, held in vars(module).items():
        # A function that is called, or each of a table that one is chosen from.
        if re.search(rf"(?<![.\w]){name}(\(|\.get\()", source):
            called += [one for one in (held.values() if isinstance(held, dict) else [held]) if inspect.isfunction(one)]
    ours = [one for one in called if one.__module__ == module.__name__]
    return any(re.search(r"\blist_file\(", inspect.getsource(one)) for one in (view, *ours))
