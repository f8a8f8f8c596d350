"""What pages show of the duplicates that banks announce: which transfers, who answered what, what is left to answer."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from voucher.kernel.chunks import chunks
from voucher.kernel.database import Database
from voucher.kernel.rows import columns_of
from voucher.network.model import Structure
from voucher.programme.model import Agreement
from voucher.settlement.formats_in.iso_reasons import explain
from voucher.settlement.model.bank_reports import DuplicateAnswer, TransferReport
from voucher.settlement.model.batches import BankFile, PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.payable.undecided_duplicates import is_announced, is_open
from voucher.settlement.words.states import AdviceState, DuplicateOutcome, ReportKind, ReportLevel

LEVELS = {
    ReportLevel.FILE: "tout le fichier",
    ReportLevel.BLOCK: "tout le bloc de virements",
    ReportLevel.TRANSFER: "ce virement",
}
"""What the bank spoke of, in French."""

OUTCOMES = {DuplicateOutcome.STANDS: "La première tient", DuplicateOutcome.NEVER_CAME: "La première n’existe pas"}
"""What a person may answer, in French: of the first sending."""


class DuplicateStanding(StrEnum):
    """Where a transfer that the bank called a duplicate stands: it waits for answers, or what the money did has answered."""

    UNANSWERED = "unanswered"
    ONE_OF_TWO = "one_of_two"
    CONTRARY = "contrary"
    DEBITED = "debited"
    STANDS = "stands"
    NEVER_CAME = "never_came"
    FAILED = "failed"


DUPLICATE_STANDINGS: dict[DuplicateStanding, str] = {
    DuplicateStanding.UNANSWERED: "À répondre",
    DuplicateStanding.ONE_OF_TWO: "Une réponse sur deux",
    DuplicateStanding.CONTRARY: "Réponses contraires",
    DuplicateStanding.DEBITED: "Débité : la première tient",
    DuplicateStanding.STANDS: OUTCOMES[DuplicateOutcome.STANDS],
    DuplicateStanding.NEVER_CAME: OUTCOMES[DuplicateOutcome.NEVER_CAME],
    DuplicateStanding.FAILED: "Rejeté ou revenu",
}
"""The word of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateRow:
    """A transfer that the bank called a duplicate: of what it spoke, by which code, what it said of it since; where it stands.

    `is_open`: it waits for an answer. `answers` are those that stand, in order.
    """

    advice_id: UUID
    reference: str
    structure_name: str
    amount_cents: int
    state: AdviceState
    paid_on: date | None
    announced_at: datetime
    level: ReportLevel
    code: str
    rejected_since: str
    is_open: bool
    answers: tuple[DuplicateOutcome, ...]

    @property
    def is_paid(self) -> bool:
        """Whether a bank line paid it."""
        return self.state is AdviceState.PAID

    @property
    def bank_says(self) -> str:
        """What the bank said, whole."""
        since = f" Elle l’a aussi rejeté : {explain(self.rejected_since).sentence}" if self.rejected_since else ""
        return f"{explain(self.code).sentence} ({self.code}, {LEVELS[self.level]}).{since}".replace(". (", " (")

    @property
    def standing(self) -> DuplicateStanding:
        """Where it stands now."""
        if self.is_open:
            if len(set(self.answers)) > 1:
                return DuplicateStanding.CONTRARY
            return DuplicateStanding.ONE_OF_TWO if self.answers else DuplicateStanding.UNANSWERED
        if self.state is AdviceState.PAID:
            return DuplicateStanding.DEBITED
        if self.state is AdviceState.IN_FILE:
            return DuplicateStanding.STANDS
        is_decided = len(self.answers) > 1 and set(self.answers) == {DuplicateOutcome.NEVER_CAME}
        return DuplicateStanding.NEVER_CAME if is_decided else DuplicateStanding.FAILED

    @property
    def word(self) -> str:
        """Where it stands now, in French."""
        return DUPLICATE_STANDINGS[self.standing]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAnswer:
    """An answer as it was given, for so many transfers and cents; withdrawn, by whom and why."""

    id: UUID
    outcome: DuplicateOutcome
    reason: str
    answered_at: datetime
    answered_by: UUID
    withdrawn_at: datetime | None
    withdrawn_by: UUID | None
    withdrawn_reason: str
    advice_count: int
    amount_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatePage:
    """The duplicates of a batch, or of one transfer: the rows (the first ones), what is open, the answers given, the oldest first."""

    batch_id: UUID
    batch_number: str
    advice_id: UUID | None
    rows: tuple[DuplicateRow, ...]
    total_count: int
    open_count: int
    open_cents: int
    open_answers: tuple[DuplicateOutcome, ...]
    answers: tuple[GivenAnswer, ...]


@dataclass(frozen=True, slots=True)
class DuplicateBatch:
    """A batch with duplicates that wait for an answer."""

    batch_id: UUID
    batch_number: str
    agreement_name: str
    announced_at: datetime
    open_count: int
    open_cents: int


