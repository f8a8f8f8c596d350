"""Paying again at once what failed, while the open period stays open."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from tests.settlement.bank import Bank
from tests.settlement.reports import status_report
from tests.settlement.test_disputes import balance, claw_back, sent
from tests.settlement.town import APPROVER, NOW, PREPARER, Town, a_town, give_rib, wrong_books
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.programme.model import Agreement, PayingAccount
from voucher.redemption.model import Period
from voucher.settlement.bank_in.import_report import import_report
from voucher.settlement.batches import read
from voucher.settlement.batches.advice_document import advice_document
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.batches.freeze_urgent import freeze_urgent_batch, urgent_preview
from voucher.settlement.batches.read_advice import advice
from voucher.settlement.formats_out.documents import Contact
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.words.states import AdviceState

LATER = NOW + timedelta(hours=2)


class Failed:
    """Two structures, 30 € and 40 €: the bank refused the first one's transfer; both took vouchers again since."""

    def __init__(self, database: Database, reason: str = "AC04") -> None:
        self.database = database
        self.town: Town = a_town(database)
        self.town.redeem(0, 3)
        self.town.redeem(1, 4)
        self.first, self.second = self.town.structure_ids
        batch_id = new_id()
        self.number = freeze_batch(database, batch_id, self.town.agreement_id, by=PREPARER, now=NOW).number
        approve_batch(database, batch_id, by=APPROVER, now=NOW)
        export_batch(database, batch_id, by=PREPARER, now=NOW)
        with database.read() as session:
            reference = session.scalars(
                select(PaymentAdvice.reference).where(PaymentAdvice.structure_id == self.first)
            ).one()
        report = status_report(batch_id, transfers={reference: reason})
        import_report(database, "rapport.xml", report, by=PREPARER, now=NOW)
        self.town.redeem(0, 5, now=NOW + timedelta(minutes=5))

    def freeze(self, *structure_ids: UUID, batch_id: UUID | None = None) -> UUID:
        batch_id = batch_id or new_id()
        freeze_urgent_batch(self.database, batch_id, self.town.agreement_id, structure_ids, by=PREPARER, now=LATER)
        return batch_id

    def why_not(self) -> dict[UUID, str]:
        found = urgent_preview(self.database, self.town.agreement_id, now=LATER)
        assert found is not None
        return {line.structure_id: line.why_not for line in found.lines}


def test_what_failed_is_paid_again_at_once_and_the_open_period_stays_open(database: Database) -> None:
    failed = Failed(database)
    give_rib(database, failed.first, 50)
    batch_id = failed.freeze(failed.first)
    page = read.batch(database, batch_id)
    assert page is not None
    assert (page.number, page.total_cents, page.period_opened_at) == (f"{failed.number}-U1", 3_000, None)
    with database.read() as session:
        assert len(session.scalars(select(Period.id).where(Period.closed_at.is_(None))).all()) == 1
        iban = session.execute(select(PayingAccount.iban)).scalar_one()
    approve_batch(database, batch_id, by=APPROVER, now=LATER)
    (file,) = export_batch(database, batch_id, by=PREPARER, now=LATER)
    assert b"<InstrPrty>HIGH</InstrPrty>" in file.content
    with Bank(today=NOW.date(), iban=iban) as bank:
        answer = bank.answer(file.content)
    assert b"<GrpSts>ACCP</GrpSts>" in answer
    assert wrong_books(database) == []
    ordinary = freeze_batch(database, new_id(), failed.town.agreement_id, by=PREPARER, now=LATER)
    assert ordinary.total_cents == 5_000
    assert wrong_books(database) == []


def test_its_advice_on_paper_says_that_a_payment_is_made_again(database: Database) -> None:
    failed = Failed(database)
    give_rib(database, failed.first, 50)
    batch_id = failed.freeze(failed.first)
    with database.read() as session:
        advice_id = session.scalars(select(PaymentAdvice.id).where(PaymentAdvice.batch_id == batch_id)).one()
    page = advice(database, advice_id, now=LATER)
    assert page is not None
    assert page.receipts == ()
    assert [one.amount_cents for one in page.carried] == [3_000]
    name, content = advice_document(page, Contact("le service", "a@b.example", ""))
    assert content.startswith(b"%PDF")
    assert "-U1-" in name


def test_a_cause_that_is_not_mended_is_said_and_stops_all(database: Database) -> None:
    failed = Failed(database, "AC04")
    assert "fermé" in failed.why_not()[failed.first]
    with pytest.raises(Refused, match="fermé"):
        failed.freeze(failed.first)
    give_rib(database, failed.first, 51)
    assert failed.why_not() == {failed.first: ""}
    assert wrong_books(database) == []


