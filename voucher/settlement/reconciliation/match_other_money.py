"""Say that a bank line is no payment of ours: the bank's charges, a funder's money, an advance given back, a refund.

The rooms of funders and of overpayments keep what was taken and post it; here stands only that the line is used.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from voucher.funding.model import CallState, FundsCall
from voucher.funding.receive import BookedMoney, receive_funds, refund_advance
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Code, Dimension, EventType
from voucher.ledger.post import Event, post_event
from voucher.programme.model import Agreement
from voucher.settlement.formats_in.camt_charges import is_charge
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine
from voucher.settlement.reconciliation.apply_match import Line, Match, MatchOf, is_made, line_to_use, take, write_match
from voucher.settlement.reconciliation.bank_turn import take_bank_turn
from voucher.settlement.recoveries.repay_or_write_off import open_claims, repay_from_line
from voucher.settlement.words.states import MatchKind


def match_with_charges(
    database: Database, match_id: UUID, line_id: UUID, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> None:
    """Say that a line is the bank's charges (a credit: charges given back), as the bank says; again, it changes nothing.

    Raises Refused: the line is used, or the bank does not say so: then two people put it on 6270 (`match_with_account`).
    """
    match = Match(match_id, by, now)
    with database.write() as session:
        take_bank_turn(session)
        line = line_to_use(session, line_id, issuer_id)
        if is_made(session, match_id, [MatchOf(line_id, MatchKind.CHARGE)]):
            return
        if not is_charge(line.domain_code):
            raise Refused(
                "not_said_a_charge",
                f"La banque ne dit pas que ce sont ses frais. Proposez le compte {Code.CHARGES} : une autre personne confirmera.",
            )
        take(session, line, line.amount_cents)
        write_match(session, match, line, MatchKind.CHARGE, line.amount_cents)
        event_type = EventType.CHARGE_REFUND_IDENTIFIED if line.is_credit else EventType.CHARGE_IDENTIFIED
        event = Event(event_type, match_id, now, "Frais de la banque", by, line.booked_on)
        post_event(session, event, {Dimension.BANK_ACCOUNT: line.paying_account_id}, {line.id: line.amount_cents})


def match_with_call(
    database: Database,
    match_id: UUID,
    line_id: UUID,
    call_id: UUID,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> int:
    """Let a credit pay a funder's call, in part or beyond it; return the cents taken, the rest waits. Again, it changes nothing.

    Raises Refused: the line is used or a debit, the call asks nothing more or is paid to another account.
    """
    with database.write() as session:
        take_bank_turn(session)
        line = credit_line(session, line_id, issuer_id)
        if is_made(session, match_id, [MatchOf(line_id, MatchKind.FUNDS, call_id)]):
            return _taken(session, match_id)
        return receive(session, Match(match_id, by, now), line, call_id, issuer_id)


def receive(
    session: Session,
    match: Match,
    line: Line,
    call_id: UUID,
    issuer_id: UUID | None = None,
    part_cents: int | None = None,
) -> int:
    """Do the same inside a transaction that holds the turn of bank files; `part_cents` is the part that a person chose."""
    taken_cents = receive_funds(
        session, match.id, call_id, _money(line), by=match.by, now=match.at, issuer_id=issuer_id, part_cents=part_cents
    )
    take(session, line, taken_cents)
    write_match(session, match, line, MatchKind.FUNDS, taken_cents, target_id=call_id)
    return taken_cents


def match_with_refund(
    database: Database,
    match_id: UUID,
    line_id: UUID,
    close_id: UUID,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> int:
    """Let a debit give back what remained of a funder's advance; return the cents taken. Again, it changes nothing. Raises Refused."""
    match = Match(match_id, by, now)
    with database.write() as session:
        take_bank_turn(session)
        line = _line(session, line_id, issuer_id, is_credit=False)
        if is_made(session, match_id, [MatchOf(line_id, MatchKind.ADVANCE_REFUND, close_id)]):
            return _taken(session, match_id)
        taken_cents = refund_advance(session, match_id, close_id, _money(line), by=by, now=now, issuer_id=issuer_id)
        take(session, line, taken_cents)
        write_match(session, match, line, MatchKind.ADVANCE_REFUND, taken_cents, target_id=close_id)
        return taken_cents


