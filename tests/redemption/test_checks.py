"""`voucher verify` finds each corruption planted at the counter, and names the row."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, text, update

from tests.builders import NOW, SOMEONE, a_counter, handed_over_booklets, scanned_codes
from voucher.issuing.model import IssuerKey, Voucher
from voucher.kernel.checks import Violation
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.redemption import checks
from voucher.redemption.answers import Redeemed
from voucher.redemption.model import Period, RedeemedVoucher, Redemption, RefusedAttempt
from voucher.redemption.redeem import redeem
from voucher.redemption.undo import undo

WORKSHOP = "everyday_digital_tools"
ACT = {"by": SOMEONE, "now": NOW}


def violations(database: Database) -> list[Violation]:
    with database.read() as session:
        return [found for check in checks.CHECKS for found in check(session)]


@pytest.fixture
def redeemed(database: Database) -> Redeemed:
    issued = handed_over_booklets(database)
    codes = scanned_codes(database, issued.first_booklet_number)
    counter = a_counter(database)
    answer = redeem(database, new_id(), codes[:2], WORKSHOP, counter, **ACT)
    other = redeem(database, new_id(), codes[2:3], WORKSHOP, counter, **ACT)
    assert isinstance(answer, Redeemed)
    assert isinstance(other, Redeemed)
    undo(database, other.id, counter, undo_minutes=30, **ACT)
    assert violations(database) == []
    return answer


def write(database: Database, *statements: object) -> None:
    with database.write() as session:
        for statement in statements:
            session.execute(statement)  # type: ignore[call-overload]


def of(found: Redeemed) -> object:
    return Redemption.__table__.c.id == found.id


PLANTED: dict[str, tuple[Callable[[Redeemed], tuple[object, ...]], set[str]]] = {
    "a state without its redemption": (
        lambda found: (update(Voucher.__table__).where(Voucher.serial == found.serials[0]).values(state="handed_over"),),
        {"states_and_redemptions_agree"},
    ),
    "a redeemed state that nothing tells": (
        lambda found: (update(Voucher.__table__).where(Voucher.serial == found.serials[-1] + 3).values(state="redeemed"),),
        {"states_and_redemptions_agree"},
    ),
    "a voucher live twice": (
        lambda found: (
            text("DROP INDEX uq_redeemed_voucher_live"),
            update(RedeemedVoucher.__table__).values(is_live=True),
            update(RedeemedVoucher.__table__)
            .where(RedeemedVoucher.serial == found.serials[-1] + 1)
            .values(serial=found.serials[0], is_live=True),
        ),
        {"a_voucher_is_used_once", "lines_follow_their_redemption"},
    ),
    "a line that is gone": (
        lambda found: (delete(RedeemedVoucher.__table__).where(RedeemedVoucher.serial == found.serials[0]),),
        {"lines_follow_their_redemption", "states_and_redemptions_agree"},
    ),
    "an amount that grew": (
        lambda found: (update(Redemption.__table__).where(of(found)).values(amount_cents=2500),),  # type: ignore[arg-type]
        {"amounts_are_face_values", "each_redemption_has_its_entry"},
    ),
    "an undo that nobody posted": (
        lambda found: (
            update(Redemption.__table__).where(of(found)).values(state="undone", undone_at=NOW),  # type: ignore[arg-type]
        ),
        {"each_redemption_has_its_entry", "lines_follow_their_redemption"},
    ),
    "a redemption after grace": (
        lambda found: (
            update(Redemption.__table__).where(of(found)).values(redeemed_at=NOW + timedelta(days=400)),  # type: ignore[arg-type]
        ),
        {"nothing_is_redeemed_after_grace", "a_month_takes_its_own"},
    ),
    "a redemption after its key was revoked": (
        lambda _: (update(IssuerKey.__table__).values(state="revoked", revoked_at=NOW - timedelta(hours=1)),),
        {"revoked_keys_redeem_nothing"},
    ),
    "a redemption slipped into a closed period": (
        lambda _: (update(Period.__table__).values(closed_at=NOW - timedelta(days=1)),),
        {"closed_periods_stay_closed"},
    ),
    "a request both accepted and refused": (
        lambda found: (
            insert(RefusedAttempt.__table__).values(
                id=found.id, fingerprint=b"x", refusal="stopped", answer="{}", place_id=new_id(), mediator_id=SOMEONE,
                serial=None, attempted_at=NOW,
            ),
        ),
        {"an_attempt_has_one_answer"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("corruption", PLANTED)
def test_each_planted_corruption_is_found(database: Database, redeemed: Redeemed, corruption: str) -> None:
    plant, names = PLANTED[corruption]
    write(database, *plant(redeemed))
    found = violations(database)
    assert {violation.check for violation in found} == names
    assert all(violation.subject and violation.detail for violation in found)
