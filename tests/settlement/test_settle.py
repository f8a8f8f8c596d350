"""From the open period to the booked bank line, through a bank that answers."""

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from tests.builders import SOMEONE, an_iban
from tests.settlement.bank import Bank
from tests.settlement.town import APPROVER, NOW, PREPARER, Town, a_town, give_rib, wrong_books
from voucher.demonstration.bank import BookedLine, statement
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.network.structures import suspend_structure
from voucher.programme.model import PayingAccount
from voucher.redemption.undo import undo
from voucher.settlement.bank_in.import_bank_file import import_bank_file
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.files_of_batch import ExportedFile
from voucher.settlement.batches.freeze import Frozen, freeze_batch
from voucher.settlement.batches.leave_out import set_aside
from voucher.settlement.batches.preview import preview_batch
from voucher.settlement.formats_out.schemas import validate
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch

TODAY = NOW.date()


def freeze(town: Town, *, by: UUID = PREPARER, now: datetime = NOW) -> Frozen:
    return freeze_batch(town.database, new_id(), town.agreement_id, by=by, now=now)


def sent(town: Town, *, now: datetime = NOW) -> tuple[Frozen, tuple[ExportedFile, ...]]:
    frozen = freeze(town, now=now)
    approve_batch(town.database, frozen.batch_id, by=APPROVER, now=now)
    return frozen, export_batch(town.database, frozen.batch_id, by=PREPARER, now=now)


def states(database: Database) -> dict[str, int]:
    """Return the cents of each advice state."""
    with database.read() as session:
        rows = session.execute(select(PaymentAdvice.state, PaymentAdvice.amount_cents)).all()
    found: dict[str, int] = {}
    for row in rows:
        found[row.state] = found.get(row.state, 0) + row.amount_cents
    return found


def state_of(database: Database, batch_id: UUID) -> str:
    with database.read() as session:
        return session.execute(select(SettlementBatch.state).where(SettlementBatch.id == batch_id)).scalar_one()


def paying_iban(database: Database) -> str:
    with database.read() as session:
        return session.execute(select(PayingAccount.iban)).scalar_one()


def reference_of(database: Database, batch_id: UUID, structure_id: UUID) -> str:
    with database.read() as session:
        return session.execute(
            select(PaymentAdvice.reference).where(
                PaymentAdvice.batch_id == batch_id, PaymentAdvice.structure_id == structure_id
            )
        ).scalar_one()


def take_in(town: Town, messages: list[bytes], *, now: datetime = NOW + timedelta(days=7)) -> None:
    for content in messages:
        import_bank_file(town.database, "banque.xml", content, by=PREPARER, now=now)


def test_a_period_is_frozen_approved_sent_and_paid_by_the_bank(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 3)
    town.redeem(0, 2)
    town.redeem(1, 4)
    frozen, (file,) = sent(town)
    assert (frozen.advice_count, frozen.total_cents, frozen.held_count) == (2, 9_000, 0)
    assert validate(file.content, "pain.001.001.09") == []
    assert states(database) == {"in_file": 9_000}
    assert wrong_books(database) == []
    with Bank(today=TODAY, iban=paying_iban(database)) as bank:
        take_in(town, [message.content for message in bank.send(file.content) if message.type.startswith("pain.002")])
        assert states(database) == {"in_file": 9_000}, "a bank that accepts a file has not paid it"
        bank.advance_to(TODAY + timedelta(days=1))
        take_in(town, bank.statements())
    assert states(database) == {"paid": 9_000}
    assert state_of(database, frozen.batch_id) == "closed"
    assert wrong_books(database) == []


def test_what_was_undone_is_not_paid(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 3)
    undone = town.redeem(0, 5)
    undo(database, undone, town.counters[0], undo_minutes=30, by=SOMEONE, now=NOW)
    assert freeze(town).total_cents == 3_000
    assert wrong_books(database) == []


def test_freezing_twice_with_one_id_changes_nothing_even_after_new_redemptions(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 3)
    batch_id = new_id()
    first = freeze_batch(database, batch_id, town.agreement_id, by=PREPARER, now=NOW)
    town.redeem(0, 4)
    assert freeze_batch(database, batch_id, town.agreement_id, by=PREPARER, now=NOW) == first
    preview = preview_batch(database, town.agreement_id, now=NOW)
    assert preview is not None
    assert (preview.total_cents, preview.number) == (4_000, first.number.replace("/01", "/02"))


