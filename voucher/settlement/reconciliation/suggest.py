"""What a bank line that waits could be besides one payment: a whole file, a funder's money, an advance given back, a refund,
another line that undoes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.funding.model import CallState, FundingClose, FundsCall
from voucher.kernel.calendar import french_date
from voucher.kernel.database import Database
from voucher.kernel.money import format_euros
from voucher.programme.model import Agreement, Funder
from voucher.settlement.formats_in.camt_charges import is_charge
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine
from voucher.settlement.model.refunds import LineRefund
from voucher.settlement.reconciliation.apply_match import Line, line_to_use
from voucher.settlement.reconciliation.match_other_money import mentions
from voucher.settlement.reconciliation.match_whole_files import file_named, whole_debits
from voucher.settlement.reconciliation.split_over_calls import open_calls_of, proposed_parts
from voucher.settlement.recoveries.repay_or_write_off import open_claims
from voucher.settlement.words.states import MatchKind, RefundState

SUGGESTED_MAX = 10


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a line could be: `taken_cents` of it would be used. `part` is set for a payment file; a charge has no target, nor have
    several calls for funds together: a person looks at their parts first.
    """

    kind: MatchKind
    target_id: UUID | None
    part: int | None
    name: str
    taken_cents: int
    reasons: tuple[str, ...]

    @property
    def is_of_several_calls(self) -> bool:
        """Whether its money is for several calls together."""
        return self.kind is MatchKind.FUNDS and self.target_id is None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRow:
    """A match of a line, standing or undone: what it was matched with, by whom, why; and who undid it, why."""

    id: UUID
    kind: MatchKind
    amount_cents: int
    part_count: int
    is_automatic: bool
    why: str
    made_at: datetime
    made_by: UUID
    undone_at: datetime | None
    undone_by: UUID | None
    undone_reason: str

    @property
    def is_payment(self) -> bool:
        """Whether the line paid advices."""
        return self.kind is MatchKind.PAYMENT


def suggestions(database: Database, line_id: UUID, *, issuer_id: UUID | None = None) -> list[Suggestion]:
    """Return what a line that waits could be, the best first; nothing for one that is used. Raises Refused out of scope."""
    with database.read() as session:
        line = line_to_use(session, line_id, issuer_id)
        left_cents = line.amount_cents - line.matched_cents
        if not left_cents:
            return []
        found = [
            *(_several_calls(session, line, left_cents) if line.is_credit else ()),
            *(_calls(session, line, left_cents) if line.is_credit else _files(session, line)),
            *(_claims(session, line, left_cents) if line.is_credit else _refunds(session, line, left_cents)),
            *(() if line.is_credit else _sent_refunds(session, line)),
            *_opposites(session, line, left_cents),
        ]
    found = sorted(found, key=lambda one: (-len(one.reasons), -one.taken_cents))[:SUGGESTED_MAX]
    return [*found, *_charges(line)]


def matches(database: Database, line_id: UUID, *, issuer_id: UUID | None = None) -> list[MatchRow]:
    """Return every match of a line, the newest first, those undone too. Raises Refused out of scope."""
    with database.read() as session:
        line_to_use(session, line_id, issuer_id)
        parts = session.scalars(
            select(BankMatch).where(BankMatch.line_id == line_id).order_by(BankMatch.made_at.desc(), BankMatch.id)
        ).all()
        by_id: dict[UUID, list[BankMatch]] = {}
        for part in parts:
            by_id.setdefault(part.id, []).append(part)
        return [
            MatchRow(
                id=one.id,
                kind=one.kind,
                amount_cents=sum(part.amount_cents for part in same),
                part_count=len(same),
                is_automatic=one.is_automatic,
                why=one.why,
                made_at=one.made_at,
                made_by=one.made_by,
                undone_at=one.undone_at,
                undone_by=one.undone_by,
                undone_reason=one.undone_reason,
            )
            for same in by_id.values()
            for one in same[:1]
        ]