def duplicate_batches(database: Database, *, issuer_id: UUID | None = None) -> list[DuplicateBatch]:
    """Return the batches of the scope of which duplicates wait for an answer, the oldest announcement first."""
    first_at = (
        select(func.min(BankFile.imported_at))
        .join(TransferReport, TransferReport.bank_file == BankFile.sha256)
        .where(TransferReport.advice_id == PaymentAdvice.id, TransferReport.kind == ReportKind.DUPLICATE)
        .correlate(PaymentAdvice)
        .scalar_subquery()
    )
    waiting = (
        select(PaymentAdvice.batch_id, PaymentAdvice.amount_cents, first_at.label("announced_at"))
        .where(is_open())
        .subquery()
    )
    query = (
        select(
            SettlementBatch.id,
            SettlementBatch.number,
            Agreement.name,
            func.min(waiting.c.announced_at),
            func.count(),
            func.sum(waiting.c.amount_cents),
        )
        .join(waiting, waiting.c.batch_id == SettlementBatch.id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .where(in_scope(Agreement.issuer_id, issuer_id))
        .group_by(SettlementBatch.id, SettlementBatch.number, Agreement.name)
        .order_by(func.min(waiting.c.announced_at), SettlementBatch.number)
    )
    with database.read() as session:
        rows = session.execute(query).all()
    return [DuplicateBatch(id_, number, name, at, count, int(cents)) for id_, number, name, at, count, cents in rows]


def duplicates_of(
    database: Database, batch_id: UUID, *, advice_id: UUID | None = None, limit: int, issuer_id: UUID | None = None
) -> DuplicatePage | None:
    """Return the duplicates of a batch of the scope, or of one of its transfers; None when nothing was announced there."""
    conditions = [PaymentAdvice.batch_id == batch_id, is_announced(), in_scope(Agreement.issuer_id, issuer_id)]
    if advice_id is not None:
        conditions.append(PaymentAdvice.id == advice_id)
    with database.read() as session:
        rows = session.execute(_advices(conditions).order_by(is_open().desc(), PaymentAdvice.reference)).all()
        if not rows:
            return None
        standing = _standing(session, [row.id for row in rows if row.is_open])
        shown = _rows(session, rows[:limit])
        open_rows = [row for row in rows if row.is_open]
        said = {answer for answers in standing.values() for answer in answers}
        return DuplicatePage(
            batch_id=batch_id,
            batch_number=rows[0].number,
            advice_id=advice_id,
            rows=shown,
            total_count=len(rows),
            open_count=len(open_rows),
            open_cents=sum(row.amount_cents for row in open_rows),
            open_answers=tuple(sorted(said)),
            answers=_given(session, conditions),
        )


def announced_in(database: Database, batch_id: UUID) -> dict[UUID, bool]:
    """Return the transfers of a batch that the bank called duplicates, and whether each waits for an answer."""
    query = select(PaymentAdvice.id, is_open().label("is_open")).where(
        PaymentAdvice.batch_id == batch_id, is_announced()
    )
    with database.read() as session:
        return {row.id: bool(row.is_open) for row in session.execute(query)}


def _advices(conditions: Sequence[ColumnElement[bool]]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            PaymentAdvice.id,
            PaymentAdvice.reference,
            Structure.name,
            PaymentAdvice.amount_cents,
            PaymentAdvice.state,
            PaymentAdvice.paid_on,
            SettlementBatch.number,
            is_open().label("is_open"),
        )
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .join(Structure, Structure.id == PaymentAdvice.structure_id)
        .where(*conditions)
    )


def _rows(session: Session, rows: Sequence[Any]) -> tuple[DuplicateRow, ...]:
    ids = [row.id for row in rows]
    announced: dict[UUID, Any] = {}
    rejected: dict[UUID, str] = {}
    for report in session.execute(
        select(
            TransferReport.advice_id,
            TransferReport.kind,
            TransferReport.level,
            TransferReport.code,
            BankFile.imported_at,
        )
        .join(BankFile, BankFile.sha256 == TransferReport.bank_file)
        .where(TransferReport.advice_id.in_(ids))
        .order_by(BankFile.imported_at)
    ):
        if report.kind == ReportKind.DUPLICATE:
            announced.setdefault(report.advice_id, report)
        elif report.kind == ReportKind.REJECTION and report.advice_id in announced:
            rejected[report.advice_id] = report.code
    answers = _standing(session, ids)
    return tuple(
        DuplicateRow(
            advice_id=row.id,
            reference=row.reference,
            structure_name=row.name,
            amount_cents=row.amount_cents,
            state=row.state,
            paid_on=row.paid_on,
            announced_at=announced[row.id].imported_at,
            level=announced[row.id].level,
            code=announced[row.id].code,
            rejected_since=rejected.get(row.id, ""),
            is_open=bool(row.is_open),
            answers=tuple(answers.get(row.id, ())),
        )
        for row in rows
    )


def _standing(session: Session, ids: Sequence[UUID]) -> dict[UUID, list[DuplicateOutcome]]:
    """Return the answers that stand for each of these transfers, the first given first."""
    found: defaultdict[UUID, list[DuplicateOutcome]] = defaultdict(list)
    for some in chunks(ids):
        for row in session.execute(
            select(DuplicateAnswer.advice_id, DuplicateAnswer.outcome)
            .where(DuplicateAnswer.advice_id.in_(some), DuplicateAnswer.withdrawn_at.is_(None))
            .order_by(DuplicateAnswer.answered_at)
        ):
            found[row.advice_id].append(row.outcome)
    return found


def _given(session: Session, conditions: Sequence[ColumnElement[bool]]) -> tuple[GivenAnswer, ...]:
    columns = (
        DuplicateAnswer.id,
        DuplicateAnswer.outcome,
        DuplicateAnswer.reason,
        DuplicateAnswer.answered_at,
        DuplicateAnswer.answered_by,
        DuplicateAnswer.withdrawn_at,
        DuplicateAnswer.withdrawn_by,
        DuplicateAnswer.withdrawn_reason,
    )
    query = (
        select(
            *columns,
            func.count().label("advice_count"),
            func.sum(PaymentAdvice.amount_cents).label("amount_cents"),
        )
        .join(PaymentAdvice, PaymentAdvice.id == DuplicateAnswer.advice_id)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .where(*conditions)
        .group_by(*columns)
        .order_by(DuplicateAnswer.answered_at)
    )
    return tuple(GivenAnswer(**columns_of(row, "amount_cents")) for row in session.execute(query))
