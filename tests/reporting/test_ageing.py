"""The aged balance: every debt in its state and its column, and the total is the ledger's."""

from datetime import date, timedelta

from tests.reporting.life import advices, book, export_period
from tests.settlement.town import APPROVER, NOW, PREPARER, a_town
from voucher.demonstration.bank import BookedLine
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.ledger.chart import OWED_TO_STRUCTURES
from voucher.ledger.read import balances
from voucher.reporting.ageing import Ageing, ageing
from voucher.reporting.debts import DebtState, age_rank
from voucher.reporting.redemption_rows import redemption_rows, redemption_sums
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.payable.debt_by_due_day import Part, parts_of
from voucher.settlement.recoveries.dispute import NewDispute, decide_dispute, open_dispute


def rows_of(found: Ageing) -> list[tuple[str, int, int]]:
    """Return (state, days, cents) of each debt."""
    return [(str(one.debt.state), one.days, one.debt.amount_cents) for one in found.debts]


def owed_by_the_ledger(database: Database) -> int:
    return -sum(one.balance_cents for one in balances(database) if one.code in OWED_TO_STRUCTURES)


def test_a_debt_grows_old_from_column_to_column() -> None:
    today = date(2026, 11, 30)
    ranks = [age_rank(today - timedelta(days=days), today) for days in (-3, 0, 30, 31, 60, 61, 90, 91, 4000)]
    assert ranks == [0, 0, 0, 1, 1, 2, 2, 3, 3]


def test_an_advice_is_the_periods_it_began_with_and_what_is_netted_pays_the_oldest() -> None:
    march, may, july = date(2026, 3, 31), date(2026, 5, 31), date(2026, 7, 31)
    late = Part(july, july, 0)

    def parts(cents: int, *of: tuple[date, int]) -> list[tuple[date, int]]:
        found = parts_of(cents, [Part(day, day, part_cents) for day, part_cents in of], late)
        return [(one.due_on, one.amount_cents) for one in found]

    assert parts(900, (may, 400), (march, 500)) == [(march, 500), (may, 400)]
    assert parts(1_000, (march, 500)) == [(march, 500), (july, 500)]
    assert parts(300, (may, 400), (march, 500)) == [(may, 300)]
    assert parts(0, (march, 500)) == []


def test_every_state_of_a_debt_has_its_rows_and_their_total_is_the_ledgers(database: Database) -> None:
    town = a_town(database, structure_count=3, with_rib=2)
    town.redeem(0, 3, now=NOW - timedelta(days=3))
    town.redeem(1, 4, now=NOW - timedelta(days=3))
    town.redeem(2, 2, now=NOW - timedelta(days=3))
    batch_id = export_period(town, now=NOW)
    later = NOW + timedelta(days=35)
    town.redeem(0, 5, now=later)
    found = ageing(database, now=later)
    assert sorted(rows_of(found)) == [
        ("a-arreter", 0, 5_000),
        ("en-attente", 35, 2_000),
        ("transmis", 35, 3_000),
        ("transmis", 35, 4_000),
    ]
    reference, cents = next(one for one in advices(database, batch_id) if one[1] == 3_000)  # one is held
    book(
        town,
        [BookedLine(reference="T1", amount_cents=cents, is_credit=False, end_to_end_id=reference)],
        now=NOW + timedelta(days=1),
    )
    book(
        town,
        [BookedLine(reference="T2", amount_cents=cents, is_credit=True, end_to_end_id=reference, return_reason="MS03")],
        now=NOW + timedelta(days=2),
    )
    assert ("rejete", 35, cents) in rows_of(ageing(database, now=later))
    freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=later)
    found = ageing(database, now=later)
    assert ("arrete", 35, cents) in rows_of(found), "what failed keeps its age in the batch that takes it up"
    assert ("arrete", 0, 5_000) in rows_of(found)
    assert found.gap_cents == 0
    assert found.total_cents == owed_by_the_ledger(database) == 14_000
    assert sum(sum(cents) for cents in found.matrix().values()) == 14_000
    assert sum(row.total_cents for row in found.by_structure()) == 14_000
    assert found.kept({"state": "arrete", "age": "0-30"}).total_cents == 5_000


def test_what_is_paid_is_owed_no_more(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 3)
    batch_id = export_period(town, now=NOW)
    ((reference, cents),) = advices(database, batch_id)
    book(
        town,
        [BookedLine(reference="T1", amount_cents=cents, is_credit=False, end_to_end_id=reference)],
        now=NOW + timedelta(days=1),
    )
    found = ageing(database, now=NOW + timedelta(days=2))
    assert found.debts == ()
    assert found.ledger_cents == 0


def test_the_rows_behind_a_column_are_its_redemptions(database: Database) -> None:
    town = a_town(database, structure_count=1)
    for days in (100, 70, 40, 1, 0):
        town.redeem(0, 1, now=NOW - timedelta(days=days))
    found = ageing(database, now=NOW)
    assert all(one.debt.state is DebtState.NOT_FROZEN for one in found.debts)
    for age, cents in zip(("0-30", "31-60", "61-90", "91"), found.column_totals(), strict=True):
        listed = redemption_rows(database, Asked(filters={"age": age}), now=NOW)
        assert redemption_sums(database, {"age": age}, now=NOW) == (listed.count, cents)
        assert listed.count == cents // 1_000


def test_what_is_contested_is_owed_apart_and_what_is_cleared_waits_for_the_next_batch(database: Database) -> None:
    town = a_town(database, structure_count=1)
    contested_ids = [town.redeem(0, 2), town.redeem(0, 3)]
    town.redeem(0, 4)
    disputes = [NewDispute(new_id(), one, "not_rendered", "La salle était fermée.") for one in contested_ids]
    for dispute in disputes:
        open_dispute(database, dispute, by=PREPARER, now=NOW)
    freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=NOW + timedelta(days=1))
    after = NOW + timedelta(days=5)
    found = ageing(database, now=after)
    assert sorted(rows_of(found)) == [("arrete", 4, 4_000), ("conteste", 5, 5_000)]
    assert found.gap_cents == 0
    decide_dispute(database, disputes[0].id, "dismissed", "Le planning le montre.", by=APPROVER, now=after)
    found = ageing(database, now=after)
    assert sorted(rows_of(found)) == [("arrete", 4, 4_000), ("autre", 0, 2_000), ("conteste", 5, 3_000)]
    assert found.total_cents == owed_by_the_ledger(database)


def test_an_issuer_sees_its_own_debts_alone(database: Database) -> None:
    here, there = a_town(database, structure_count=1), a_town(database, structure_count=1)
    here.redeem(0, 3)
    there.redeem(0, 4)
    found = ageing(database, now=NOW, issuer_id=here.agreed.issuer_id)
    assert (found.total_cents, found.ledger_cents) == (3_000, 3_000)
    assert ageing(database, now=NOW).total_cents == 7_000
