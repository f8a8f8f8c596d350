"""What needs a decision: each risk is seen, with its figures, and the most serious comes first."""

from datetime import UTC, date, datetime, timedelta

from tests.builders import (
    CONFIRMER,
    SOMEONE,
    an_agreement,
    an_iban,
    entrusted_booklets,
    handed_over_booklets,
    issued_booklets,
)
from tests.reporting.life import book, export_period
from tests.settlement.town import APPROVER, NOW, PREPARER, a_town
from voucher.demonstration.bank import BookedLine
from voucher.distribution.hand_over import hand_over
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.network.confirm_rib import confirm_bank_details
from voucher.network.structures import NewBankDetails, record_bank_details
from voucher.reporting.decisions import Decision, Risk, decisions
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.reconciliation.read import line_counts

EARLY = datetime(2026, 3, 2, 9, tzinfo=UTC)  # far from the last day of the builders' vouchers


def found(database: Database, now: datetime) -> dict[Risk, Decision]:
    return {one.risk: one for one in decisions(database, now=now, limit=99)[0]}


def test_nothing_is_asked_of_an_empty_programme(database: Database) -> None:
    assert decisions(database, now=NOW) == ([], 0)


def test_a_batch_that_waits_is_seen_until_it_is_exported(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 3)
    batch_id = new_id()
    freeze_batch(database, batch_id, town.agreement_id, by=PREPARER, now=NOW)
    assert Risk.BATCH_WAITS not in found(database, NOW + timedelta(days=2))
    waits = found(database, NOW + timedelta(days=4))[Risk.BATCH_WAITS]
    assert (waits.count, waits.amount_cents, waits.on, waits.is_urgent) == (1, 3000, NOW.date(), False)
    assert "les valider." in waits.sentence
    assert found(database, NOW + timedelta(days=31))[Risk.BATCH_WAITS].is_urgent
    approve_batch(database, batch_id, by=APPROVER, now=NOW + timedelta(days=4))
    assert Risk.BATCH_WAITS not in found(database, NOW + timedelta(days=5))
    assert "les transmettre." in found(database, NOW + timedelta(days=9))[Risk.BATCH_WAITS].sentence


def test_a_transfer_nobody_confirms_is_seen(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 3)
    export_period(town, now=NOW)
    assert Risk.TRANSFER_UNCONFIRMED not in found(database, NOW + timedelta(days=9))
    transit = found(database, NOW + timedelta(days=11))[Risk.TRANSFER_UNCONFIRMED]
    assert (transit.count, transit.amount_cents, transit.on) == (1, 3000, NOW.date())


def test_structures_without_a_rib_are_seen_before_and_after_the_batch(database: Database) -> None:
    town = a_town(database, with_rib=1)
    town.redeem(0, 2)
    town.redeem(1, 4)
    before = found(database, NOW)[Risk.NO_BANK_DETAILS]
    assert (before.count, before.amount_cents, before.on) == (1, 4000, NOW.date())
    freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=NOW)
    town.redeem(1, 1, now=NOW + timedelta(days=1))
    after = found(database, NOW + timedelta(days=1))[Risk.NO_BANK_DETAILS]
    assert (after.count, after.amount_cents) == (1, 5000)
    details = NewBankDetails(new_id(), town.structure_ids[1], "ASSOCIATION 9", an_iban(7009), an_iban(7009))
    record_bank_details(database, details, by=SOMEONE, now=NOW)
    waits = found(database, NOW + timedelta(days=1))
    assert Risk.NO_BANK_DETAILS not in waits
    assert (waits[Risk.RIB_TO_CONFIRM].count, waits[Risk.RIB_TO_CONFIRM].amount_cents) == (1, 5000)
    confirm_bank_details(database, details.id, by=CONFIRMER, now=NOW)
    assert not {Risk.NO_BANK_DETAILS, Risk.RIB_TO_CONFIRM} & set(found(database, NOW + timedelta(days=1)))


