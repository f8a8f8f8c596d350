"""A payment in each state and for each reason: its page at the office and at the structure, its paper, e-mails and files say the same."""

import csv
import io
from datetime import datetime, timedelta
from html import unescape
from uuid import UUID

from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import select

from tests.clients import app_for, signed_in_client
from tests.settlement.test_accountant_return import HEADS
from tests.settlement.test_clock import pivot_of
from tests.settlement.test_documents import text_of
from tests.settlement.test_structure_letters import give_address, letters
from tests.settlement.town import APPROVER, NOW, PREPARER, Town, a_town, give_rib, wrong_books
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.network.structures import suspend_structure
from voucher.settlement.bank_in.accountant_return import import_accountant_return
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.batches.freeze_urgent import freeze_urgent_batch
from voucher.settlement.batches.leave_out import set_aside
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.payable.hold_by_hand import NewHold, place_hold
from voucher.settlement.payable.read_payment_facts import said_of
from voucher.settlement.words.payment_sentences import Said
from voucher.settlement.words.states import AdviceState

LATER = NOW + timedelta(days=10)
TOO_LATE = NOW + timedelta(days=90)

TAKEN = {  # by the accountant's return, in order
    "paid": ("payé;24/11/2026;",),
    "closed account": ("rejeté;24/11/2026;AC04",),
    "refused": ("rejeté;24/11/2026;MS03",),
    "came back": ("payé;24/11/2026;", "retourné;30/11/2026;AC04"),
    "came back, RIB given": ("payé;24/11/2026;", "retourné;30/11/2026;AC04"),
    "came back, suspended": ("payé;24/11/2026;", "retourné;30/11/2026;MS03"),
    "taken up": ("rejeté;24/11/2026;MS03",),
    "duplicate": ("rejeté;24/11/2026;Déjà payé, doublon",),
}
HELD = ("set aside", "set aside, blocked", "no RIB")
KINDS = (*TAKEN, "in transit", *HELD)