def test_an_empty_period_is_refused_in_french(database: Database) -> None:
    town = a_town(database, structure_count=1)
    with pytest.raises(Refused, match="Aucun chèque n’est encaissé"):
        freeze(town)
    town.redeem(0, 3)
    frozen = freeze(town)
    with pytest.raises(Refused, match=f"le lot {frozen.number} a été arrêté le 23.novembre"):
        freeze(town)


def test_a_structure_without_a_rib_is_held_then_taken_up_once_by_the_next_batch(database: Database) -> None:
    town = a_town(database, structure_count=2, with_rib=1)
    town.redeem(0, 3)
    town.redeem(1, 5)
    preview = preview_batch(database, town.agreement_id, now=NOW)
    assert preview is not None
    assert [(one.is_blocking, one.amount_cents) for one in preview.anomalies] == [(True, 5_000), (False, 3_000)]
    first = freeze(town)
    assert (first.advice_count, first.total_cents, first.held_count) == (1, 3_000, 1)
    assert states(database) == {"due": 3_000, "held": 5_000}
    with pytest.raises(Refused) as refused:
        freeze(town)
    assert refused.value.code == "nothing_payable"
    give_rib(database, town.structure_ids[1], 2)
    town.redeem(0, 1)
    second = freeze(town)
    assert (second.advice_count, second.total_cents) == (2, 6_000)
    assert states(database) == {"due": 9_000, "taken_up": 5_000}
    with pytest.raises(Refused):
        freeze(town)
    assert wrong_books(database) == []


def test_the_preview_shows_what_looks_unusual_and_pays_it_all_the_same(database: Database) -> None:
    town = a_town(database, with_rib=0)
    for structure_id in town.structure_ids:
        give_rib(database, structure_id, 1)
    for days_ago in (3, 2):
        town.redeem(0, 1, now=NOW - timedelta(days=days_ago))
    for _ in range(3):
        town.redeem(0, 10)
    town.redeem(1, 2)
    preview = preview_batch(database, town.agreement_id, now=NOW)
    assert preview is not None
    said = [one.sentence for one in preview.anomalies]
    assert said.count("Une autre structure a le même IBAN.") == 2
    assert [one for one in said if one.startswith("Journée inhabituelle : 30 chèques le 23")]
    assert not any(one.is_blocking for one in preview.anomalies)
    assert preview.total_cents == 34_000


def test_what_failed_alone_is_enough_for_a_batch(database: Database) -> None:
    town = a_town(database, structure_count=2, with_rib=1)
    town.redeem(0, 3)
    town.redeem(1, 5)
    freeze(town)
    give_rib(database, town.structure_ids[1], 2)
    assert freeze(town).total_cents == 5_000
    assert wrong_books(database) == []


def test_nothing_payable_leaves_the_period_open(database: Database) -> None:
    town = a_town(database, structure_count=1, with_rib=0)
    town.redeem(0, 3)
    with pytest.raises(Refused, match="Complétez leur RIB"):
        freeze(town)
    town.redeem(0, 2)
    give_rib(database, town.structure_ids[0], 1)
    assert freeze(town).total_cents == 5_000


