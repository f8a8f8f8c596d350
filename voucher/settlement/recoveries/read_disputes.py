"""Disputes as pages ask for them: what can be contested, in lists, each whole."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select

from voucher.issuing.model import VoucherState
from voucher.kernel.calendar import end_of_day, start_of_day
from voucher.kernel.characters import compact
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.search import contains
from voucher.kernel.typed_days import asked_day
from voucher.kernel.typed_numbers import serial_asked
from voucher.network.model import Place, Structure
from voucher.network.services import Service
from voucher.programme.model import Agreement
from voucher.redemption.model import Redemption, RedemptionState
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.model.recoveries import Dispute, Overpayment
from voucher.settlement.words.dispute_sentences import DisputeFacts, DisputeSaid, dispute_said
from voucher.settlement.words.states import DisputeOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestable:
    """A redemption that could be contested, in a list."""

    id: UUID
    redeemed_at: datetime
    structure_name: str
    place_name: str
    booklet_number: int
    voucher_count: int
    amount_cents: int
    service: str
    state: str

    @property
    def may_be_contested(self) -> bool:
        """Whether it stands and nobody contests it."""
        return self.state == RedemptionState.CONFIRMED


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeLine:
    """A dispute in a list; `state` is `open`, `dismissed` or `upheld`."""

    id: UUID
    redemption_id: UUID
    redeemed_at: datetime
    structure_name: str
    place_name: str
    agreement_number: str
    reason: str
    state: str
    is_suspending: bool
    voucher_count: int
    amount_cents: int
    opened_at: datetime
    decided_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether nobody has decided it yet."""
        return self.state == "open"

    @property
    def is_dismissed(self) -> bool:
        """Whether the redemption stands."""
        return self.state == DisputeOutcome.DISMISSED

    @property
    def is_upheld(self) -> bool:
        """Whether the redemption was reversed."""
        return self.state == DisputeOutcome.UPHELD


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputePage:
    """One dispute, whole; `…_by` are staff ids. `overpayment_id` is what it made the structure owe back, `left_cents` of it."""

    line: DisputeLine
    structure_id: UUID
    booklet_number: int
    service: str
    facts: str
    decision: str
    opened_by: UUID
    decided_by: UUID | None
    is_released: bool
    vouchers_became: str | None
    overpayment_id: UUID | None
    left_cents: int | None
    is_claimed: bool

    @property
    def said(self) -> DisputeSaid:
        """Where it stands, and what it makes of the money."""
        return dispute_said(
            DisputeFacts(
                is_upheld=None if self.line.is_open else self.line.is_upheld,
                is_suspending=self.line.is_suspending,
                is_released=self.is_released,
                left_cents=self.left_cents,
                is_claimed=self.is_claimed,
            )
        )

    @property
    def is_to_repay(self) -> bool:
        """Whether the structure has something of it to give back still."""
        return bool(self.left_cents)

    @property
    def may_serve_again(self) -> bool:
        """Whether its vouchers are in their holder's hands again."""
        return self.vouchers_became == VoucherState.HANDED_OVER

    @property
    def are_in_stock(self) -> bool:
        """Whether its vouchers went back to the stock."""
        return self.vouchers_became == VoucherState.ISSUED


def contestable(database: Database, asked: Asked, *, issuer_id: UUID | None = None) -> Page[Contestable]:
    """Return a page of redemptions. Filters: `structure` (name or SIRET), `booklet`, `day`. Sort: redeemed_at."""
    query = _redemptions(issuer_id).where(Redemption.state == RedemptionState.CONFIRMED)
    if words := asked.filters.get("structure"):
        query = query.where(is_structure(words))
    if number := asked.filters.get("booklet"):
        query = query.where(Redemption.booklet_number == serial_asked(number))
    if day := asked.filters.get("day"):
        query = query.where(_on(day))
    with database.read() as session:
        page = page_of(session, query, {"redeemed_at": Redemption.redeemed_at}, [Redemption.id], asked)
    return page.of(_contestable(row) for row in page.rows)


def contested(database: Database, redemption_id: UUID, *, issuer_id: UUID | None = None) -> Contestable | None:
    """Return one redemption of the scope, whatever its state, or None."""
    with database.read() as session:
        row = session.execute(_redemptions(issuer_id).where(Redemption.id == redemption_id)).one_or_none()
    return None if row is None else _contestable(row)