class World:
    """One structure for each kind of payment, all of one batch."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.town: Town = a_town(
            database, structure_count=len(KINDS), with_rib=len(KINDS) - 1, channel="public_accountant"
        )
        for rank in range(len(KINDS)):
            self.town.redeem(rank, 1)
            give_address(self.town, rank, f"structure{rank}@association.example")
        self.batch_id = new_id()
        freeze_batch(database, self.batch_id, self.town.agreement_id, by=PREPARER, now=NOW)
        with database.read() as session:
            found = session.execute(select(PaymentAdvice.structure_id, PaymentAdvice.id, PaymentAdvice.reference)).all()
        advices = {row.structure_id: row for row in found}
        self.advice = {kind: advices[self.structure(kind)].id for kind in KINDS}
        self.reference = {kind: advices[self.structure(kind)].reference for kind in KINDS}
        for kind in HELD[:2]:
            set_aside(database, self.advice[kind], "Facture à vérifier", by=PREPARER, now=NOW)
        approve_batch(database, self.batch_id, by=APPROVER, now=NOW)
        export_batch(database, self.batch_id, by=PREPARER, now=NOW)
        self.was_sent = said_of(database, self.advice.values(), NOW)
        lines = [f"{self.reference[kind]};10,00;{line}" for kind, said in TAKEN.items() for line in said]
        import_accountant_return(database, "retour.csv", (HEADS + "\n".join(lines)).encode(), by=PREPARER, now=LATER)
        self.had_failed = said_of(database, self.advice.values(), LATER)
        pivot = pivot_of(self.town, KINDS.index("set aside, blocked"))
        place_hold(database, NewHold(new_id(), pivot, None, "RIB à vérifier"), by=PREPARER, now=LATER)
        give_rib(database, self.structure("came back, RIB given"), 300, now=LATER)
        suspend_structure(database, self.structure("came back, suspended"), "Contrôle", by=PREPARER, now=LATER)
        freeze_urgent_batch(
            database, new_id(), self.town.agreement_id, [self.structure("taken up")], by=PREPARER, now=LATER
        )

    def structure(self, kind: str) -> UUID:
        return self.town.structure_ids[KINDS.index(kind)]

    def client(self, role: Role, scope_id: UUID | None = None, now: datetime = LATER) -> FlaskClient:
        return signed_in_client(app_for(self.database, now), self.database, role, scope_id)

    def said(self, now: datetime) -> dict[str, Said]:
        told = said_of(self.database, self.advice.values(), now)
        return {kind: told[self.advice[kind]] for kind in KINDS}


def plain(text: str) -> str:
    """Return a text with one blank between its words, whatever kind of blank it was."""
    return " ".join(unescape(text).split())


def rows_of(client: FlaskClient, address: str) -> dict[str, list[str]]:
    """Return the lines of a CSV by their references."""
    text = client.get(address).data.decode("utf-8-sig")
    head, *lines = csv.reader(io.StringIO(text), delimiter=";")
    references = [any(cell.startswith("PN-") for cell in column) for column in zip(*lines, strict=True)].index(True)
    found = {row[references]: [plain(cell) for cell in row] for row in lines}
    return {"head": head, **found}


def test_every_page_paper_e_mail_and_file_says_the_same_of_each_payment(sqlite_database: Database) -> None:
    world = World(sqlite_database)
    for now in (LATER, TOO_LATE):
        pages_papers_and_files_say_the_same(world, now)
    a_day_of_payment_is_given_only_of_a_payment_that_stands(world)
    each_e_mail_says_what_the_pages_said_on_its_day(world)
    each_use_says_what_its_payment_says(world)
    assert wrong_books(sqlite_database) == []


def pages_papers_and_files_say_the_same(world: World, now: datetime) -> None:
    told = world.said(now)
    assert len({one.what for one in told.values()}) == len(KINDS), "each kind is told in its own words"
    finance = world.client(Role.FINANCE_PREPARER, now=now)
    batch = f"/finances/lots/{world.batch_id}"
    of_batch, listed = plain(finance.get(batch).get_data(as_text=True)), rows_of(finance, f"{batch}?format=csv")
    sheet = load_workbook(io.BytesIO(finance.get(f"{batch}?format=xlsx").data)).active
    assert sheet is not None
    cells = {plain(str(cell)) for row in sheet.iter_rows(values_only=True) for cell in row}
    for kind in KINDS:
        advice_id, sentence = world.advice[kind], plain(told[kind].sentence)
        manager = world.client(Role.PLACE_MANAGER, world.structure(kind), now)
        assert sentence in of_batch
        assert sentence in listed[world.reference[kind]]
        assert kind == "in transit" or plain(told[kind].next_for_office) in listed[world.reference[kind]]
        assert sentence in cells
        office = plain(finance.get(f"/finances/reglements/{advice_id}").get_data(as_text=True))
        own = plain(manager.get(f"/comptoir/paiements/{advice_id}").get_data(as_text=True))
        for page, following in ((office, told[kind].next_for_office), (own, told[kind].next_for_structure)):
            assert plain(told[kind].what) in page
            assert plain(f"{told[kind].when} {following}") in page
        assert sentence in plain(manager.get("/comptoir/paiements/").get_data(as_text=True))
        account = finance.get(f"/finances/structures/{world.structure(kind)}")
        assert sentence in plain(account.get_data(as_text=True))
        letter = plain(finance.get(f"/finances/reglements/{advice_id}/ecrire").get_data(as_text=True))
        assert plain(told[kind].what)[1:] in letter
        ours = rows_of(manager, "/comptoir/paiements/?format=csv")[world.reference[kind]]
        assert sentence in ours
        assert plain(told[kind].next_for_structure) in ours
        for client, address in (
            (manager, f"/comptoir/paiements/{advice_id}/bordereau.pdf"),
            (finance, f"/finances/reglements/{advice_id}/bordereau.pdf"),
        ):
            paper = client.get(address)
            assert (paper.status_code == 200) == (kind not in HELD)
            assert kind in HELD or f"? {sentence}" in text_of(paper.data)


def a_day_of_payment_is_given_only_of_a_payment_that_stands(world: World) -> None:
    finance = world.client(Role.FINANCE_PREPARER)
    listed = rows_of(finance, f"/finances/lots/{world.batch_id}?format=csv")
    paid_on = listed["head"].index("Payé le")
    assert {kind for kind in KINDS if listed[world.reference[kind]][paid_on]} == {"paid"}
    with world.database.read() as session:
        came_back = session.scalars(
            select(PaymentAdvice.id).where(
                PaymentAdvice.state == AdviceState.RETURNED, PaymentAdvice.paid_on.is_not(None)
            )
        ).all()
    assert len(came_back) == 3, "and the others keep the day on which they had been"


def each_e_mail_says_what_the_pages_said_on_its_day(world: World) -> None:
    about = {(one.about_id, one.kind): plain(one.body) for one in letters(world.database)}
    for kind in KINDS:
        advice_id = world.advice[kind]
        assert ((advice_id, "advice_sent") in about) == (kind not in HELD)
        if kind not in HELD:
            body = about[advice_id, "advice_sent"]
            assert plain(world.was_sent[advice_id].sentence) in body
            assert "Cette situation est celle du 23 novembre 2026." in body
    failed = {key: body for key, body in about.items() if key[1] in ("advice_rejected", "advice_returned")}
    assert len(failed) == 6
    for (advice_id, _), body in failed.items():
        assert plain(world.had_failed[advice_id].sentence) in body
        assert plain(world.had_failed[advice_id].act)[1:] in body


def each_use_says_what_its_payment_says(world: World) -> None:
    told = world.said(LATER)
    for kind in KINDS:
        manager = world.client(Role.PLACE_MANAGER, world.structure(kind))
        listed = plain(manager.get("/comptoir/paiements/encaissements").get_data(as_text=True))
        if kind == "taken up":
            assert "En attente de validation." in listed, "the payment that took it up is told"
        else:
            assert plain(told[kind].what) in listed
