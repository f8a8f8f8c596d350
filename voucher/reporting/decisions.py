"""What needs a decision: risks seen before they are losses, the most serious first.

Each is one statement over what was recorded, and says who should act, on how much, and since when. Delays are the
programme's: thirty days to pay is the public payment delay (domain.md §2).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, exists, func, or_, select, union_all
from sqlalchemy.orm import Session

from voucher.distribution.model import Handover, StockSlip
from voucher.distribution.read_stock import STILL_DAYS
from voucher.issuing.model import Booklet, BookletState, IssueBatch, Voucher, VoucherState
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.database import Database
from voucher.kernel.money import sum_cents, thousands
from voucher.network.model import BankDetails
from voucher.programme.model import Agreement, Credit
from voucher.redemption.model import Period, Redemption, RedemptionState
from voucher.settlement.batches.waiting_batches import waiting_batches
from voucher.settlement.model.batches import BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.payable.owed import CARRIED_STATES
from voucher.settlement.reconciliation.to_identify import to_identify
from voucher.settlement.words.states import AdviceState

BATCH_WAITS_DAYS = 3
PAYMENT_DELAY_DAYS = 30
TRANSFER_UNCONFIRMED_DAYS = 10
BANK_LINE_DAYS = 7
LAST_DAY_NEAR_DAYS = 60
LAST_DAY_VERY_NEAR_DAYS = 14
CREDIT_LEFT_PERCENT = 10


class Risk(StrEnum):
    """Kinds of things to decide, the most serious first."""

    BATCH_WAITS = "batch_waits"
    NO_BANK_DETAILS = "no_bank_details"
    RIB_TO_CONFIRM = "rib_to_confirm"
    TRANSFER_UNCONFIRMED = "transfer_unconfirmed"
    BANK_LINES = "bank_lines"
    LAST_DAY_NEAR = "last_day_near"
    CREDIT_LOW = "credit_low"
    STOCK_STILL = "stock_still"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One thing to decide: how many things it is about, how much money (cents), the day that matters most.

    `sentence` says what is known and who should act; `is_urgent` puts it before all others.
    """

    risk: Risk
    title: str
    sentence: str
    count: int
    amount_cents: int
    on: date | None
    is_urgent: bool = False


Find = Callable[[Session, date, datetime, UUID | None], Decision | None]


def decisions(
    database: Database, *, now: datetime, agreement_id: UUID | None = None, limit: int = 3
) -> tuple[list[Decision], int]:
    """Return the most serious things to decide, at most `limit`, and how many there are in all.

    Urgent ones come first, then the order of `Risk`. With an agreement: those of it, its paying account's lines included.
    """
    today = paris_day(now)
    with database.read() as session:
        found = [one for find in _FINDERS if (one := find(session, today, now, agreement_id)) is not None]
    found.sort(key=lambda one: (not one.is_urgent, list(Risk).index(one.risk)))
    return found[:limit], len(found)


def _of(column: Any, agreement_id: UUID | None) -> list[ColumnElement[bool]]:
    return [] if agreement_id is None else [column == agreement_id]


def _batches(session: Session, today: date, now: datetime, agreement_id: UUID | None) -> Decision | None:
    """All batches that wait, as soon as one has waited for long: the figure is the one that finance reads."""
    waits = waiting_batches(session, *_of(SettlementBatch.agreement_id, agreement_id))
    oldest, since = waits.oldest_wait_at, waits.oldest_frozen_at
    if oldest is None or since is None or oldest >= now - timedelta(days=BATCH_WAITS_DAYS):
        return None
    acts = ("les valider", "les transmettre", "les valider, puis les transmettre")
    act = acts[0 if not waits.export_count else 1 if not waits.approve_count else 2]
    return Decision(
        risk=Risk.BATCH_WAITS,
        title="Des lots de règlement attendent",
        sentence=f"Le plus ancien attend depuis le {french_date(paris_day(oldest))}. Demandez aux finances de {act}.",
        count=waits.count,
        amount_cents=waits.cents,
        on=paris_day(oldest),
        is_urgent=paris_day(since) <= today - timedelta(days=PAYMENT_DELAY_DAYS),
    )


