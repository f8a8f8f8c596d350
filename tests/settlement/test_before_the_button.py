"""What a person sees before the button that pays: what cannot leave, what looks unusual, the same on every page."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.builders import an_iban
from tests.settlement.test_finance_pages import Office
from tests.settlement.test_urgent import LATER, Failed
from tests.settlement.town import APPROVER, NOW, PREPARER, a_town, give_rib, wrong_books
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.network.model import Structure
from voucher.network.structures import suspend_structure
from voucher.settlement.batches import read
from voucher.settlement.batches.anomalies import Sign
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.batch_anomalies import batch_anomalies
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.batches.freeze_urgent import urgent_preview
from voucher.settlement.batches.leave_out import set_aside
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.payable.hold_by_hand import NewHold, place_hold


@pytest.mark.parametrize("what", ["rib", "suspension", "block"])
def test_a_batch_of_which_a_payment_cannot_leave_is_not_approved(database: Database, what: str) -> None:
    town = a_town(database)
    town.redeem(0, 3)
    town.redeem(1, 4)
    frozen = freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=NOW)
    first = town.structure_ids[0]
    if what == "rib":
        give_rib(database, first, 50)
    elif what == "suspension":
        suspend_structure(database, first, "Contrôle en cours", by=PREPARER, now=NOW)
    else:
        with database.read() as session:
            pivot = session.execute(select(Structure.pivot).where(Structure.id == first)).scalar_one()
        place_hold(database, NewHold(new_id(), pivot, town.agreement_id, "Doute"), by=PREPARER, now=NOW)
    found = read.batch(database, frozen.batch_id)
    assert found is not None
    assert len(found.changed) == 1
    with pytest.raises(Refused, match=r"Rien n’est validé\..*mettre ce règlement de côté"):
        approve_batch(database, frozen.batch_id, by=APPROVER, now=NOW)
    with database.read() as session:
        advice_id = session.scalars(select(PaymentAdvice.id).where(PaymentAdvice.structure_id == first)).one()
    set_aside(database, advice_id, "À vérifier", by=PREPARER, now=NOW)
    approve_batch(database, frozen.batch_id, by=APPROVER, now=NOW)
    export_batch(database, frozen.batch_id, by=PREPARER, now=NOW)
    assert wrong_books(database) == []


def test_the_page_of_a_batch_says_before_the_button_that_it_cannot_be_approved(sqlite_database: Database) -> None:
    office = Office(sqlite_database)
    batch = office.freeze()
    assert "Le lot pourra être transmis" in office.approver.get(batch).get_data(as_text=True)
    give_rib(sqlite_database, office.town.structure_ids[0], 50)
    page = office.approver.get(batch).get_data(as_text=True)
    assert "Le lot pourra être transmis" not in page
    assert "1\u00a0règlement ne peut pas partir" in page
    assert "Ce lot ne peut pas encore être validé." in page
    said = office.post(office.approver, batch, f"{batch}/valider", total_cents=7_000)
    assert "Rien n’est validé." in said
    assert "Il peut maintenant être transmis" not in said


def test_a_recent_rib_and_an_unusual_amount_are_seen_by_who_approves(database: Database) -> None:
    town = a_town(database)
    for month in (2, 1):
        now = NOW - timedelta(days=31 * month)
        town.redeem(0, 1, now=now)
        town.redeem(1, 1, now=now)
        frozen = freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=now)
        assert (
            Sign.FIRST_PAYMENT in {one.sign for one in batch_anomalies(database, frozen.batch_id, now=now)}
            or month == 1
        )
        approve_batch(database, frozen.batch_id, by=APPROVER, now=now)
        export_batch(database, frozen.batch_id, by=PREPARER, now=now)
        assert batch_anomalies(database, frozen.batch_id, now=now) == (), "it left"
    give_rib(database, town.structure_ids[0], 50, now=NOW - timedelta(days=2))
    for _ in range(4):
        town.redeem(1, 10, now=NOW)
    town.redeem(0, 1, now=NOW)
    frozen = freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=NOW)
    found = {one.sign: one for one in batch_anomalies(database, frozen.batch_id, now=NOW)}
    assert found[Sign.NEW_RIB].structure_id == town.structure_ids[0]
    assert an_iban(7050)[-4:] in found[Sign.NEW_RIB].evidence[0]
    assert found[Sign.HIGH_AMOUNT].structure_id == town.structure_ids[1]
    assert len(found[Sign.HIGH_AMOUNT].evidence) == 2, "itself is no past payment"
    assert Sign.FIRST_PAYMENT not in found


def test_a_burst_of_a_structure_that_is_set_aside_is_not_the_batchs(database: Database) -> None:
    town = a_town(database, with_rib=1)
    town.redeem(0, 1)
    for rank in range(11):
        town.redeem(1, 1, now=NOW + timedelta(seconds=rank))
    frozen = freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=NOW + timedelta(minutes=1))
    found = batch_anomalies(database, frozen.batch_id, now=NOW)
    assert {one.structure_id for one in found} == {town.structure_ids[0]}


def test_a_recent_rib_is_seen_before_an_urgent_batch_and_by_who_approves_it(database: Database) -> None:
    failed = Failed(database)
    give_rib(database, failed.first, 50)
    preview = urgent_preview(database, failed.town.agreement_id, now=LATER)
    assert preview is not None
    assert Sign.NEW_RIB in {one.sign for one in preview.anomalies}
    batch_id = failed.freeze(failed.first)
    assert Sign.NEW_RIB in {one.sign for one in batch_anomalies(database, batch_id, now=LATER)}


def test_the_signs_stand_before_the_button_on_both_pages(sqlite_database: Database) -> None:
    office = Office(sqlite_database)
    give_rib(sqlite_database, office.town.structure_ids[0], 50)
    page = office.approver.get(office.freeze()).get_data(as_text=True)
    sign, button = page.index("Le RIB a changé il y a moins de"), page.index("Valider le lot")
    assert sign < button
    assert re.search(r"Rappelez la structure, à un numéro que vous connaissez", page)