def _files(session: Session, line: Line) -> Iterator[Suggestion]:
    if line.matched_cents:
        return
    debits = whole_debits(session, line.paying_account_id, line.amount_cents)
    named = file_named(line.message_id, line.payment_information_id, [debit.file for debit in debits])
    for debit in debits:
        one = debit.file
        if one.transfer_count < 2 and not debit.paid_again_cents:
            continue
        awaited = "attendus ou rejetés" if debit.has_rejected else "attendus"
        signs = (
            (True, f"total des {one.transfer_count} virements {awaited} de ce fichier"),
            (named == one, "la banque nomme ce fichier"),
            (one.transfer_count == line.batch_count, "même nombre de virements"),
            (
                debit.paid_again_cents > 0,
                f"le reste, {format_euros(debit.paid_again_cents)}, est un rejet qu’un autre lot a repris : demandez-le à la banque",
            ),
        )
        reasons = tuple(sentence for is_seen, sentence in signs if is_seen)
        name = f"Lot {one.batch_number}, fichier {one.part}"
        yield Suggestion(MatchKind.PAYMENT, one.batch_id, one.part, name, one.total_cents, reasons)


def _sent_refunds(session: Session, line: Line) -> Iterator[Suggestion]:
    if line.matched_cents:
        return
    rows = session.execute(
        select(LineRefund.id, LineRefund.reference, LineRefund.holder_name)
        .where(
            LineRefund.paying_account_id == line.paying_account_id,
            LineRefund.state == RefundState.IN_FILE,
            LineRefund.amount_cents == line.amount_cents,
        )
        .limit(SUGGESTED_MAX)
    )
    for row in rows:
        signs = (
            (True, "même montant"),
            (mentions(f"{line.remittance} {line.end_to_end_id or ''}", row.reference), "sa référence"),
        )
        reasons = tuple(sentence for is_seen, sentence in signs if is_seen)
        name = f"Renvoi {row.reference} à {row.holder_name}"
        yield Suggestion(MatchKind.REFUND_DEBIT, row.id, None, name, line.amount_cents, reasons)


def _opposites(session: Session, line: Line, left_cents: int) -> Iterator[Suggestion]:
    rows = session.execute(
        select(BankLine.id, BankLine.booked_on, BankLine.counterparty, BankLine.end_to_end_id, BankLine.bank_reference)
        .where(
            BankLine.paying_account_id == line.paying_account_id,
            BankLine.is_credit.is_(not line.is_credit),
            BankLine.amount_cents - BankLine.matched_cents == left_cents,
        )
        .order_by(BankLine.booked_on.desc(), BankLine.id)
        .limit(SUGGESTED_MAX)
    )
    for row in rows:
        signs = (
            (True, "même compte, même montant, sens contraire"),
            (row.end_to_end_id is not None and row.end_to_end_id == line.end_to_end_id, "même référence de virement"),
            (row.bank_reference == line.bank_reference, "même référence de la banque"),
        )
        reasons = tuple(sentence for is_seen, sentence in signs if is_seen)
        name = f"Annulée par la ligne du {french_date(row.booked_on)}, {row.counterparty or 'sans nom'}"
        yield Suggestion(MatchKind.OFFSET, row.id, None, name, left_cents, reasons)


