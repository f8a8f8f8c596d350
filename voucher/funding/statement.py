"""A funder's statement on an agreement: every figure from its ceiling to what is overdue, each with the list behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.funding.accounts import account, advance_ceiling_cents
from voucher.funding.model import CallState
from voucher.funding.read import OVERDUE, STATES, CallLine, CloseLine, ReceiptLine, call_lines, closes_of, receipts_of
from voucher.funding.return_advance import returned_cents
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.database import Database
from voucher.kernel.money import format_euros
from voucher.kernel.paper import pdf
from voucher.ledger.chart import Code
from voucher.ledger.model import Account
from voucher.programme.funders import FunderPart, funder_parts
from voucher.programme.model import Agreement, Funder, Issuer
from voucher.programme.stages import balances_of

_PRINT = Path(__file__).parent / "print"
CODES = (Code.COMMITTED, Code.ISSUED, Code.HANDED_OVER, Code.USED, Code.TO_CALL, Code.CALLED, Code.ADVANCES)


@dataclass(frozen=True, slots=True)
class ReceiptStep:
    """What a statement says of a receipt: that it came, or, below zero, that a later look found it was not this call's.

    It counts on `booked_on`, the bank's day; `said_on` is the day we learned it: a statement drawn before does not hold it.
    """

    booked_on: date
    said_on: date
    reference: str
    signed_cents: int

    @property
    def is_correction(self) -> bool:
        """Whether it takes back what a statement drawn before may have said."""
        return self.signed_cents < 0


def receipt_steps(receipts: Sequence[ReceiptLine]) -> list[ReceiptStep]:
    """Return what is to be said of receipts in the order in which it became known; it sums to what is received."""
    came = [
        ReceiptStep(receipt.booked_on, paris_day(receipt.received_at), receipt.reference, receipt.amount_cents)
        for receipt in receipts
    ]
    undone = [
        ReceiptStep(receipt.booked_on, paris_day(receipt.undone_at), receipt.reference, -receipt.amount_cents)
        for receipt in receipts
        if receipt.undone_at is not None
    ]
    return sorted([*came, *undone], key=lambda step: (step.said_on, step.booked_on, -step.signed_cents))


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What stands between a funder and an agreement, in cents; `account_ids` are the ledger's accounts behind it, by code."""

    agreement_id: UUID
    agreement_number: str
    agreement_name: str
    issuer_name: str
    present_by: date
    funder_id: UUID
    funder_name: str
    part: FunderPart
    account_ids: dict[str, int]
    free_cents: int
    stock_cents: int
    handed_over_cents: int
    used_cents: int
    to_call_cents: int
    advance_cents: int
    returned_cents: int  # of its advances, given back before any final balance
    calls: tuple[CallLine, ...]
    receipts: tuple[ReceiptLine, ...]
    closes: tuple[CloseLine, ...]

    @property
    def outstanding_cents(self) -> int:
        """What is in circulation: issued, and not used."""
        return self.stock_cents + self.handed_over_cents

    @property
    def called_cents(self) -> int:
        """What the funder was asked to transfer, cancelled calls left out."""
        return sum(call.called_cents for call in self.calls if call.state != CallState.CANCELLED)

    @property
    def received_cents(self) -> int:
        """What it transferred."""
        return sum(call.received_cents for call in self.calls)

    @property
    def due_cents(self) -> int:
        """What it was asked and has not transferred yet."""
        return sum(call.left_cents for call in self.calls)

    @property
    def overdue_cents(self) -> int:
        """What of it should have come by now."""
        return sum(call.left_cents for call in self.calls if call.state == OVERDUE)

    @property
    def advance_ceiling_cents(self) -> int:
        """The most that the funder can still be asked for in advance."""
        return self.advance_ceiling_after_cents(0)

    def advance_ceiling_after_cents(self, asked_cents: int) -> int:
        """Return the most that it could be asked for once another advance is."""
        not_used_cents = self.free_cents + self.outstanding_cents
        return advance_ceiling_cents(not_used_cents, self.to_call_cents, self.advance_cents + asked_cents)

    @property
    def figures(self) -> list[tuple[str, int]]:
        """Every figure with its name, in the order of the money's life."""
        return [
            ("Part du plafond signé", self.part.ceiling_cents),
            ("Engagé", self.part.committed_cents),
            ("Engagé, à émettre", self.free_cents),
            ("Émis, à remettre", self.stock_cents),
            ("Remis, à utiliser", self.handed_over_cents),
            ("Utilisé", self.used_cents),
            ("Utilisé, à appeler", self.to_call_cents),
            ("Appelé à verser", self.called_cents),
            ("Reçu", self.received_cents),
            ("Appelé, à recevoir", self.due_cents),
            ("Dont en retard", self.overdue_cents),
            ("Avance qui reste", self.advance_cents),
            ("Avance rendue avant le décompte", self.returned_cents),
        ]