def test_a_reason_that_is_not_the_accounts_lets_the_same_rib_be_paid(database: Database) -> None:
    failed = Failed(database, "AB05")
    assert failed.why_not() == {failed.first: ""}
    failed.freeze(failed.first)
    assert wrong_books(database) == []


def test_only_what_failed_can_be_chosen(database: Database) -> None:
    failed = Failed(database, "AB05")
    with pytest.raises(Refused, match="n’attend plus rien"):
        failed.freeze(failed.first, failed.second)
    with pytest.raises(Refused, match="Choisissez au moins une structure"):
        failed.freeze()
    with pytest.raises(Refused, match="n’existe pas"):
        freeze_urgent_batch(
            database, new_id(), failed.town.agreement_id, [failed.first], by=PREPARER, now=LATER, issuer_id=new_id()
        )


def test_the_same_command_twice_makes_one_batch_and_four_eyes_hold(database: Database) -> None:
    failed = Failed(database, "AB05")
    batch_id = failed.freeze(failed.first)
    assert failed.freeze(failed.first, batch_id=batch_id) == batch_id
    with pytest.raises(Refused, match="same_id_other_content"):
        failed.freeze(failed.first, failed.second, batch_id=batch_id)
    with pytest.raises(Refused, match="same_id_other_content"):
        freeze_batch(database, batch_id, failed.town.agreement_id, by=PREPARER, now=LATER)
    with pytest.raises(Refused, match="Une autre personne"):
        approve_batch(database, batch_id, by=PREPARER, now=LATER)
    with pytest.raises(Refused, match="n’attend plus rien"):
        failed.freeze(failed.first)
    with database.read() as session:
        taken = session.scalars(select(PaymentAdvice.state).where(PaymentAdvice.batch_id != batch_id)).all()
    assert sorted(taken) == [AdviceState.IN_FILE, AdviceState.TAKEN_UP]


def test_what_is_owed_back_is_netted_from_a_small_urgent_payment_too(database: Database) -> None:
    town = a_town(database)
    contested = town.redeem(0, 1)
    town.redeem(0, 2)
    town.redeem(1, 4)
    batch_id = sent(town).batch_id
    with database.read() as session:
        references = select(PaymentAdvice.reference).where(PaymentAdvice.structure_id == town.structure_ids[0])
        reference = session.scalars(references).one()
    report = status_report(batch_id, transfers={reference: "AB05"})
    import_report(database, "rapport.xml", report, by=PREPARER, now=NOW)
    claw_back(town, contested)
    with database.write() as session:
        session.execute(update(Agreement).values(minimum_payment_cents=2_500))
    frozen = freeze_urgent_batch(database, new_id(), town.agreement_id, town.structure_ids[:1], by=PREPARER, now=LATER)
    assert (frozen.total_cents, balance(town, "4671")) == (2_000, 0)
    assert wrong_books(database) == []


def test_a_structure_held_for_its_rib_is_paid_as_soon_as_it_gives_one(database: Database) -> None:
    town = a_town(database, structure_count=2, with_rib=1)
    town.redeem(0, 3)
    town.redeem(1, 4)
    freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=NOW)
    preview = urgent_preview(database, town.agreement_id, now=LATER)
    assert preview is not None
    assert [line.why_not.split(" :")[0] for line in preview.lines] == ["RIB manquant"]
    give_rib(database, town.structure_ids[1], 60)
    batch = freeze_urgent_batch(database, new_id(), town.agreement_id, [town.structure_ids[1]], by=PREPARER, now=LATER)
    assert (batch.total_cents, batch.advice_count) == (4_000, 1)
    second = freeze_second(database, town)
    assert second.endswith("/02")
    assert wrong_books(database) == []


def freeze_second(database: Database, town: Town) -> str:
    town.redeem(0, 1, now=LATER)
    return freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=LATER).number


def test_an_urgent_etat_liquidatif_lists_what_it_takes_up(database: Database) -> None:
    town = a_town(database, structure_count=2, with_rib=1, channel="public_accountant")
    town.redeem(0, 3)
    town.redeem(1, 4)
    first = freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=NOW)
    give_rib(database, town.structure_ids[1], 61)
    frozen = freeze_urgent_batch(database, new_id(), town.agreement_id, [town.structure_ids[1]], by=PREPARER, now=LATER)
    approve_batch(database, frozen.batch_id, by=APPROVER, now=LATER)
    files = {file.kind: file.content for file in export_batch(database, frozen.batch_id, by=PREPARER, now=LATER)}
    assert f"Reprise du lot {first.number}" in files["supporting_csv"].decode("utf-8-sig")
    assert b'"periode": null' in files["liquidation_json"]
    assert wrong_books(database) == []
