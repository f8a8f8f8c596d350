"""A funder's share that ends before the others': new orders without it, old vouchers with it, its free credit given back."""

import threading
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from tests.builders import NOW, SOMEONE, Agreed, an_agreement, handed_over_booklets
from tests.clients import settings_for
from voucher.distribution.lapse import lapse
from voucher.distribution.stop import stop_booklet
from voucher.funding.checks import CHECKS as FUNDING
from voucher.issuing.checks import CHECKS as ISSUING
from voucher.issuing.model import BatchShare
from voucher.issuing.order import order_vouchers
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.checks import CHECKS as LEDGER
from voucher.programme.checks import CHECKS as PROGRAMME
from voucher.programme.commit import NewCommitment, commit
from voucher.programme.end_share import end_share, run_share_endings
from voucher.programme.funders import funder_parts
from voucher.programme.model import Agreement, Credit, Envelope, ShareEnding

ACT = {"by": SOMEONE, "now": NOW}
TODAY = NOW.date()


def wrong(database: Database) -> list[str]:
    with database.read() as session:
        return [str(found) for check in (*LEDGER, *PROGRAMME, *ISSUING[2:4], *FUNDING) for found in check(session)]


def end(database: Database, agreed: Agreed, rank: int, shares: tuple[int, ...], on: date = TODAY, **more) -> UUID:
    ending_id = more.pop("ending_id", None) or new_id()
    others = [one for place, one in enumerate(agreed.funder_ids) if place != rank]
    end_share(
        database,
        ending_id,
        agreed.agreement_id,
        agreed.funder_ids[rank],
        on,
        dict(zip(others, shares, strict=True)),
        **(ACT | more),
    )
    return ending_id


def order(database: Database, agreed: Agreed, booklets: int = 1, now: datetime = NOW) -> list[int]:
    """Order booklets and return what each funder of the agreement pays of them, in cents."""
    done = order_vouchers(database, new_id(), agreed.agreement_id, booklets, by=SOMEONE, now=now)
    with database.read() as session:
        rows = session.execute(
            select(BatchShare.funder_id, BatchShare.amount_cents).where(BatchShare.batch_id == done.batch_id)
        )
        paid = {row.funder_id: row.amount_cents for row in rows}
    return [paid.get(one, 0) for one in agreed.funder_ids]


def money(database: Database, agreed: Agreed) -> tuple[int, int, list[int], list[int]]:
    """Return what is committed, the ceiling, each funder's credit and what its envelope has allocated."""
    with database.read() as session:
        agreement = session.get_one(Agreement, agreed.agreement_id)
        credits_ = {
            row.funder_id: row.available_cents
            for row in session.scalars(select(Credit))
            if row.agreement_id == agreed.agreement_id
        }
        allocated = {row.funder_id: row.allocated_cents for row in session.scalars(select(Envelope))}
        return (
            agreement.committed_cents,
            agreement.ceiling_cents,
            [credits_[one] for one in agreed.funder_ids],
            [allocated[one] for one in agreed.funder_ids],
        )


def test_new_orders_are_split_among_the_others_and_the_free_credit_goes_back(database: Database) -> None:
    agreed = an_agreement(database, shares=(5000, 5000), committed_cents=100_000, ceiling_cents=200_000)
    assert order(database, agreed, 4) == [20_000, 20_000]
    end(database, agreed, 0, (10_000,))
    # 300 € of the State's credit are free again; what the other engaged and its ceiling stay its own.
    assert money(database, agreed) == (70_000, 120_000, [0, 30_000], [20_000, 100_000])
    assert order(database, agreed, 3) == [0, 30_000]
    with pytest.raises(Refused, match="credit_short"):
        order(database, agreed)
    commit(database, NewCommitment(new_id(), agreed.agreement_id, 50_000, "DELIB-2"), **ACT)
    with pytest.raises(Refused, match="ceiling_exceeded"):
        commit(database, NewCommitment(new_id(), agreed.agreement_id, 1_000, "DELIB-3"), **ACT)
    assert order(database, agreed, 5) == [0, 50_000]
    assert wrong(database) == []


def test_others_that_share_anew_order_what_each_can_carry(database: Database) -> None:
    agreed = an_agreement(database, shares=(3333, 3333, 3334), committed_cents=300_000, ceiling_cents=600_000)
    order(database, agreed, 7)
    end(database, agreed, 2, (2517, 7483))
    paid = [order(database, agreed, 1) for _ in range(5)]
    assert [sum(parts) for parts in paid] == [10_000] * 5
    assert [sum(one) for one in zip(*paid, strict=True)] == [12_585, 37_415, 0]
    with pytest.raises(Refused, match="credit_short") as refused:
        order(database, agreed, 20)
    assert "-1)" in refused.value.sentence  # only the funder that lacks is named
    assert wrong(database) == []


def test_two_shares_end_one_after_the_other(database: Database) -> None:
    agreed = an_agreement(database, shares=(3333, 3333, 3334), committed_cents=300_000, ceiling_cents=600_000)
    order(database, agreed, 4)
    end(database, agreed, 2, (5000, 5000))
    order(database, agreed, 3)
    commit(database, NewCommitment(new_id(), agreed.agreement_id, 20_000, "DELIB-2"), **ACT)
    end_share(
        database, new_id(), agreed.agreement_id, agreed.funder_ids[0], TODAY, {agreed.funder_ids[1]: 10_000}, **ACT
    )
    assert order(database, agreed, 1) == [0, 10_000, 0]
    with database.read() as session:
        parts = funder_parts(session, agreed.agreement_id)
    assert [parts[one].share_basis_points for one in agreed.funder_ids] == [0, 10_000, 0]
    assert [parts[one].rank for one in agreed.funder_ids] == [1, 2, 3]
    assert wrong(database) == []