def statement(
    database: Database, agreement_id: UUID, funder_id: UUID, *, today: date, issuer_id: UUID | None = None
) -> Statement | None:
    """Return a funder's statement on an agreement, or None; with an `issuer_id`, only on one of that issuer."""
    with database.read() as session:
        return _statement(session, agreement_id, funder_id, today, issuer_id)


def statements_of_funder(
    database: Database, funder_id: UUID, *, today: date, issuer_id: UUID | None = None
) -> tuple[str, list[Statement]] | None:
    """Return a funder's name and its statement on each agreement it funds (of the scope), by number; None where there is none."""
    with database.read() as session:
        name = session.scalar(select(Funder.name).where(Funder.id == funder_id))
        ids = session.scalars(select(Agreement.id).order_by(Agreement.number)).all()
        found = [_statement(session, each_id, funder_id, today, issuer_id) for each_id in ids]
    known = [one for one in found if one is not None]
    return (name, known) if name is not None and known else None


def statement_pdf(statement: Statement, drawn_on: date) -> bytes:
    """Return a statement as a tagged PDF, as of a day."""
    values = {
        "agreement_number": statement.agreement_number,
        "agreement_name": statement.agreement_name,
        "issuer_name": statement.issuer_name,
        "funder_name": statement.funder_name,
        "drawn_on": french_date(drawn_on),
        "due": format_euros(statement.due_cents),
        "overdue": format_euros(statement.overdue_cents) if statement.overdue_cents else None,
        "figures": [[name, format_euros(cents)] for name, cents in statement.figures],
        "calls": [
            [
                call.reference,
                french_date(call.called_on),
                french_date(call.due_on),
                STATES[call.state][0],
                format_euros(call.called_cents),
                format_euros(call.received_cents),
            ]
            for call in statement.calls
        ],
        "receipts": [
            [
                french_date(step.booked_on),
                french_date(step.said_on),
                f"{step.reference}, correction" if step.is_correction else step.reference,
                format_euros(step.signed_cents),
            ]
            for step in receipt_steps(statement.receipts)
        ],
    }
    return pdf(_PRINT / "statement.typ", values, drawn_on)


def _statement(
    session: Session, agreement_id: UUID, funder_id: UUID, today: date, issuer_id: UUID | None
) -> Statement | None:
    row = session.execute(
        select(
            Agreement.number,
            Agreement.name,
            Agreement.issuer_id,
            Agreement.present_by,
            Issuer.name.label("issuer_name"),
        )
        .join(Issuer, Issuer.id == Agreement.issuer_id)
        .where(Agreement.id == agreement_id)
    ).one_or_none()
    if row is None or issuer_id not in (None, row.issuer_id):
        return None
    part = funder_parts(session, agreement_id).get(funder_id)
    if part is None:
        return None
    ids = {code: account(code, agreement_id, funder_id).id for code in CODES}
    held = {balance.code: balance.cents for balance in balances_of(session, Account.id.in_(ids.values()))}
    name = session.execute(select(Funder.name).where(Funder.id == funder_id)).scalar_one()
    return Statement(
        agreement_id=agreement_id,
        agreement_number=row.number,
        agreement_name=row.name,
        issuer_name=row.issuer_name,
        present_by=row.present_by,
        funder_id=funder_id,
        funder_name=name,
        part=part,
        account_ids={code: number for code, number in ids.items() if code in held},
        free_cents=held.get(Code.COMMITTED, 0),
        stock_cents=held.get(Code.ISSUED, 0),
        handed_over_cents=held.get(Code.HANDED_OVER, 0),
        used_cents=held.get(Code.USED, 0),
        to_call_cents=held.get(Code.TO_CALL, 0),
        advance_cents=-held.get(Code.ADVANCES, 0),
        returned_cents=returned_cents(session, agreement_id, funder_id),
        calls=tuple(call_lines(session, agreement_id, funder_id, today)),
        receipts=tuple(receipts_of(session, agreement_id, funder_id)),
        closes=tuple(closes_of(session, agreement_id, funder_id)),
    )