def _no_bank_details(session: Session, today: date, now: datetime, agreement_id: UUID | None) -> Decision | None:  # noqa: ARG001
    """Structures without a RIB that are owed money."""
    count, cents, since = _owed_without_rib(session, agreement_id, is_waiting=False)
    if not count:
        return None
    return Decision(
        risk=Risk.NO_BANK_DETAILS,
        title="Des structures ont travaillé et ne peuvent pas être payées",
        sentence=f"Elles n’ont pas donné leur RIB. La plus ancienne attend depuis le {french_date(paris_day(since))}. "
        "Appelez-les.",
        count=count,
        amount_cents=cents,
        on=paris_day(since),
        is_urgent=paris_day(since) <= today - timedelta(days=PAYMENT_DELAY_DAYS),
    )


def _rib_to_confirm(session: Session, today: date, now: datetime, agreement_id: UUID | None) -> Decision | None:  # noqa: ARG001
    """Structures that are owed money and gave a RIB that nobody confirmed yet."""
    count, cents, since = _owed_without_rib(session, agreement_id, is_waiting=True)
    if not count:
        return None
    return Decision(
        risk=Risk.RIB_TO_CONFIRM,
        title="Des RIB attendent d’être confirmés",
        sentence=f"Sans cela, ces structures ne sont pas payées. La plus ancienne attend depuis le {french_date(paris_day(since))}. "
        "Demandez à une personne du programme ou des finances de les confirmer.",
        count=count,
        amount_cents=cents,
        on=paris_day(since),
        is_urgent=paris_day(since) <= today - timedelta(days=PAYMENT_DELAY_DAYS),
    )


def _owed_without_rib(session: Session, agreement_id: UUID | None, *, is_waiting: bool) -> tuple[int, int, datetime]:
    """Return how many structures without a RIB in use are owed money, how much, and since when: by a period in no batch, or an
    advice that could not be paid. `is_waiting`: those that gave a RIB that waits for a confirmation; else those that gave none."""
    waiting = union_all(
        select(Redemption.structure_id, Redemption.amount_cents, Redemption.redeemed_at.label("since"))
        .join(Period, Period.id == Redemption.period_id)
        .where(
            Redemption.state == RedemptionState.CONFIRMED,
            ~exists().where(SettlementBatch.period_id == Period.id),
            *_of(Redemption.agreement_id, agreement_id),
        ),
        select(PaymentAdvice.structure_id, PaymentAdvice.amount_cents, SettlementBatch.frozen_at)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .where(PaymentAdvice.state.in_(CARRIED_STATES), *_of(SettlementBatch.agreement_id, agreement_id)),
    ).subquery()
    own = BankDetails.structure_id == waiting.c.structure_id
    has_rib, waits = exists().where(own, BankDetails.is_in_use()), exists().where(own, BankDetails.is_waiting())
    row = session.execute(
        select(
            func.count(waiting.c.structure_id.distinct()), func.sum(waiting.c.amount_cents), func.min(waiting.c.since)
        ).where(~has_rib, waits if is_waiting else ~waits)
    ).one()
    return row[0], sum_cents(row[1]), row[2]


def _transfers(session: Session, today: date, now: datetime, agreement_id: UUID | None) -> Decision | None:  # noqa: ARG001
    """All transfers in transit, as soon as one has been for long: the figure is what the ledger says is in transit."""
    count, cents, since = session.execute(
        select(func.count(), func.sum(PaymentAdvice.amount_cents), func.min(SettlementBatch.exported_at))
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .where(PaymentAdvice.state == AdviceState.IN_FILE, *_of(SettlementBatch.agreement_id, agreement_id))
    ).one()
    if since is None or since >= now - timedelta(days=TRANSFER_UNCONFIRMED_DAYS):
        return None
    return Decision(
        risk=Risk.TRANSFER_UNCONFIRMED,
        title="Des virements transmis ne sont pas confirmés",
        sentence=f"Le plus ancien est parti le {french_date(paris_day(since))}. Demandez le relevé de la banque, puis importez-le.",
        count=count,
        amount_cents=int(cents),
        on=paris_day(since),
    )


def _bank_lines(session: Session, today: date, now: datetime, agreement_id: UUID | None) -> Decision | None:  # noqa: ARG001
    """All lines to identify, as soon as one is old: the figure is the one that finance reads."""
    accounts = select(Agreement.paying_account_id).where(*_of(Agreement.id, agreement_id))
    waits = to_identify(session, BankLine.paying_account_id.in_(accounts))
    since = waits.oldest_on
    if since is None or since >= today - timedelta(days=BANK_LINE_DAYS):
        return None
    return Decision(
        risk=Risk.BANK_LINES,
        title="Des lignes de la banque restent à identifier",
        sentence=f"La plus ancienne date du {french_date(since)}. Demandez aux finances d’où vient cet argent, ou à qui il est allé.",
        count=waits.count,
        amount_cents=waits.cents,
        on=since,
    )