def _calls(session: Session, line: Line, left_cents: int) -> Iterator[Suggestion]:
    rows = session.execute(
        select(
            FundsCall.id,
            FundsCall.reference,
            Funder.name,
            (FundsCall.called_cents - FundsCall.received_cents).label("due_cents"),
        )
        .join(Agreement, Agreement.id == FundsCall.agreement_id)
        .join(Funder, Funder.id == FundsCall.funder_id)
        .where(
            Agreement.paying_account_id == line.paying_account_id,
            FundsCall.state.in_((CallState.CALLED, CallState.PARTLY_PAID)),
        )
        .order_by(FundsCall.due_on)
        .limit(200)
    )
    text = f"{line.remittance} {line.counterparty}"
    for row in rows:
        signs = (
            (mentions(text, row.reference), "référence de l’appel dans le libellé"),
            (row.due_cents == left_cents, "même montant"),
            (row.name.casefold() in text.casefold(), "même nom"),
            (row.due_cents != left_cents, f"il reste {format_euros(row.due_cents)} à recevoir"),
        )
        if not any(is_seen for is_seen, _ in signs[:3]):
            continue
        reasons = tuple(sentence for is_seen, sentence in signs if is_seen)
        name = f"Appel {row.reference}, {row.name}"
        yield Suggestion(MatchKind.FUNDS, row.id, None, name, min(left_cents, row.due_cents), reasons)


def _several_calls(session: Session, line: Line, left_cents: int) -> Iterator[Suggestion]:
    """Give the calls that the line could pay together: named in its words, or of the very amount."""
    calls = open_calls_of(session, line)
    parts = proposed_parts(left_cents, calls)
    together = [call for call in calls if call.id in parts]
    if len(together) < 2:
        return
    signs = (
        (all(one.is_named for one in together), "références des appels dans le libellé"),
        (sum(parts.values()) == left_cents, "ensemble, le même montant"),
        (len({one.funder_id for one in together}) == 1, "même financeur"),
    )
    reasons = tuple(sentence for is_seen, sentence in signs if is_seen)
    name = f"Appels {' et '.join(one.reference for one in together)}"
    yield Suggestion(MatchKind.FUNDS, None, None, name, sum(parts.values()), reasons)


def _refunds(session: Session, line: Line, left_cents: int) -> Iterator[Suggestion]:
    rows = session.execute(
        select(
            FundingClose.id,
            Funder.name,
            Agreement.number,
            (FundingClose.refund_cents - FundingClose.refunded_cents).label("due_cents"),
        )
        .join(Agreement, Agreement.id == FundingClose.agreement_id)
        .join(Funder, Funder.id == FundingClose.funder_id)
        .where(
            Agreement.paying_account_id == line.paying_account_id,
            FundingClose.refunded_cents < FundingClose.refund_cents,
        )
        .limit(200)
    )
    text = f"{line.remittance} {line.counterparty}".casefold()
    for row in rows:
        signs = (
            (row.due_cents == left_cents, "même montant"),
            (row.name.casefold() in text, "même nom"),
        )
        reasons = tuple(sentence for is_seen, sentence in signs if is_seen)
        if reasons:
            name = f"À rendre à {row.name}, convention {row.number}"
            taken_cents = min(left_cents, row.due_cents)
            yield Suggestion(MatchKind.ADVANCE_REFUND, row.id, None, name, taken_cents, reasons)


def _claims(session: Session, line: Line, left_cents: int) -> Iterator[Suggestion]:
    text = f"{line.remittance} {line.counterparty}".casefold()
    for claim in open_claims(session, paying_account_id=line.paying_account_id):
        signs = (
            (claim.open_cents == left_cents, "même montant"),
            (claim.structure_name.casefold() in text, "même nom"),
            (claim.is_claimed, "titre de recette émis"),
        )
        if not any(is_seen for is_seen, _ in signs[:2]):
            continue
        reasons = tuple(sentence for is_seen, sentence in signs if is_seen)
        name = f"Trop-perçu de {claim.structure_name}"
        taken_cents = min(left_cents, claim.open_cents)
        yield Suggestion(MatchKind.OVERPAYMENT, claim.overpayment_id, None, name, taken_cents, reasons)


def _charges(line: Line) -> Iterator[Suggestion]:
    if line.matched_cents or not is_charge(line.domain_code):
        return
    name = "Frais de la banque, rendus" if line.is_credit else "Frais de la banque"
    yield Suggestion(MatchKind.CHARGE, None, None, name, line.amount_cents, ("la banque dit que ce sont ses frais",))