def test_what_was_issued_keeps_its_parts_and_gives_them_back_to_who_paid(database: Database) -> None:
    agreed = an_agreement(database, committed_cents=100_000, ceiling_cents=100_000)
    issued = handed_over_booklets(database, 2, agreed=agreed)
    end(database, agreed, 0, (10_000,))
    stop_booklet(database, new_id(), issued.first_booklet_number, "lost", **ACT)
    assert money(database, agreed)[2] == [5_000, 45_000]
    assert wrong(database) == []
    assert "1 conventions" in run_share_endings(database, settings_for(database), NOW)
    assert run_share_endings(database, settings_for(database), NOW) == ""
    assert money(database, agreed)[2:] == ([0, 45_000], [5_000, 50_000])
    lapse(database, by=SOMEONE, now=datetime(2027, 3, 2, tzinfo=UTC))
    run_share_endings(database, settings_for(database), datetime(2027, 3, 3, tzinfo=UTC))
    assert money(database, agreed)[2:] == ([0, 50_000], [0, 50_000])
    assert wrong(database) == []


def test_a_share_that_ends_later_pays_until_that_day(database: Database) -> None:
    agreed = an_agreement(database, committed_cents=100_000)
    later = NOW + timedelta(days=10)
    end(database, agreed, 0, (10_000,), later.date())
    assert order(database, agreed) == [5_000, 5_000]
    with pytest.raises(Refused, match="ending_pending"):
        end(database, agreed, 1, (10_000,), later.date())
    assert run_share_endings(database, settings_for(database), NOW) == ""
    assert order(database, agreed, now=later) == [0, 10_000]
    with database.read() as session:
        [ending] = session.scalars(select(ShareEnding)).all()
        assert (ending.applied_at, ending.released_cents) == (later, 45_000)
    assert wrong(database) == []


def test_the_same_decision_twice_changes_nothing(database: Database) -> None:
    agreed = an_agreement(database, committed_cents=100_000)
    ending_id = end(database, agreed, 0, (10_000,))
    before = money(database, agreed)
    end(database, agreed, 0, (10_000,), ending_id=ending_id)
    assert money(database, agreed) == before
    with pytest.raises(Refused, match="same_id_other_content"):
        end(database, agreed, 1, (10_000,), ending_id=ending_id)


@pytest.mark.parametrize(
    "rank, shares, day, code",
    [
        (0, (5_000,), TODAY, "shares_not_whole"),
        (0, (10_000,), TODAY - timedelta(days=1), "day_out_of_range"),
        (0, (10_000,), date(2027, 1, 1), "day_out_of_range"),
    ],
)
def test_a_decision_that_cannot_stand_is_refused(
    database: Database, rank: int, shares: tuple[int, ...], day: date, code: str
) -> None:
    agreed = an_agreement(database, committed_cents=100_000)
    with pytest.raises(Refused, match=code):
        end(database, agreed, rank, shares, day)
    others = {new_id(): 10_000}
    with pytest.raises(Refused, match="shares_not_all"):
        end_share(database, new_id(), agreed.agreement_id, agreed.funder_ids[0], TODAY, others, **ACT)
    with pytest.raises(Refused, match="funder_unknown"):
        end_share(database, new_id(), agreed.agreement_id, new_id(), TODAY, others, **ACT)
    with pytest.raises(Refused, match="unknown_agreement"):
        end_share(database, new_id(), new_id(), agreed.funder_ids[0], TODAY, others, **ACT)
    alone = an_agreement(database, shares=(10_000,))
    with pytest.raises(Refused, match="last_funder"):
        end_share(database, new_id(), alone.agreement_id, alone.funder_ids[0], TODAY, {}, **ACT)


@pytest.mark.race
def test_orders_under_way_are_split_by_one_set_or_the_other(database: Database) -> None:
    agreed = an_agreement(database, committed_cents=200_000)
    start = threading.Barrier(5)
    paid: list[list[int]] = []

    def orders() -> None:
        start.wait()
        paid.extend(order(database, agreed) for _ in range(3))

    def ends() -> None:
        start.wait()
        end(database, agreed, 0, (10_000,))

    threads = [threading.Thread(target=orders) for _ in range(3)] + [threading.Thread(target=ends)]
    threads.append(
        threading.Thread(
            target=lambda: (
                start.wait(),
                commit(database, NewCommitment(new_id(), agreed.agreement_id, 10_000, "D2"), **ACT),
            )
        )
    )
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paid) == 9
    assert {tuple(parts) for parts in paid} <= {(5_000, 5_000), (0, 10_000)}
    assert wrong(database) == []


@pytest.mark.parametrize(
    "fault, check",
    [
        ("UPDATE kept_part SET amount_cents = amount_cents + 1", "what_ended_is_kept"),
        ("UPDATE agreement SET kept_cents = kept_cents - 1000 WHERE share_set > 0", "what_ended_is_kept"),
        ("UPDATE credit_release SET amount_cents = amount_cents + 1", "what_ended_is_kept"),
        ("UPDATE past_share SET share_basis_points = share_basis_points - 100", "commitments_are_shared_by_position"),
        ("UPDATE issue_batch SET share_set = 1", "orders_follow_the_shares"),
    ],
)
def test_a_fault_planted_in_what_ended_is_found(sqlite_database: Database, fault: str, check: str) -> None:
    agreed = an_agreement(sqlite_database, committed_cents=100_000)
    order(sqlite_database, agreed, 4)
    end(sqlite_database, agreed, 0, (10_000,))
    with sqlite_database.engine.begin() as connection:
        for (name,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            connection.execute(text(f"DROP TRIGGER {name}"))
        assert connection.execute(text(fault)).rowcount
    assert any(check in found for found in wrong(sqlite_database))