def _last_day(session: Session, today: date, now: datetime, agreement_id: UUID | None) -> Decision | None:  # noqa: ARG001
    """Vouchers that nobody used yet, in stock or in people's hands, of batches whose day of use is near."""
    in_batch = Voucher.serial.between(IssueBatch.first_serial, IssueBatch.first_serial + IssueBatch.voucher_count - 1)
    is_held = case((Voucher.state == VoucherState.HANDED_OVER, 1), else_=0)
    count, cents, held, first_on = session.execute(
        select(func.count(), func.sum(IssueBatch.face_value_cents), func.sum(is_held), func.min(IssueBatch.use_by))
        .select_from(IssueBatch)
        .join(Voucher, in_batch)
        .where(
            IssueBatch.use_by.between(today, today + timedelta(days=LAST_DAY_NEAR_DAYS)),
            Voucher.state.in_((VoucherState.ISSUED, VoucherState.HANDED_OVER)),
            *_of(IssueBatch.agreement_id, agreement_id),
        )
    ).one()
    if not count:
        return None
    return Decision(
        risk=Risk.LAST_DAY_NEAR,
        title="Des chèques arrivent à leur dernier jour",
        sentence=f"Premier dernier jour : {french_date(first_on)}. {thousands(held)} sont chez des personnes, {thousands(count - held)} en stock. "
        "Faites prévenir les personnes et remettre les carnets.",
        count=count,
        amount_cents=int(cents),
        on=first_on,
        is_urgent=first_on <= today + timedelta(days=LAST_DAY_VERY_NEAR_DAYS),
    )


def _credit(session: Session, today: date, now: datetime, agreement_id: UUID | None) -> Decision | None:  # noqa: ARG001
    left = (
        select(Credit.agreement_id, func.sum(Credit.available_cents).label("left_cents"))
        .group_by(Credit.agreement_id)
        .subquery()
    )
    rows = session.execute(
        select(Agreement.number, left.c.left_cents)
        .join(left, left.c.agreement_id == Agreement.id)
        .where(
            Agreement.committed_cents > 0,
            Agreement.use_by > today,
            left.c.left_cents * 100 < Agreement.committed_cents * CREDIT_LEFT_PERCENT,
            *_of(Agreement.id, agreement_id),
        )
        .order_by(left.c.left_cents, Agreement.number)
    ).all()
    if not rows:
        return None
    return Decision(
        risk=Risk.CREDIT_LOW,
        title="Des conventions ont presque tout émis",
        sentence=f"Il leur reste moins de {CREDIT_LEFT_PERCENT} % de leur crédit, la convention {rows[0].number} d’abord. "
        "Engagez de l’argent, ou dites à l’émetteur de ne plus commander.",
        count=len(rows),
        amount_cents=sum(int(row.left_cents) for row in rows),
        on=None,
    )


def _still_stock(session: Session, today: date, now: datetime, agreement_id: UUID | None) -> Decision | None:  # noqa: ARG001
    """Booklets held by prescribers that neither received nor handed one over for thirty days."""
    before = now - timedelta(days=STILL_DAYS)
    moved = or_(
        exists().where(Handover.prescriber_id == Booklet.prescriber_id, Handover.handed_over_at >= before),
        exists().where(StockSlip.to_prescriber_id == Booklet.prescriber_id, StockSlip.made_at >= before),
    )
    prescriber_count, booklet_count, cents = session.execute(
        select(
            func.count(Booklet.prescriber_id.distinct()),
            func.count(),
            func.sum(Booklet.size * IssueBatch.face_value_cents),
        )
        .select_from(Booklet)
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
        .where(
            Booklet.state == BookletState.ISSUED,
            Booklet.prescriber_id.is_not(None),
            IssueBatch.lapsed_at.is_(None),
            ~moved,
            *_of(IssueBatch.agreement_id, agreement_id),
        )
    ).one()
    if not prescriber_count:
        return None
    return Decision(
        risk=Risk.STOCK_STILL,
        title="Des carnets dorment chez des prescripteurs",
        sentence=f"{thousands(booklet_count)} carnets n’ont pas bougé depuis {STILL_DAYS} jours. Demandez aux émetteurs de les confier ailleurs.",
        count=prescriber_count,
        amount_cents=int(cents),
        on=None,
    )


_FINDERS: tuple[Find, ...] = (
    _batches,
    _no_bank_details,
    _rib_to_confirm,
    _transfers,
    _bank_lines,
    _last_day,
    _credit,
    _still_stock,
)