def disputes(
    database: Database, asked: Asked, *, issuer_id: UUID | None = None, structure_id: UUID | None = None
) -> Page[DisputeLine]:
    """Return a page of disputes. Filters: `state`, `structure`. Sorts: opened_at, amount."""
    query = _disputes(issuer_id)
    if structure_id is not None:
        query = query.where(Dispute.structure_id == structure_id)
    if state := asked.filters.get("state"):
        query = query.where(Dispute.outcome.is_(None) if state == "open" else Dispute.outcome == state)
    if words := asked.filters.get("structure"):
        query = query.where(is_structure(words))
    sorts = {"opened_at": Dispute.opened_at, "amount": Dispute.amount_cents}
    with database.read() as session:
        page = page_of(session, query, sorts, [Dispute.id], asked)
    return page.of(_dispute_line(row) for row in page.rows)


def dispute(
    database: Database, dispute_id: UUID, *, issuer_id: UUID | None = None, structure_id: UUID | None = None
) -> DisputePage | None:
    """Return one dispute, or None when it is not in the scope (an issuer's, or a structure's)."""
    query = (
        _disputes(issuer_id)
        .add_columns(
            *(
                getattr(Dispute, name)
                for name in ("structure_id", "facts", "decision", "opened_by", "decided_by", "is_released")
            ),
            Dispute.vouchers_became,
            Redemption.booklet_number,
            Redemption.service,
            Overpayment.id.label("overpayment_id"),
            (Overpayment.amount_cents - Overpayment.recovered_cents).label("left_cents"),
            Overpayment.claimed_at.is_not(None).label("is_claimed"),
        )
        .outerjoin(Overpayment, Overpayment.dispute_id == Dispute.id)
        .where(Dispute.id == dispute_id)
    )
    if structure_id is not None:
        query = query.where(Dispute.structure_id == structure_id)
    with database.read() as session:
        row = session.execute(query).one_or_none()
    if row is None:
        return None
    return DisputePage(
        line=_dispute_line(row),
        structure_id=row.structure_id,
        booklet_number=row.booklet_number,
        service=Service.of_code(row.service).label,
        facts=row.facts,
        decision=row.decision,
        opened_by=row.opened_by,
        decided_by=row.decided_by,
        is_released=row.is_released,
        vouchers_became=row.vouchers_became,
        overpayment_id=row.overpayment_id,
        left_cents=row.left_cents,
        is_claimed=bool(row.is_claimed),
    )


def _redemptions(issuer_id: UUID | None) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Redemption.id,
            Redemption.redeemed_at,
            Structure.name.label("structure_name"),
            Place.name.label("place_name"),
            Redemption.booklet_number,
            Redemption.voucher_count,
            Redemption.amount_cents,
            Redemption.service,
            Redemption.state,
        )
        .join(Structure, Structure.id == Redemption.structure_id)
        .join(Place, Place.id == Redemption.place_id)
        .join(Agreement, Agreement.id == Redemption.agreement_id)
        .where(in_scope(Agreement.issuer_id, issuer_id))
    )


def _contestable(row: Any) -> Contestable:
    service = Service.of_code(row.service).label
    return Contestable(
        id=row.id,
        redeemed_at=row.redeemed_at,
        structure_name=row.structure_name,
        place_name=row.place_name,
        booklet_number=row.booklet_number,
        voucher_count=row.voucher_count,
        amount_cents=row.amount_cents,
        service=service,
        state=row.state,
    )


def _disputes(issuer_id: UUID | None) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Dispute.id,
            Dispute.redemption_id,
            Redemption.redeemed_at,
            Structure.name.label("structure_name"),
            Place.name.label("place_name"),
            Agreement.number.label("agreement_number"),
            Dispute.reason,
            func.coalesce(Dispute.outcome, "open").label("state"),
            Dispute.is_suspending,
            Dispute.voucher_count,
            Dispute.amount_cents,
            Dispute.opened_at,
            Dispute.decided_at,
        )
        .join(Redemption, Redemption.id == Dispute.redemption_id)
        .join(Place, Place.id == Redemption.place_id)
        .join(Structure, Structure.id == Dispute.structure_id)
        .join(Agreement, Agreement.id == Dispute.agreement_id)
        .where(in_scope(Agreement.issuer_id, issuer_id))
    )


def _dispute_line(row: Any) -> DisputeLine:
    return DisputeLine(**{field.name: getattr(row, field.name) for field in fields(DisputeLine)})


def is_structure(words: str) -> ColumnElement[bool]:
    """Return the condition that a structure's name holds these words, or that its SIRET or RNA begins so."""
    return or_(
        contains(Structure.name, words),
        Structure.pivot.startswith(compact(words) or words, autoescape=True),
    )


def _on(day: str) -> ColumnElement[bool]:
    on = asked_day(day)
    if on is None:
        return false()
    return and_(Redemption.redeemed_at >= start_of_day(on), Redemption.redeemed_at < end_of_day(on))
