"""Transfers that a bank rejected or sent back: why, at which bank, in which month, and what to do about each."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, literal, or_, select, union_all

from voucher.kernel.characters import compact
from voucher.kernel.database import Database
from voucher.kernel.identifiers import bic_of_iban
from voucher.ledger.chart import EventType
from voucher.ledger.model import Entry
from voucher.network.model import Structure
from voucher.programme.model import Agreement
from voucher.settlement.formats_in.iso_reasons import explain
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.payable.payment_history import taken_up_from
from voucher.settlement.words.causes import ReasonText
from voucher.settlement.words.states import AdviceState, MatchKind

UNKNOWN_BANK = "Banque inconnue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A transfer that did not arrive. `is_return` says that it was booked first and came back; `is_open`, that it is owed still."""

    advice_id: UUID
    reference: str
    batch_number: str
    agreement_id: UUID
    structure_id: UUID
    structure_name: str
    pivot: str
    on: date
    is_return: bool
    reason: ReasonText
    bic: str
    amount_cents: int
    is_open: bool

    @property
    def month(self) -> str:
        """The month it happened in, as addresses say it: 2026-11."""
        return f"{self.on:%Y-%m}"


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failures that share a reason, a bank or a month. `key` is what addresses say; `open_cents` are owed still."""

    key: str
    first: Failure
    count: int
    amount_cents: int
    open_cents: int


def failures(database: Database, *, issuer_id: UUID | None = None) -> list[Failure]:
    """Return every reject and return, the newest first; a rejection that the bank took back is none."""
    with database.read() as session:
        rows = session.execute(_query(issuer_id)).all()
    found = [
        Failure(
            advice_id=row.id,
            reference=row.reference,
            batch_number=row.number,
            agreement_id=row.agreement_id,
            structure_id=row.structure_id,
            structure_name=row.name,
            pivot=row.pivot,
            on=row.on,
            is_return=bool(row.is_return),
            reason=explain(row.reason),
            bic=row.bic or bic_of_iban(row.iban or "") or UNKNOWN_BANK,
            amount_cents=row.amount_cents,
            is_open=row.state in {AdviceState.REJECTED, AdviceState.RETURNED},
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: (one.on, one.reference), reverse=True)


def kept(found: Iterable[Failure], filters: Mapping[str, str]) -> list[Failure]:
    """Return some failures. Filters: `reason` (code, or `aucun`), `bank` (BIC), `month` (2026-11), `structure` (name or number)."""
    words = filters.get("structure", "").casefold()
    return [
        one
        for one in found
        if filters.get("reason", _reason(one)) == _reason(one)
        and filters.get("bank", one.bic) == one.bic
        and filters.get("month", one.month) == one.month
        and (words in one.structure_name.casefold() or one.pivot.startswith(compact(words) or words))
    ]


def by_reason(found: Iterable[Failure]) -> list[FailureGroup]:
    """Return the failures by reason, the costliest first."""
    return _grouped(found, _reason, lambda group: (-group.amount_cents, group.key))


def by_bank(found: Iterable[Failure]) -> list[FailureGroup]:
    """Return the failures by the structure's bank, the costliest first."""
    return _grouped(found, lambda one: one.bic, lambda group: (-group.amount_cents, group.key))


def by_month(found: Iterable[Failure]) -> list[FailureGroup]:
    """Return the failures by month, in order."""
    return _grouped(found, lambda one: one.month, lambda group: group.key)


def _reason(one: Failure) -> str:
    return one.reason.code or "aucun"


def _grouped(
    found: Iterable[Failure], key: Callable[[Failure], str], order: Callable[[FailureGroup], Any]
) -> list[FailureGroup]:
    groups: dict[str, list[Failure]] = {}
    for one in found:
        groups.setdefault(key(one), []).append(one)
    return sorted(
        (
            FailureGroup(
                name,
                same[0],
                len(same),
                sum(one.amount_cents for one in same),
                sum(one.amount_cents for one in same if one.is_open),
            )
            for name, same in groups.items()
        ),
        key=order,
    )


def _query(issuer_id: UUID | None) -> Select[*tuple[Any, ...]]:
    """Return the rejections that stand, from the ledger, and the returns, from the bank's lines."""
    rejected = (
        select(
            PaymentAdvice.id,
            Entry.effective_on.label("on"),
            literal(0).label("is_return"),
            PaymentAdvice.state_reason.label("reason"),
        )
        .join(Entry, (Entry.event_id == PaymentAdvice.id) & (Entry.event_type == EventType.TRANSFER_REJECTED))
        .where(or_(PaymentAdvice.state == AdviceState.REJECTED, taken_up_from(PaymentAdvice) == AdviceState.REJECTED))
    )
    returned = (
        select(PaymentAdvice.id, BankLine.booked_on, literal(1), func.coalesce(BankLine.return_reason, ""))
        .join(BankMatch, BankMatch.advice_id == PaymentAdvice.id)
        .join(BankLine, BankLine.id == BankMatch.line_id)
        .where(BankMatch.kind == MatchKind.RETURN, BankMatch.undone_at.is_(None))
    )
    failed = union_all(rejected, returned).subquery()
    return (
        select(
            PaymentAdvice.id,
            PaymentAdvice.reference,
            PaymentAdvice.amount_cents,
            PaymentAdvice.state,
            PaymentAdvice.iban,
            PaymentAdvice.bic,
            SettlementBatch.number,
            SettlementBatch.agreement_id,
            PaymentAdvice.structure_id,
            Structure.name,
            Structure.pivot,
            failed.c.on,
            failed.c.is_return,
            failed.c.reason,
        )
        .join(failed, failed.c.id == PaymentAdvice.id)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .join(Structure, Structure.id == PaymentAdvice.structure_id)
        .where(in_scope(Agreement.issuer_id, issuer_id))
    )