def match_with_overpayment(
    database: Database,
    match_id: UUID,
    line_id: UUID,
    overpayment_id: UUID,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> int:
    """Let a credit repay what a structure was paid too much, in part or beyond it; return the cents taken, the rest waits.

    Again, it changes nothing. Raises Refused.
    """
    match = Match(match_id, by, now)
    with database.write() as session:
        take_bank_turn(session)
        line = credit_line(session, line_id, issuer_id)
        if is_made(session, match_id, [MatchOf(line_id, MatchKind.OVERPAYMENT, overpayment_id)]):
            return _taken(session, match_id)
        claims = open_claims(session, paying_account_id=line.paying_account_id)
        open_cents = next((claim.open_cents for claim in claims if claim.overpayment_id == overpayment_id), 0)
        taken_cents: int = min(open_cents, line.amount_cents - line.matched_cents)
        if taken_cents > 0 and _repays(session, line_id, overpayment_id):
            raise Refused(
                "line_used",
                "Cette ligne rembourse déjà une part de ce trop-perçu. Défaites d’abord ce rapprochement, puis recommencez.",
            )
        if taken_cents <= 0:
            raise Refused("nothing_due", "Ce trop-perçu n’attend plus rien de cette ligne. Choisissez-en un autre.")
        repay_from_line(session, line_id, overpayment_id, by=by, now=now, amount_cents=taken_cents)
        take(session, line, taken_cents)
        write_match(session, match, line, MatchKind.OVERPAYMENT, taken_cents, target_id=overpayment_id)
        return taken_cents


def match_calls(session: Session, bank_file: str, *, by: UUID, now: datetime) -> int:
    """Match the new credits whose words hold the reference of one open call, for its very amount; return how many."""
    due_cents = FundsCall.called_cents - FundsCall.received_cents
    rows = session.execute(
        select(BankLine.id, BankLine.remittance, FundsCall.id.label("call_id"), FundsCall.reference)
        .join(Agreement, Agreement.paying_account_id == BankLine.paying_account_id)
        .join(FundsCall, FundsCall.agreement_id == Agreement.id)
        .where(
            BankLine.bank_file == bank_file,
            BankLine.is_credit,
            BankLine.matched_cents == 0,
            FundsCall.state.in_((CallState.CALLED, CallState.PARTLY_PAID)),
            due_cents == BankLine.amount_cents,
            ~exists().where(BankMatch.line_id == BankLine.id),
        )
        .order_by(BankLine.booked_on, BankLine.id)
    ).all()
    found: dict[UUID, list[UUID]] = {}
    for row in rows:
        if mentions(row.remittance, row.reference):
            found.setdefault(row.id, []).append(row.call_id)
    paid: set[UUID] = set()
    for line_id, call_ids in found.items():
        if len(call_ids) != 1 or call_ids[0] in paid:
            continue
        paid.add(call_ids[0])
        line = line_to_use(session, line_id, None)
        receive(
            session, Match(new_id(), by, now, "Référence de l’appel dans le libellé, même montant."), line, call_ids[0]
        )
    return len(paid)


def mentions(text: str, reference: str) -> bool:
    """Say whether a text holds a reference whole, whatever its case and spacing: « AF-1 » is not in « AF-12 »."""
    words = " ".join(text.upper().split())
    wanted = " ".join(reference.upper().split())
    at = words.find(wanted)
    while at >= 0:
        around = (words[at - 1 : at] if at else ""), words[at + len(wanted) : at + len(wanted) + 1]
        if not any(one.isalnum() for one in around):
            return True
        at = words.find(wanted, at + 1)
    return False


def credit_line(session: Session, line_id: UUID, issuer_id: UUID | None) -> Line:
    """Return a credit of the scope with all its columns. Raises Refused for a debit, or one that does not exist there."""
    return _line(session, line_id, issuer_id, is_credit=True)


def _line(session: Session, line_id: UUID, issuer_id: UUID | None, *, is_credit: bool) -> Line:
    line = line_to_use(session, line_id, issuer_id)
    if line.is_credit != is_credit:
        raise Refused("other_side", "Cette ligne va dans l’autre sens. Choisissez dans la liste.")
    return line


def _money(line: Line) -> BookedMoney:
    return BookedMoney(line.paying_account_id, line.amount_cents - line.matched_cents, line.booked_on)


def _repays(session: Session, line_id: UUID, overpayment_id: UUID) -> bool:
    """Say whether a match that stands lets this line repay this overpayment."""
    live = exists().where(
        BankMatch.line_id == line_id, BankMatch.target_id == overpayment_id, BankMatch.undone_at.is_(None)
    )
    return bool(session.scalar(select(live)))


def _taken(session: Session, match_id: UUID) -> int:
    return session.execute(select(BankMatch.amount_cents).where(BankMatch.id == match_id)).scalar_one()
