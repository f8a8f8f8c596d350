"""What waits for a second person on bank lines, and what two people decided of one."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import aliased

from voucher.kernel.database import Database
from voucher.ledger.chart import Code
from voucher.network.model import Structure
from voucher.programme.model import Agreement, Funder, PayingAccount
from voucher.settlement.model.batches import BankLine
from voucher.settlement.model.issuer_scope import account_in_scope
from voucher.settlement.model.proposals import LineProposal
from voucher.settlement.model.refunds import LineRefund
from voucher.settlement.reconciliation.match_with_account import account_name
from voucher.settlement.reconciliation.refund_line import sent_refund
from voucher.settlement.words.states import ProposalKind, RefundState


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRow:
    """Money sent back: to whom, on which account (the line's, or another that the second person confirms), where it stands."""

    reference: str
    holder_name: str
    iban: str
    is_lines_iban: bool
    state: RefundState
    file_name: str | None
    return_line_id: UUID | None

    @property
    def is_in_file(self) -> bool:
        """Whether it was sent, and nothing has come of it yet."""
        return self.state is RefundState.IN_FILE

    @property
    def is_for_the_bank(self) -> bool:
        """Whether its file goes to the bank, and not to a public accountant."""
        return self.file_name is not None and self.file_name.endswith(".xml")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalRow:
    """What a person proposes for a part of a line, in French; by whom, and how it ended. `undoes` says what an undoing undoes."""

    id: UUID
    line_id: UUID
    booked_on: date
    counterparty: str
    kind: ProposalKind
    amount_cents: int
    what: str
    reason: str
    proposed_at: datetime
    proposed_by: UUID
    confirmed_at: datetime | None
    confirmed_by: UUID | None
    withdrawn_at: datetime | None
    undoes_id: UUID | None
    refund: "RefundRow | None"

    @property
    def is_refund(self) -> bool:
        """Whether it sends money back to its sender."""
        return self.kind is ProposalKind.REFUND

    @property
    def is_undoing(self) -> bool:
        """Whether it undoes a match."""
        return self.kind is ProposalKind.UNDO

    @property
    def is_waiting(self) -> bool:
        """Whether another person must confirm it."""
        return self.confirmed_at is None and self.withdrawn_at is None


def proposals_of(database: Database, line_id: UUID, *, issuer_id: UUID | None = None) -> list[ProposalRow]:
    """Return every proposal of a line of the scope, the oldest first."""
    return _read(database, LineProposal.line_id == line_id, issuer_id)


def waiting_proposals(database: Database, *, issuer_id: UUID | None = None) -> list[ProposalRow]:
    """Return what waits for another person, the oldest first."""
    waits = LineProposal.confirmed_at.is_(None) & LineProposal.withdrawn_at.is_(None)
    return _read(database, waits, issuer_id)


def _read(database: Database, which: ColumnElement[bool], issuer_id: UUID | None) -> list[ProposalRow]:
    query = _proposals().where(which, account_in_scope(issuer_id))
    with database.read() as session:
        rows = session.execute(query.order_by(LineProposal.proposed_at, LineProposal.id)).all()
    return [_row(row) for row in rows]


def _proposals() -> Select[*tuple[Any, ...]]:
    # The scope asks for agreements of its own.
    undone, agreement = aliased(LineProposal), aliased(Agreement)
    return (
        select(
            *LineProposal.__table__.columns,
            BankLine.booked_on,
            BankLine.counterparty,
            BankLine.is_credit,
            Structure.name.label("structure_name"),
            Funder.name.label("funder_name"),
            agreement.number.label("agreement_number"),
            undone.code.label("undone_code"),
            BankLine.counterparty_iban,
            LineRefund.reference,
            LineRefund.holder_name,
            LineRefund.iban,
            LineRefund.state,
            LineRefund.file_name,
            LineRefund.return_line_id,
        )
        .join(BankLine, BankLine.id == LineProposal.line_id)
        .join(PayingAccount, PayingAccount.id == BankLine.paying_account_id)
        # What undoes a proposal speaks of the same account.
        .outerjoin(undone, undone.id == LineProposal.undoes_id)
        .outerjoin(LineRefund, LineRefund.id == func.coalesce(LineProposal.undoes_id, LineProposal.id))
        .outerjoin(agreement, agreement.id == func.coalesce(LineProposal.agreement_id, undone.agreement_id))
        .outerjoin(Structure, Structure.id == func.coalesce(LineProposal.structure_id, undone.structure_id))
        .outerjoin(Funder, Funder.id == func.coalesce(LineProposal.funder_id, undone.funder_id))
    )


def _row(row: Row[*tuple[Any, ...]]) -> ProposalRow:
    kind = row.kind
    return ProposalRow(
        id=row.id,
        line_id=row.line_id,
        booked_on=row.booked_on,
        counterparty=row.counterparty,
        kind=kind,
        amount_cents=row.amount_cents,
        what=f"Défaire : {_what(row)}" if kind is ProposalKind.UNDO else _what(row),
        reason=row.reason,
        proposed_at=row.proposed_at,
        proposed_by=row.proposed_by,
        confirmed_at=row.confirmed_at,
        confirmed_by=row.confirmed_by,
        withdrawn_at=row.withdrawn_at,
        undoes_id=row.undoes_id,
        refund=None if row.reference is None else _refund(row),
    )


def _what(row: Row[*tuple[Any, ...]]) -> str:
    code = row.code or row.undone_code
    if code is None:
        return f"renvoi à {row.holder_name}"
    whose = row.structure_name or row.funder_name
    return f"compte {account_name(Code(code), whose, row.agreement_number, is_credit=row.is_credit)}"


def _refund(row: Row[*tuple[Any, ...]]) -> RefundRow:
    return RefundRow(
        reference=row.reference,
        holder_name=row.holder_name,
        iban=row.iban,
        is_lines_iban=row.iban == row.counterparty_iban,
        state=RefundState(row.state),
        file_name=row.file_name,
        return_line_id=row.return_line_id,
    )


def refund_file(database: Database, refund_id: UUID, *, issuer_id: UUID | None = None) -> tuple[str, bytes] | None:
    """Return the name and bytes of what asks for a refund, as written when it was confirmed; None before, or out of scope."""
    with database.read() as session:
        found = sent_refund(session, refund_id, issuer_id)
        if found is None or found.file_name is None or found.file_content is None:
            return None
        return found.file_name, found.file_content
