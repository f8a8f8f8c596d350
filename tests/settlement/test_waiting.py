"""Why a payment waits is told as it is now, the same on every page; what is held has not failed."""

import re
from datetime import timedelta
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import select

from tests.clients import app_for, signed_in_client
from tests.settlement.reports import status_report
from tests.settlement.test_finance_pages import Office
from tests.settlement.test_urgent import LATER, Failed
from tests.settlement.town import APPROVER, NOW, PREPARER, Town, a_town, give_rib, wrong_books
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.network.structures import qualify_structure, suspend_structure
from voucher.programme.change_payment_terms import PaymentTerms, change_payment_terms
from voucher.settlement.bank_in.import_report import import_report
from voucher.settlement.batches import read
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import Frozen, freeze_batch
from voucher.settlement.batches.freeze_urgent import urgent_preview
from voucher.settlement.batches.leave_out import set_aside
from voucher.settlement.batches.preview import preview_batch
from voucher.settlement.deadlines.payment_deadlines import dues
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.payable.why_waiting import Waiting, batch_waiting, by_title, why_waiting


def freeze(town: Town) -> Frozen:
    return freeze_batch(town.database, new_id(), town.agreement_id, by=PREPARER, now=NOW)


def advice_of(town: Town, rank: int, batch_id: UUID | None = None) -> UUID:
    query = select(PaymentAdvice.id).where(PaymentAdvice.structure_id == town.structure_ids[rank])
    with town.database.read() as session:
        return session.scalars(query if batch_id is None else query.where(PaymentAdvice.batch_id == batch_id)).one()


def waiting_of(town: Town, rank: int) -> Waiting:
    advice_id = advice_of(town, rank)
    with town.database.read() as session:
        return why_waiting(session, [advice_id], LATER)[advice_id]


def titles(town: Town) -> set[str]:
    """What every source of the pages says of the second structure."""
    database = town.database
    waiting = waiting_of(town, 1)
    clock = {one.title for one in dues(database, LATER, within_days=None) if one.structure_id == town.structure_ids[1]}
    urgent = urgent_preview(database, town.agreement_id, now=LATER)
    assert urgent is not None
    (line,) = [one for one in urgent.lines if one.structure_id == town.structure_ids[1]]
    assert line.why_not == ("" if waiting.held is None else waiting.act)
    assert waiting.said.what in line.why_failed
    return {waiting.title, *clock}


def test_why_a_payment_is_held_is_told_as_it_is_now(database: Database) -> None:
    town = a_town(database, with_rib=1)
    town.redeem(0, 3)
    town.redeem(1, 4)
    freeze(town)
    assert titles(town) == {"RIB manquant"}
    suspend_structure(database, town.structure_ids[1], "Contrôle en cours", by=PREPARER, now=NOW)
    assert titles(town) == {"Structure suspendue"}
    preview = preview_batch(database, town.agreement_id, now=LATER)
    assert preview is not None
    assert [one.cause.title for one in preview.owed if one.cause] == ["Structure suspendue"]
    qualify_structure(database, town.structure_ids[1], by=PREPARER, now=NOW)
    give_rib(database, town.structure_ids[1], 9)
    assert titles(town) == {"Prêt à repartir"}
    assert wrong_books(database) == []


def test_what_a_person_set_aside_says_so_whatever_they_wrote(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 3)
    town.redeem(1, 4)
    freeze(town)
    set_aside(database, advice_of(town, 1), "RIB manquant au dossier papier", by=PREPARER, now=NOW)
    waiting = waiting_of(town, 1)
    assert (waiting.held, waiting.said.what) == (
        None,
        "Mis de côté : RIB manquant au dossier papier. La somme reste due.",
    )
    assert titles(town) == {"Mis de côté"}


def test_what_is_too_small_waits_for_the_batch_that_reaches_the_least_amount(database: Database) -> None:
    town = a_town(database)
    change_payment_terms(database, town.agreement_id, PaymentTerms("monthly", 2_000, 30), by=PREPARER, now=NOW)
    town.redeem(0, 3)
    town.redeem(1, 1)
    freeze(town)
    waiting = waiting_of(town, 1)
    assert (waiting.title, waiting.holder) == ("Sous le minimum", "Personne")
    town.redeem(1, 1, now=LATER)
    waiting = waiting_of(town, 1)
    assert waiting.title == "Prêt à repartir", "with what was used since, it is enough"


