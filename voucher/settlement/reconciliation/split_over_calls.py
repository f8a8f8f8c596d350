"""Répartir une ligne entre des appels de fonds: a funder pays several calls by one transfer, or one call in parts.

A person chooses each part, in cents. Nobody takes more than what waits of the line, nor more than what a call still asks: one
conditional statement says so for the line, one for each call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import combinations
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.funding.model import CallState, FundsCall
from voucher.kernel.database import Database
from voucher.kernel.idempotency import is_same
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.programme.model import Agreement, Funder
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.reconciliation.apply_match import Line, Match, line_to_use
from voucher.settlement.reconciliation.bank_turn import take_bank_turn
from voucher.settlement.reconciliation.match_other_money import credit_line, mentions, receive

_TOGETHER_MAX = 3  # calls that one transfer is offered for, beyond those that its words name
_LOOKED_AT_MAX = 12


@dataclass(frozen=True, slots=True)
class CallPart:
    """What a line pays of a call, in cents; `match_id` is made by the form."""

    match_id: UUID
    call_id: UUID
    amount_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCall:
    """A call that a line of its account may pay: what it still asks, and whether the bank's words hold its reference."""

    id: UUID
    reference: str
    funder_id: UUID
    funder_name: str
    agreement_number: str
    due_on: date
    due_cents: int
    is_named: bool


def match_with_calls(
    database: Database,
    line_id: UUID,
    parts: Sequence[CallPart],
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> int:
    """Let a credit pay calls, each the part that a person chose, all or none; return the cents taken. Again, it changes nothing.

    Each part is a match of its own, undone by itself. Raises Refused, `field` the call's id where a part is wrong: nothing chosen, a
    part of nothing, more than a call asks or than waits of the line, a debit, another account.
    """
    with database.write() as session:
        take_bank_turn(session)
        line = credit_line(session, line_id, issuer_id)
        if _is_done(session, line_id, parts):
            return sum(part.amount_cents for part in parts)
        refuse_wrong_parts(line.amount_cents - line.matched_cents, open_calls_of(session, line), parts)
        for part in sorted(parts, key=lambda one: one.call_id):
            try:
                receive(session, Match(part.match_id, by, now), line, part.call_id, issuer_id, part.amount_cents)
            except Refused as refused:
                raise Refused(refused.code, refused.sentence, str(part.call_id)) from None
    return sum(part.amount_cents for part in parts)


def refuse_wrong_parts(left_cents: int, calls: Sequence[OpenCall], parts: Sequence[CallPart]) -> None:
    """Raise Refused, `field` the call's id, for parts that a line of which `left_cents` wait cannot pay of these calls."""
    if not left_cents:
        raise Refused("line_used", "Cette ligne est déjà rapprochée. Défaites d’abord ce rapprochement.")
    if not parts:
        raise Refused("no_part", "Écrivez la part d’un appel au moins.")
    if len({part.call_id for part in parts}) < len(parts):
        raise Refused("call_twice", "Un appel est là deux fois. Écrivez une seule part pour lui.")
    by_id = {one.id: one for one in calls}
    for part in parts:
        call = by_id.get(part.call_id)
        if call is None:
            sentence = "Cet appel n’attend rien de cette ligne. Videz cette part, puis choisissez-en un autre."
            raise Refused("nothing_due", sentence, str(part.call_id))
        if not 0 < part.amount_cents <= call.due_cents:
            sentence = f"L’appel {call.reference} attend {format_euros(call.due_cents)}. Écrivez cette part, ou moins."
            raise Refused("beyond_the_call", sentence, str(part.call_id))
    if (beyond_cents := sum(part.amount_cents for part in parts) - left_cents) > 0:
        raise Refused(
            "beyond_the_line",
            f"Il reste {format_euros(left_cents)} de la ligne, et ces parts font {format_euros(left_cents + beyond_cents)}. Baissez "
            f"cette part ou une autre de {format_euros(beyond_cents)}.",
            str(parts[-1].call_id),
        )


def _is_done(session: Session, line_id: UUID, parts: Sequence[CallPart]) -> bool:
    """Say whether these very parts were matched before. Raises Refused when they were others, or were undone since."""
    standing = {
        row.id: (row.line_id, row.target_id, row.amount_cents, row.undone_at)
        for row in session.execute(
            select(BankMatch.id, BankMatch.line_id, BankMatch.target_id, BankMatch.amount_cents, BankMatch.undone_at)
            .where(BankMatch.id.in_([part.match_id for part in parts]))
        )
    }  # fmt: skip
    asked = {part.match_id: (line_id, part.call_id, part.amount_cents, None) for part in parts}
    return is_same(standing or None, asked)


def open_calls(database: Database, line_id: UUID, *, issuer_id: UUID | None = None) -> list[OpenCall]:
    """Return the calls that a credit may pay, those that its words name first, then by due day. Raises Refused out of scope."""
    with database.read() as session:
        line = line_to_use(session, line_id, issuer_id)
        return open_calls_of(session, line) if line.is_credit else []


def open_calls_of(session: Session, line: Line) -> list[OpenCall]:
    """Return the same inside a transaction."""
    due_cents = (FundsCall.called_cents - FundsCall.received_cents).label("due_cents")
    rows = session.execute(
        select(
            FundsCall.id,
            FundsCall.reference,
            FundsCall.funder_id,
            Funder.name,
            Agreement.number,
            FundsCall.due_on,
            due_cents,
        )
        .join(Agreement, Agreement.id == FundsCall.agreement_id)
        .join(Funder, Funder.id == FundsCall.funder_id)
        .where(
            Agreement.paying_account_id == line.paying_account_id,
            FundsCall.state.in_((CallState.CALLED, CallState.PARTLY_PAID)),
        )
        .order_by(FundsCall.due_on, FundsCall.reference)
    )
    found = [
        OpenCall(
            id=row.id,
            reference=row.reference,
            funder_id=row.funder_id,
            funder_name=row.name,
            agreement_number=row.number,
            due_on=row.due_on,
            due_cents=row.due_cents,
            is_named=mentions(line.remittance, row.reference),
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: not one.is_named)


def proposed_parts(left_cents: int, calls: Sequence[OpenCall]) -> Mapping[UUID, int]:
    """Return the part of each call that a line of `left_cents` is first offered for, in cents; none when nothing tells.

    The calls that the bank's words name, the first due first; else the only few calls of one funder that make the very amount.
    """
    named = [call for call in calls if call.is_named]
    if named:
        parts: dict[UUID, int] = {}
        for one in named:
            if part := min(one.due_cents, left_cents - sum(parts.values())):
                parts[one.id] = part
        return parts
    by_funder: dict[UUID, list[OpenCall]] = {}
    for one in calls:
        by_funder.setdefault(one.funder_id, []).append(one)
    exact = [
        some
        for theirs in by_funder.values()
        for count in range(1, _TOGETHER_MAX + 1)
        for some in combinations(theirs[:_LOOKED_AT_MAX], count)
        if sum(one.due_cents for one in some) == left_cents
    ]
    return {one.id: one.due_cents for one in exact[0]} if len(exact) == 1 else {}