def test_lines_of_the_bank_that_nothing_explains_are_seen(database: Database) -> None:
    town, other = a_town(database), a_town(database)
    book(town, [BookedLine(reference="V1", amount_cents=250_000, is_credit=True, counterparty="DGE")], now=NOW)
    assert Risk.BANK_LINES not in found(database, NOW + timedelta(days=7))
    lines = found(database, NOW + timedelta(days=9))[Risk.BANK_LINES]
    assert (lines.count, lines.amount_cents, lines.on) == (1, 250_000, NOW.date())
    later = NOW + timedelta(days=9)
    assert [one.risk for one in decisions(database, now=later, agreement_id=town.agreement_id)[0]] == [Risk.BANK_LINES]
    # One is old: all that wait are told, as finance reads them.
    book(town, [BookedLine(reference="V2", amount_cents=1_000, is_credit=True, counterparty="DGE")], now=later)
    lines, counts = found(database, later)[Risk.BANK_LINES], line_counts(database)
    assert (lines.count, lines.amount_cents) == (counts.waiting_count, counts.waiting_credit_cents) == (2, 251_000)
    assert decisions(database, now=later, agreement_id=other.agreement_id) == ([], 0)


def test_vouchers_near_their_last_day_are_seen_where_they_are(database: Database) -> None:
    agreed = an_agreement(database, use_by=date(2026, 12, 31))
    issued_booklets(database, 2, agreed=agreed)
    handed_over_booklets(database, agreed=agreed)
    assert Risk.LAST_DAY_NEAR not in found(database, datetime(2026, 10, 31, tzinfo=UTC))
    near = found(database, NOW)[Risk.LAST_DAY_NEAR]
    assert (near.count, near.amount_cents, near.on, near.is_urgent) == (30, 30_000, date(2026, 12, 31), False)
    assert "10 sont chez des personnes, 20 en stock" in near.sentence
    assert found(database, datetime(2026, 12, 17, 12, tzinfo=UTC))[Risk.LAST_DAY_NEAR].is_urgent
    assert Risk.LAST_DAY_NEAR not in found(database, datetime(2027, 1, 2, tzinfo=UTC))


def test_an_agreement_whose_credit_is_nearly_used_is_seen(database: Database) -> None:
    agreed = an_agreement(database, committed_cents=100_000)
    issued_booklets(database, 9, agreed=agreed)
    assert Risk.CREDIT_LOW not in found(database, EARLY)  # exactly a tenth is left
    issued_booklets(database, 1, agreed=agreed)
    low = found(database, EARLY)[Risk.CREDIT_LOW]
    assert (low.count, low.amount_cents) == (1, 0)


def test_stock_that_does_not_move_is_seen_until_a_booklet_is_handed_over(database: Database) -> None:
    issued, prescriber_id = entrusted_booklets(database, 3, now=EARLY)
    assert Risk.STOCK_STILL not in found(database, EARLY + timedelta(days=29))
    still = found(database, EARLY + timedelta(days=31))[Risk.STOCK_STILL]
    assert (still.count, still.amount_cents) == (1, 30_000)
    assert "3 carnets" in still.sentence
    later = EARLY + timedelta(days=31)
    hand_over(database, new_id(), issued.first_booklet_number, prescriber_id, by=SOMEONE, now=later)
    assert Risk.STOCK_STILL not in found(database, later)


def test_the_most_serious_comes_first_and_what_is_urgent_before_all(database: Database) -> None:
    town = a_town(database, with_rib=1)
    town.redeem(0, 2)
    town.redeem(1, 4)
    book(town, [BookedLine(reference="V1", amount_cents=250_000, is_credit=True)], now=NOW)
    freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=NOW)
    three, count = decisions(database, now=NOW + timedelta(days=9))
    assert [one.risk for one in three] == [Risk.BATCH_WAITS, Risk.NO_BANK_DETAILS, Risk.BANK_LINES]
    assert count == 4
    in_december, _ = decisions(database, now=datetime(2026, 12, 18, tzinfo=UTC))
    assert [one.risk for one in in_december] == [Risk.LAST_DAY_NEAR, Risk.BATCH_WAITS, Risk.NO_BANK_DETAILS]
