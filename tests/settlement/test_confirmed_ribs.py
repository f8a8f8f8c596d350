"""A new RIB is paid on once another person than who recorded it confirmed it, and never approved by who confirmed it."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from tests.builders import CONFIRMER, SOMEONE, an_iban
from tests.settlement.test_urgent import LATER, Failed
from tests.settlement.town import APPROVER, NOW, PREPARER, Town, a_town, give_rib, wrong_books
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.network.confirm_rib import confirm_bank_details, dismiss_bank_details
from voucher.network.model import BankDetails
from voucher.network.structures import NewBankDetails, record_bank_details
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.batch_anomalies import batch_anomalies
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.batches.freeze_urgent import freeze_urgent_batch
from voucher.settlement.batches.preview import preview_batch
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.payable.ribs_to_confirm import rib_count, rib_to_confirm, ribs_to_confirm
from voucher.settlement.payable.why_waiting import why_waiting


def recorded(town: Town, structure_id: UUID, iban: str, *, by: UUID = SOMEONE) -> UUID:
    """Record a RIB that waits; return its id."""
    details = NewBankDetails(new_id(), structure_id, "ASSOCIATION NOUVELLE", iban, iban)
    record_bank_details(town.database, details, by=by, now=NOW)
    return details.id


def frozen(town: Town) -> UUID:
    return freeze_batch(town.database, new_id(), town.agreement_id, by=PREPARER, now=LATER).batch_id


def why_held(town: Town) -> dict[UUID, str]:
    preview = preview_batch(town.database, town.agreement_id, now=LATER)
    assert preview is not None
    return {one.structure_id: one.cause.act for one in preview.owed if one.cause is not None}


def paid_on(database: Database, batch_id: UUID) -> set[str | None]:
    with database.read() as session:
        return set(session.scalars(select(PaymentAdvice.iban).where(PaymentAdvice.batch_id == batch_id)))


def test_until_it_is_confirmed_payments_use_the_last_confirmed_one(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem()
    waiting = recorded(town, town.structure_ids[0], an_iban(9001))
    batch_id = frozen(town)
    assert paid_on(database, batch_id) == {an_iban(7001)}
    (anomaly,) = [one for one in batch_anomalies(database, batch_id, now=LATER) if one.sign == "rib-recent"]
    assert "va encore sur l’ancien" in anomaly.sentence
    assert an_iban(9001)[-4:] in anomaly.evidence[0]
    approve_batch(database, batch_id, by=APPROVER, now=LATER)
    confirm_bank_details(database, waiting, by=CONFIRMER, now=LATER)
    with pytest.raises(Refused, match="a changé depuis l’arrêt du lot"):
        export_batch(database, batch_id, by=PREPARER, now=LATER)
    assert wrong_books(database) == []


def test_a_first_rib_is_not_paid_on_before_it_is_confirmed(database: Database) -> None:
    town = a_town(database, structure_count=2, with_rib=1)
    town.redeem(0, 3)
    town.redeem(1, 4)
    waiting = recorded(town, town.structure_ids[1], an_iban(9002))
    act = why_held(town)[town.structure_ids[1]]
    assert act.startswith("RIB à confirmer : celui enregistré le ")
    assert act.endswith("Qui l’a enregistré ne peut pas le confirmer.")
    batch_id = frozen(town)
    with database.read() as session:
        held_id = session.scalars(select(PaymentAdvice.id).where(PaymentAdvice.is_payable.is_(False))).one()
        waits = why_waiting(session, [held_id], LATER)[held_id]
    assert (waits.title, waits.holder) == ("RIB à confirmer", "Le programme ou les finances")
    confirm_bank_details(database, waiting, by=CONFIRMER, now=LATER)
    assert why_held(town) == {}
    assert paid_on(database, frozen(town)) == {an_iban(9002)}
    assert batch_id
    assert wrong_books(database) == []


def test_one_that_is_dismissed_leaves_the_structure_without(database: Database) -> None:
    town = a_town(database, structure_count=1, with_rib=0)
    town.redeem()
    dismiss_bank_details(database, recorded(town, town.structure_ids[0], an_iban(9003)), by=CONFIRMER, now=NOW)
    assert why_held(town)[town.structure_ids[0]].startswith("RIB manquant")


def test_a_refused_account_waits_for_the_confirmation_of_the_next(database: Database) -> None:
    failed = Failed(database, "AC04")
    waiting = recorded(failed.town, failed.first, an_iban(9004))
    act = why_held(failed.town)[failed.first]
    assert act.startswith("RIB à confirmer")
    assert "L’ancien ne peut pas servir (compte fermé)." in act
    with pytest.raises(Refused, match="RIB à confirmer"):
        freeze_urgent_batch(database, new_id(), failed.town.agreement_id, [failed.first], by=PREPARER, now=LATER)
    confirm_bank_details(database, waiting, by=CONFIRMER, now=LATER)
    batch_id = failed.freeze(failed.first)
    assert paid_on(database, batch_id) == {an_iban(9004)}
    assert wrong_books(database) == []


def test_the_same_rib_recorded_again_frees_what_it_holds_once_it_is_confirmed(database: Database) -> None:
    failed = Failed(database, "AC06")
    again = NewBankDetails(new_id(), failed.first, "ASSOCIATION 1", an_iban(7001), an_iban(7001))
    record_bank_details(database, again, by=SOMEONE, now=LATER)
    assert why_held(failed.town)[failed.first].startswith("RIB à confirmer")
    (row,) = ribs_to_confirm(database)
    assert row.changes == ("Rien ne change : le même RIB est enregistré de nouveau.",)
    confirm_bank_details(database, again.id, by=CONFIRMER, now=LATER)
    assert why_held(failed.town) == {}
    assert wrong_books(database) == []


def test_who_confirmed_a_rib_does_not_approve_a_batch_that_pays_it(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 3)
    town.redeem(1, 4)
    confirm_bank_details(database, recorded(town, town.structure_ids[0], an_iban(9005)), by=APPROVER, now=NOW)
    batch_id = frozen(town)
    with pytest.raises(Refused, match="Vous avez confirmé un RIB que ce lot paie") as refused:
        approve_batch(database, batch_id, by=APPROVER, now=LATER)
    assert refused.value.code == "confirmed_by_approver"
    approve_batch(database, batch_id, by=new_id(), now=LATER)
    export_batch(database, batch_id, by=PREPARER, now=LATER)
    assert wrong_books(database) == []


def test_who_approved_a_batch_and_then_confirms_the_rib_it_pays_stops_it(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem()
    batch_id = frozen(town)
    approve_batch(database, batch_id, by=APPROVER, now=LATER)
    same = NewBankDetails(new_id(), town.structure_ids[0], "ASSOCIATION 1", an_iban(7001), an_iban(7001))
    record_bank_details(database, same, by=SOMEONE, now=LATER)
    confirm_bank_details(database, same.id, by=APPROVER, now=LATER + timedelta(hours=1))
    with pytest.raises(Refused, match="la personne qui a validé le lot a confirmé le RIB"):
        export_batch(database, batch_id, by=PREPARER, now=LATER + timedelta(hours=2))
    assert wrong_books(database) == []


def test_what_was_in_use_before_confirmations_is_paid_on(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem()
    with database.write() as session:
        session.execute(update(BankDetails).values(confirmed_by=None, confirmed_at=BankDetails.recorded_at))
    batch_id = frozen(town)
    approve_batch(database, batch_id, by=APPROVER, now=LATER)
    assert paid_on(database, batch_id) == {an_iban(7001)}
    assert wrong_books(database) == []


def test_the_list_says_who_recorded_what_and_what_it_changes(database: Database) -> None:
    town, other = a_town(database, structure_count=1), a_town(database, structure_count=1, with_rib=0)
    town.redeem()
    first, second = town.structure_ids[0], other.structure_ids[0]
    one, two = recorded(town, first, an_iban(9006)), recorded(other, second, an_iban(9007), by=PREPARER)
    rows = {row.id: row for row in ribs_to_confirm(database)}
    assert rows[one].recorded_by == SOMEONE
    assert [said.partition(" :")[0] for said in rows[one].changes] == ["Le compte change", "Le titulaire change"]
    assert an_iban(7001)[-4:] in rows[one].changes[0]
    assert rows[two].changes == ("C’est son premier RIB. Sans lui, elle ne peut pas être payée.",)
    assert all(an_iban(9006) not in part for part in (rows[one].masked_iban, *rows[one].changes))
    # Finance of one issuer sees those whom its vouchers are owed to.
    issuer_id = town.agreed.issuer_id
    assert [row.id for row in ribs_to_confirm(database, issuer_id=issuer_id)] == [one]
    assert (rib_count(database), rib_count(database, issuer_id=issuer_id)) == (2, 1)
    assert rib_to_confirm(database, two, issuer_id=issuer_id) is None
    give_rib(database, second, 8)
    assert rib_to_confirm(database, two) is None, "another took its place"