def test_who_froze_a_batch_may_not_approve_it_says_the_rule_and_says_the_database(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem()
    frozen = freeze(town)
    with pytest.raises(Refused, match="Une autre personne doit le valider"):
        approve_batch(database, frozen.batch_id, by=PREPARER, now=NOW)
    with pytest.raises(IntegrityError, match="four_eyes"), database.write() as session:
        session.execute(text("UPDATE settlement_batch SET approved_by = frozen_by"))
    approve_batch(database, frozen.batch_id, by=APPROVER, now=NOW)
    approve_batch(database, frozen.batch_id, by=APPROVER, now=NOW)
    with pytest.raises(Refused, match="déjà été validé"):
        approve_batch(database, frozen.batch_id, by=SOMEONE, now=NOW)
    assert wrong_books(database) == []


def test_a_batch_that_is_not_approved_does_not_leave(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem()
    with pytest.raises(Refused, match="pas validé"):
        export_batch(database, freeze(town).batch_id, by=PREPARER, now=NOW)


def test_exporting_again_later_gives_the_same_bytes_and_changes_nothing(database: Database) -> None:
    town = a_town(database)
    town.redeem(0)
    town.redeem(1)
    frozen, files = sent(town)
    again = export_batch(database, frozen.batch_id, by=APPROVER, now=NOW + timedelta(days=9))
    assert again == files
    assert states(database) == {"in_file": 20_000}
    assert wrong_books(database) == []


def test_a_public_accountant_gets_an_etat_liquidatif_and_never_a_bank_file(database: Database) -> None:
    town = a_town(database, channel="public_accountant")
    town.redeem(0, 3)
    town.redeem(1, 4)
    frozen, files = sent(town)
    assert [file.kind for file in files] == ["liquidation_csv", "liquidation_json", "liquidation_pdf", "supporting_csv"]
    assert files[2].content.startswith(b"%PDF")
    assert "30,00" in files[0].content.decode("utf-8-sig")
    assert "Encaissement" in files[3].content.decode("utf-8-sig")
    assert export_batch(database, frozen.batch_id, by=PREPARER, now=NOW + timedelta(days=1)) == files
    assert wrong_books(database) == []


def test_the_transfers_leave_on_a_day_when_banks_work(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem()
    saturday = NOW + timedelta(days=5)
    _, (file,) = sent(town, now=saturday)
    assert b"<ReqdExctnDt><Dt>2026-11-30</Dt>" in file.content


def test_a_rib_changed_after_the_freeze_stops_the_export_until_the_payment_is_set_aside(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 3)
    town.redeem(1, 4)
    frozen = freeze(town)
    approve_batch(database, frozen.batch_id, by=APPROVER, now=NOW)
    new_iban = give_rib(database, town.structure_ids[1], 9)
    with pytest.raises(Refused, match="a changé depuis l’arrêt du lot"):
        export_batch(database, frozen.batch_id, by=PREPARER, now=NOW)
    with database.read() as session:
        advice_id = session.execute(
            select(PaymentAdvice.id).where(PaymentAdvice.structure_id == town.structure_ids[1])
        ).scalar_one()
    for _ in range(2):
        set_aside(database, advice_id, "RIB changé", by=PREPARER, now=NOW)
    assert state_of(database, frozen.batch_id) == "frozen", "the total is another one: it must be approved again"
    with pytest.raises(Refused, match="Le lot est maintenant de"):
        approve_batch(database, frozen.batch_id, by=APPROVER, now=NOW, seen_total_cents=7_000)
    approve_batch(database, frozen.batch_id, by=APPROVER, now=NOW, seen_total_cents=3_000)
    export_batch(database, frozen.batch_id, by=PREPARER, now=NOW)
    assert states(database) == {"in_file": 3_000, "held": 4_000}
    assert wrong_books(database) == []
    _, (file,) = sent(town)
    assert new_iban.encode() in file.content
    assert wrong_books(database) == []


def test_a_batch_whose_payments_are_all_set_aside_is_closed(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem()
    frozen = freeze(town)
    suspend_structure(database, town.structure_ids[0], "Contrôle en cours", by=SOMEONE, now=NOW)
    with database.read() as session:
        advice_id = session.execute(select(PaymentAdvice.id)).scalar_one()
    set_aside(database, advice_id, "Structure suspendue", by=PREPARER, now=NOW)
    assert state_of(database, frozen.batch_id) == "closed"
    with pytest.raises(Refused, match="mis de côté"):
        approve_batch(database, frozen.batch_id, by=APPROVER, now=NOW)
    with pytest.raises(Refused, match="mis de côté"):
        export_batch(database, frozen.batch_id, by=APPROVER, now=NOW)
    assert wrong_books(database) == []


def test_a_rejected_transfer_is_owed_again_and_taken_up_once(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 3)
    town.redeem(1, 4)
    _, (file,) = sent(town)
    with Bank(today=TODAY, iban=paying_iban(database)) as bank:
        bank.close_account(an_iban(7002))
        report = [message.content for message in bank.send(file.content) if message.type.startswith("pain.002")]
        take_in(town, report)
        take_in(town, report)
        assert states(database) == {"in_file": 3_000, "rejected": 4_000}
        assert wrong_books(database) == []
        bank.advance_to(TODAY + timedelta(days=1))
        take_in(town, bank.statements())
    assert states(database) == {"paid": 3_000, "rejected": 4_000}
    give_rib(database, town.structure_ids[1], 8)
    second = freeze(town)
    assert second.total_cents == 4_000
    assert states(database) == {"paid": 3_000, "taken_up": 4_000, "due": 4_000}
    assert wrong_books(database) == []


def test_a_transfer_returned_days_later_is_owed_again_and_taken_up_once(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 3)
    town.redeem(1, 4)
    frozen, (file,) = sent(town)
    with Bank(today=TODAY, iban=paying_iban(database)) as bank:
        bank.return_later(reference_of(database, frozen.batch_id, town.structure_ids[1]), days=2, reason="MS03")
        bank.send(file.content)
        bank.advance_to(date(2026, 11, 30))
        statements = bank.statements()
    take_in(town, statements[:1])
    assert states(database) == {"paid": 7_000}
    take_in(town, statements[1:])
    take_in(town, statements)
    assert states(database) == {"paid": 3_000, "returned": 4_000}
    assert wrong_books(database) == []
    town.redeem(1, 1)
    assert freeze(town).total_cents == 5_000
    assert states(database) == {"paid": 3_000, "taken_up": 4_000, "due": 5_000}
    assert wrong_books(database) == []


def test_a_return_that_comes_before_its_debit_waits_for_it(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 4)
    frozen, (file,) = sent(town)
    with Bank(today=TODAY, iban=paying_iban(database)) as bank:
        bank.return_later(reference_of(database, frozen.batch_id, town.structure_ids[0]), days=2, reason="AC04")
        bank.send(file.content)
        bank.advance_to(date(2026, 11, 30))
        statements = bank.statements()
    take_in(town, statements[1:])
    assert states(database) == {"in_file": 4_000}, "nothing proves yet that it was paid"
    assert wrong_books(database) == []
    take_in(town, statements[:1])
    assert states(database) == {"returned": 4_000}
    assert wrong_books(database) == []


def test_a_file_refused_as_a_whole_puts_every_payment_back(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 3)
    town.redeem(1, 4)
    frozen, (file,) = sent(town)
    with Bank(today=TODAY, iban=paying_iban(database)) as bank:
        bank.behave("reject-file")
        take_in(town, [message.content for message in bank.send(file.content)])
    assert states(database) == {"rejected": 7_000}
    assert state_of(database, frozen.batch_id) == "closed"
    assert wrong_books(database) == []


def test_a_file_the_bank_calls_a_duplicate_is_not_rejected(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 3)
    _, (file,) = sent(town)
    with Bank(today=TODAY, iban=paying_iban(database)) as bank:
        bank.send(file.content)
        take_in(town, [message.content for message in bank.send(file.content)])
        assert states(database) == {"in_file": 3_000}
        bank.advance_to(TODAY + timedelta(days=1))
        take_in(town, bank.statements())
    assert states(database) == {"paid": 3_000}


def test_a_clock_that_goes_back_breaks_nothing(database: Database) -> None:
    """Each step comes an hour before the one it follows, as clocks of several machines may say."""
    town = a_town(database)
    town.redeem(0, 3)
    town.redeem(1, 4)
    frozen = freeze(town, now=NOW - timedelta(hours=1))
    approve_batch(database, frozen.batch_id, by=APPROVER, now=NOW - timedelta(hours=2))
    export_batch(database, frozen.batch_id, by=PREPARER, now=NOW - timedelta(hours=3))
    references = {cents: reference for reference, cents in in_file(database)}
    lines = [
        BookedLine(reference=f"T{cents}", amount_cents=cents, is_credit=False, end_to_end_id=reference)
        for cents, reference in references.items()
    ]
    content = statement("R1", paying_iban(database), TODAY, 1_000_000, lines)
    import_bank_file(database, "r.xml", content, by=PREPARER, now=NOW - timedelta(hours=4))
    assert state_of(database, frozen.batch_id) == "closed"
    town.redeem(0, 1, now=NOW - timedelta(hours=5))
    alone = freeze(town, now=NOW - timedelta(hours=6))
    with database.read() as session:
        advice_id = session.execute(
            select(PaymentAdvice.id).where(PaymentAdvice.batch_id == alone.batch_id)
        ).scalar_one()
    set_aside(database, advice_id, "RIB à vérifier", by=PREPARER, now=NOW - timedelta(hours=7))
    assert wrong_books(database) == []


def in_file(database: Database) -> list[tuple[str, int]]:
    with database.read() as session:
        query = select(PaymentAdvice.reference, PaymentAdvice.amount_cents).where(PaymentAdvice.state == "in_file")
        return [(row[0], row[1]) for row in session.execute(query)]


def test_another_issuers_agreement_and_batch_do_not_exist(database: Database) -> None:
    town, stranger = a_town(database, structure_count=1), new_id()
    town.redeem()
    with pytest.raises(Refused, match="n’existe pas"):
        freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=NOW, issuer_id=stranger)
    frozen = freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=NOW, issuer_id=town.agreed.issuer_id)
    with pytest.raises(Refused, match="n’existe pas"):
        approve_batch(database, frozen.batch_id, by=APPROVER, now=NOW, issuer_id=stranger)
    with pytest.raises(Refused, match="n’existe pas"):
        export_batch(database, frozen.batch_id, by=APPROVER, now=NOW, issuer_id=stranger)
    assert preview_batch(database, town.agreement_id, now=NOW, issuer_id=stranger) is None
