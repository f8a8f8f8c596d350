"""The final balance of a funder on an agreement that is over: the last call, then what remains of its advance is given back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from voucher.funding.accounts import account, balance_cents, funder_of, take_funding_turn
from voucher.funding.call import call_every_use
from voucher.funding.model import CallKind, FundingClose
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.database import Database
from voucher.kernel.idempotency import is_replay
from voucher.kernel.money import format_euros, sum_cents
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import OUTSTANDING, Code, Dimension, EventType
from voucher.ledger.model import Account
from voucher.ledger.post import Event, post_event
from voucher.programme.model import Agreement
from voucher.programme.stages import balances_of

# What must be empty before a funder's account can be closed, and who empties it.
_OPEN_STAGES = {
    OUTSTANDING: "Des chèques sont encore en circulation. Leur caducité doit d’abord être constatée.",
    (Code.ORDERED, Code.IN_TRANSIT): "Des règlements sont en route. Attendez que la banque les confirme.",
    (Code.SUSPENDED,): "Des encaissements sont contestés. Tranchez-les d’abord.",
}


@dataclass(frozen=True, slots=True)
class Closed:
    """A final balance, in cents: what was used, received, is still due, and is to be given back."""

    close_id: UUID
    last_call_id: UUID | None
    used_cents: int
    received_cents: int
    due_cents: int
    refund_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePreview:
    """What a final balance would say now, in cents, and what is still open on the agreement."""

    circulation_cents: int
    under_way_cents: int
    disputed_cents: int
    waiting_cents: int  # structures that no batch could pay: kept for them
    last_call_cents: int
    advance_used_cents: int
    carried_cents: int
    due_cents: int
    refund_cents: int

    @property
    def is_both_ways(self) -> bool:
        """Say whether the funder would pay and be paid: one of the two must end before."""
        return self.due_cents != 0 and self.refund_cents != 0

    @property
    def is_blocked(self) -> bool:
        """Say whether it cannot be drawn up."""
        open_cents = self.circulation_cents + self.under_way_cents + self.disputed_cents  # none of them is below zero
        return open_cents != 0 or self.is_both_ways


def close_funding(
    database: Database,
    close_id: UUID,
    agreement_id: UUID,
    funder_id: UUID,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
    seen_cents: tuple[int, int] | None = None,
    kept_cents: int = 0,
) -> Closed:
    """Draw up a funder's final balance on an agreement that is over; the same command again changes nothing.

    The last call takes what is used and not called yet; where claw-backs made it less than nothing, this credit joins what
    remains of the advance, to be given back by a bank transfer (`refund_advance`). After a final balance, another one is drawn
    up only for what was clawed back since. `seen_cents` is what the person saw that it would say is due and to be given back.
    `kept_cents` is what the person saw that structures still wait for (no bank details, suspended): it stays theirs, and the
    balance says so. Raises Refused: the agreement is not over, vouchers or payments are still under way, other amounts than
    those seen, the account is closed and nothing changed since.
    """
    command: dict[str, Any] = {"id": close_id, "agreement_id": agreement_id, "funder_id": funder_id}
    with database.write() as session:
        take_funding_turn(session, agreement_id, funder_id)
        if is_replay(session, FundingClose, command):
            return closed(session.get_one(FundingClose, close_id))
        agreement, _ = funder_of(session, agreement_id, funder_id, issuer_id)
        _refuse_not_over(session, agreement, now, kept_cents)
        earlier_count, unrefunded_cents = _earlier(session, agreement_id, funder_id)
        last_call_id, carried_cents = _settle_uses(session, command, by, now, issuer_id, is_first=not earlier_count)
        left = _funder_cents(session, agreement_id, funder_id)
        if left[Code.TO_CALL]:
            raise Refused(
                "figure_changed",
                "Un encaissement de cette convention vient d’être repris. Vérifiez les montants, puis recommencez.",
            )
        used_cents, due_cents, refund_cents = (
            left[Code.USED],
            left[Code.CALLED],
            -left[Code.ADVANCES] - unrefunded_cents,
        )
        if due_cents and refund_cents:
            raise _both_ways(due_cents, refund_cents, is_first=not earlier_count)
        if seen_cents not in (None, (due_cents, refund_cents)):
            raise Refused(
                "figure_changed",
                f"Les montants ont changé : {format_euros(due_cents)} à recevoir, {format_euros(refund_cents)} à rendre. "
                "Vérifiez-les, puis recommencez.",
            )
        row = {
            **command,
            "number": earlier_count + 1,
            "last_call_id": last_call_id,
            "used_cents": used_cents,
            "received_cents": used_cents - due_cents + refund_cents,
            "due_cents": due_cents,
            "carried_cents": carried_cents,
            "refund_cents": refund_cents,
            "refunded_cents": 0,
            "kept_cents": kept_cents,
            "closed_on": paris_day(now),
            "closed_at": now,
            "closed_by": by,
        }
        session.execute(insert(FundingClose).values(**row))
        return closed(session.get_one(FundingClose, close_id))


def closed(close: FundingClose) -> Closed:
    """Return what a stored final balance says."""
    return Closed(
        close.id, close.last_call_id, close.used_cents, close.received_cents, close.due_cents, close.refund_cents
    )


def _earlier(session: Session, agreement_id: UUID, funder_id: UUID) -> tuple[int, int]:
    """Return how many final balances were drawn up before, and the cents that they still have to give back."""
    left_cents = func.sum(FundingClose.refund_cents - FundingClose.refunded_cents)
    mine = (FundingClose.agreement_id == agreement_id) & (FundingClose.funder_id == funder_id)
    count, cents = session.execute(select(func.count(), left_cents).where(mine)).one()
    return int(count), sum_cents(cents)


def _both_ways(due_cents: int, refund_cents: int, *, is_first: bool) -> Refused:
    """Refuse a balance by which the funder would pay and be paid: one of the two must end before."""
    what_next = (
        "Annulez l’appel de cette avance, ou attendez de la recevoir."
        if is_first
        else "Attendez son versement, puis recommencez."
    )
    return Refused(
        "advance_awaited",
        f"Il reste {format_euros(due_cents)} à recevoir alors que {format_euros(refund_cents)} sont en trop. {what_next}",
    )


def _refuse_not_over(session: Session, agreement: Agreement, now: datetime, kept_cents: int) -> None:
    if paris_day(now) <= agreement.present_by:
        raise Refused(
            "agreement_not_over",
            f"Des chèques peuvent encore être présentés jusqu’au {french_date(agreement.present_by)}. Revenez après ce jour.",
        )
    left = _left_cents(session, agreement.id)
    for stage, sentence in _OPEN_STAGES.items():
        if cents := sum(left.get(code, 0) for code in stage):
            raise Refused("agreement_not_settled", f"{sentence} Il reste {format_euros(cents)}.")
    waiting_cents = left.get(Code.OWED, 0)
    if waiting_cents != kept_cents:
        raise Refused(
            "agreement_not_settled",
            f"Des structures attendent encore leur règlement. Réglez-les d’abord, ou gardez leur argent de côté. "
            f"Il reste {format_euros(waiting_cents)}.",
        )


def _left_cents(session: Session, agreement_id: UUID) -> Mapping[str, int]:
    """Return, by code, what is in circulation and what structures are owed on an agreement."""
    left: dict[str, int] = {}
    codes = [Code.OWED, *(code for codes in _OPEN_STAGES for code in codes)]
    for balance in balances_of(session, (Account.agreement_id == agreement_id) & Account.code.in_(codes)):
        left[balance.code] = left.get(balance.code, 0) + abs(balance.cents)
    return left


def _funder_cents(session: Session, agreement_id: UUID, funder_id: UUID) -> Mapping[Code, int]:
    """Return a funder's balances on an agreement, by code, in one statement.

    A claw-back takes no funding turn: read one by one, they would be of two moments.
    """
    mine = (Account.agreement_id == agreement_id) & (Account.funder_id == funder_id)
    left = dict.fromkeys((Code.TO_CALL, Code.CALLED, Code.ADVANCES, Code.USED), 0)
    for balance in balances_of(session, mine & Account.code.in_(left)):
        left[Code(balance.code)] += balance.cents
    return left


def close_preview(database: Database, agreement_id: UUID, funder_id: UUID) -> ClosePreview:
    """Return what a final balance drawn up now would say, and what keeps it from being drawn up. It changes nothing."""
    with database.read() as session:
        left = _left_cents(session, agreement_id)
        _, unrefunded_cents = _earlier(session, agreement_id, funder_id)
        uncalled, awaited, advance = (
            balance_cents(session, account(code, agreement_id, funder_id))
            for code in (Code.TO_CALL, Code.CALLED, Code.ADVANCES)
        )
    carried_cents, last_call_cents = max(-uncalled, 0), max(uncalled, 0)
    advance_used_cents = min(last_call_cents, max(-advance, 0))
    return ClosePreview(
        circulation_cents=sum(left.get(code, 0) for code in OUTSTANDING),
        under_way_cents=left.get(Code.ORDERED, 0) + left.get(Code.IN_TRANSIT, 0),
        disputed_cents=left.get(Code.SUSPENDED, 0),
        waiting_cents=left.get(Code.OWED, 0),
        last_call_cents=last_call_cents,
        advance_used_cents=advance_used_cents,
        carried_cents=carried_cents,
        due_cents=awaited + last_call_cents - advance_used_cents,
        refund_cents=-advance - advance_used_cents + carried_cents - unrefunded_cents,
    )


def _settle_uses(
    session: Session, command: dict[str, Any], by: UUID, now: datetime, issuer_id: UUID | None, *, is_first: bool
) -> tuple[UUID | None, int]:
    """Call what is not called yet, or carry what was called too much to the advance; return the last call and what was carried."""
    agreement_id, funder_id = command["agreement_id"], command["funder_id"]
    uncalled_cents = balance_cents(session, account(Code.TO_CALL, agreement_id, funder_id))
    if uncalled_cents < 0:
        event = Event(EventType.OVERCALL_CARRIED, command["id"], now, "Trop appelé, au décompte final", by)
        post_event(session, event, {Dimension.AGREEMENT: agreement_id}, {funder_id: -uncalled_cents})
        return None, -uncalled_cents
    if not is_first:
        raise Refused(
            "funding_closed",
            "Le décompte final de ce financeur est déjà fait, et rien n’a été repris depuis. Ouvrez-le dans la liste.",
        )
    if uncalled_cents == 0:
        return None, 0
    call_id = uuid5(command["id"], "last call")
    call = {**command, "id": call_id, "kind": CallKind.USE, "used_until": None}
    call_every_use(session, call, by=by, now=now, issuer_id=issuer_id)
    return call_id, 0