def test_a_new_rib_is_asked_only_when_the_account_failed(database: Database) -> None:
    account, other = Failed(database, "AC04"), Failed(database, "MS03")
    acts = {one.agreement_id: one for one in dues(database, LATER, within_days=None) if one.title}
    assert acts[account.town.agreement_id].act == "Compte fermé : demandez un nouveau RIB à la structure."
    assert "RIB" not in acts[other.town.agreement_id].act
    give_rib(database, account.first, 60, now=LATER)
    acts = {one.agreement_id: one for one in dues(database, LATER, within_days=None) if one.title}
    assert acts[account.town.agreement_id].title == "Prêt à repartir"


def test_what_the_preview_says_will_wait_is_what_the_batch_holds(database: Database) -> None:
    town = a_town(database, with_rib=1)
    town.redeem(0, 3)
    town.redeem(1, 4)
    freeze(town)
    town.redeem(0, 3, now=NOW + timedelta(hours=1))
    town.redeem(1, 2, now=NOW + timedelta(hours=1))
    preview = preview_batch(database, town.agreement_id, now=LATER)
    assert preview is not None
    assert (preview.held_count, preview.held_cents, preview.held_before_cents) == (1, 2_000, 4_000)
    frozen = freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=LATER)
    waits = batch_waiting(database, frozen.batch_id, LATER)
    assert by_title(waits.values()) == [("RIB manquant", preview.held_count, preview.held_cents)]


def test_what_is_held_has_not_failed(database: Database) -> None:
    town = a_town(database, structure_count=3, with_rib=2)
    for rank in range(3):
        town.redeem(rank, 3)
    frozen = freeze(town)
    (row,) = read.batches(database, Asked()).rows
    assert (row.failed_count, row.held_count) == (0, 1)
    approve_batch(database, frozen.batch_id, by=APPROVER, now=NOW)
    export_batch(database, frozen.batch_id, by=PREPARER, now=NOW)
    with database.read() as session:
        reference = session.scalars(
            select(PaymentAdvice.reference).where(PaymentAdvice.structure_id == town.structure_ids[0])
        ).one()
    report = status_report(frozen.batch_id, transfers={reference: "AC04"})
    import_report(database, "rapport.xml", report, by=PREPARER, now=NOW)
    (row,) = read.batches(database, Asked()).rows
    assert (row.failed_count, row.held_count) == (1, 1)


def client_of(database: Database, role: Role = Role.FINANCE_PREPARER) -> FlaskClient:
    return signed_in_client(app_for(database, LATER), database, role)


def test_the_page_of_a_batch_says_of_each_held_row_why_and_what_to_do(sqlite_database: Database) -> None:
    town = a_town(sqlite_database, structure_count=3, with_rib=2)
    for rank in range(3):
        town.redeem(rank, 3)
    frozen = freeze(town)
    set_aside(sqlite_database, advice_of(town, 1), "Facture à vérifier", by=PREPARER, now=NOW)
    client = client_of(sqlite_database)
    page = client.get(f"/finances/lots/{frozen.batch_id}").get_data(as_text=True)
    assert "En attente. RIB manquant. La somme reste due." in page
    assert "Mis de côté : Facture à vérifier. La somme reste due." in page
    assert "Arrêter le lot suivant, ou payer sans attendre." in page
    assert "Un RIB manque, ou la structure est suspendue" not in page
    assert "Mis de côté : 1\u00a0règlement" in page
    batches = client.get("/finances/lots").get_data(as_text=True)
    assert re.search(r"En attente\W*2\b", batches)
    assert "en échec" not in batches
    advice = client.get(f"/finances/reglements/{advice_of(town, 2)}").get_data(as_text=True)
    assert "La structure doit agir." in advice


def test_the_totals_and_the_day_of_execution_say_what_is_known(sqlite_database: Database) -> None:
    office = Office(sqlite_database)
    batch = office.freeze()
    page = office.preparer.get(batch).get_data(as_text=True)
    assert "Les trois totaux sont égaux." not in page
    assert "Deux totaux sur trois sont égaux." in page
    assert "Pas encore fixée : le jour de la transmission, ou le jour ouvré bancaire qui la suit" in page
    assert "Fixée par qui paie" not in page
    batch_id = UUID(batch.rsplit("/", 1)[1])
    approve_batch(sqlite_database, batch_id, by=APPROVER, now=NOW)
    export_batch(sqlite_database, batch_id, by=PREPARER, now=NOW)
    page = office.preparer.get(batch).get_data(as_text=True)
    assert "Les trois totaux sont égaux." in page
    assert "24\u00a0novembre\u00a02026" in page or "23\u00a0novembre\u00a02026" in page


def test_an_accountants_batch_is_executed_when_the_accountant_says(sqlite_database: Database) -> None:
    office = Office(sqlite_database, channel="public_accountant")
    assert "Fixée par le comptable public" in office.preparer.get(office.freeze()).get_data(as_text=True)
