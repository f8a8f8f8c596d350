"""Use what waits of a bank line, inside the transaction of a match: the line's cents, the row that tells it, its entry."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Result, Row, func, insert, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from voucher.funding.receive import refuse_undone
from voucher.kernel.database import changed
from voucher.kernel.idempotency import is_same
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.post import Event, post_event
from voucher.programme.model import Agreement, PayingAccount
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import account_in_scope
from voucher.settlement.model.states import Cause, change
from voucher.settlement.reconciliation.withdraw_rejections import withdraw_rejections
from voucher.settlement.words.states import AdviceState, MatchKind
from voucher.settlement.words.transitions import PaymentWhy

BY_HAND = "Choisi par une personne."


@dataclass(frozen=True, slots=True)
class Match:
    """A match as the form made it: its id, who and when, and why it is thought right."""

    id: UUID
    by: UUID
    at: datetime
    why: str = BY_HAND


class MatchOf(NamedTuple):
    """One thing that a match says: the line, what it is, and the payment, call, balance or overpayment that it is for."""

    line_id: UUID
    kind: str
    of: UUID | None = None


_OF = func.coalesce(BankMatch.target_id, BankMatch.advice_id)

Line = Row[*tuple[Any, ...]]


def line_to_use(session: Session, line_id: UUID, issuer_id: UUID | None) -> Line:
    """Return a line of the scope with all its columns. Raises Refused for one that does not exist there."""
    line = session.execute(
        select(*BankLine.__table__.columns)
        .join(PayingAccount, PayingAccount.id == BankLine.paying_account_id)
        .where(BankLine.id == line_id, account_in_scope(issuer_id))
    ).one_or_none()
    if line is None:
        raise unknown_line()
    return line


def unknown_line() -> Refused:
    """Refuse a line, or what it should be, outside the scope or the lists."""
    return Refused("unknown_line", "Cette ligne ou ce règlement n’existe pas. Choisissez dans la liste.")


def is_made(
    session: Session,
    match_id: UUID,
    asked: Collection[MatchOf],
    of: ColumnElement[UUID] | InstrumentedAttribute[UUID] = _OF,
) -> bool:
    """Say whether this match was made before, of these very things. Raises Refused when it was of others, or was undone since.

    `of` is what tells the things apart, of a match or of its payment. The caller holds the turn of bank files.
    """
    rows = session.execute(
        select(BankMatch.line_id, BankMatch.kind, of, BankMatch.undone_at)
        .outerjoin(PaymentAdvice, PaymentAdvice.id == BankMatch.advice_id)
        .where(BankMatch.id == match_id)
        .distinct()
    ).all()
    if not is_same({MatchOf(*row[:3]) for row in rows} or None, {*asked}):
        return False
    for row in rows:
        refuse_undone(row.undone_at)
    return True


def take(session: Session, line: Line, amount_cents: int) -> None:
    """Use some of the cents that wait on a line. Raises Refused when there are not as many."""
    use = (
        update(BankLine)
        .where(BankLine.id == line.id, BankLine.matched_cents + amount_cents <= BankLine.amount_cents)
        .values(matched_cents=BankLine.matched_cents + amount_cents)
        .execution_options(synchronize_session=False)
    )
    if changed(session, use) == 0:
        raise Refused("line_used", "Cette ligne est déjà rapprochée. Défaites d’abord ce rapprochement.")


def write_match(
    session: Session,
    match: Match,
    line: Line,
    kind: MatchKind,
    amount_cents: int,
    *,
    advice_id: UUID | None = None,
    target_id: UUID | None = None,
    part: int = 1,
) -> None:
    """Write what a line was matched with."""
    session.execute(
        insert(BankMatch).values(
            id=match.id,
            part=part,
            line_id=line.id,
            kind=kind,
            advice_id=advice_id,
            target_id=target_id,
            amount_cents=amount_cents,
            why=match.why,
            made_at=match.at,
            made_by=match.by,
            undone_reason="",
        )
    )


def apply_match(session: Session, match: Match, line: Line, advice: Line) -> None:
    """Let a booked line that waited (4711) pay an advice or bring it back. Raises Refused when the advice does not expect it."""
    if line.is_credit:
        before, after, why = AdviceState.PAID, AdviceState.RETURNED, PaymentWhy.CAME_BACK
    else:
        before, after, why = AdviceState.IN_FILE, AdviceState.PAID, PaymentWhy.DEBITED
        withdraw_rejections(session, {advice.id: line.booked_on}, by=match.by, now=match.at)
    cause = Cause(
        why=why,
        by=match.by,
        at=match.at,
        effective_on=line.booked_on,
        reason=line.return_reason or "",
        line_id=line.id,
    )
    if not change(session, [advice.id], before, after, cause):
        raise Refused("not_expected", "Ce règlement n’attend pas cette ligne. Regardez son état, puis recommencez.")
    take(session, line, line.amount_cents)
    kind = MatchKind.RETURN if line.is_credit else MatchKind.PAYMENT
    write_match(session, match, line, kind, line.amount_cents, advice_id=advice.id)
    post_identified(session, match, line, f"Virement {advice.reference}", advice.agreement_id, advice.structure_id)


def post_identified(
    session: Session,
    match: Match,
    line: Line,
    narration: str,
    agreement_id: UUID,
    structure_id: UUID | None = None,
    *,
    amount_cents: int | None = None,
) -> None:
    """Post that a line which waited is known: a debit is what left (5115), a credit is owed again (4670); since the day it was booked.

    `amount_cents` is given where a part of the line goes on waiting.
    """
    known_cents = line.amount_cents if amount_cents is None else amount_cents
    event_type = EventType.CREDIT_IDENTIFIED if line.is_credit else EventType.DEBIT_IDENTIFIED
    dimensions = {Dimension.AGREEMENT: agreement_id, Dimension.BANK_ACCOUNT: line.paying_account_id}
    if structure_id is not None:
        dimensions[Dimension.STRUCTURE] = structure_id
    event = Event(event_type, match.id, match.at, narration, match.by, line.booked_on)
    post_event(session, event, dimensions, {line.id: known_cents})


def advice_rows(session: Session, advice_ids: Sequence[UUID]) -> Result[*tuple[Any, ...]]:
    """Return advices with their agreement and the account that pays them."""
    return session.execute(
        select(*PaymentAdvice.__table__.columns, SettlementBatch.agreement_id, Agreement.paying_account_id)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .where(PaymentAdvice.id.in_(advice_ids))
    )
