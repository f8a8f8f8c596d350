"""Rapprocher à la main: say which payment an unidentified bank line is.

Needed where the bank does not carry our reference: a public accountant pays from its own software, a transfer comes back
without its EndToEndId. The amount must be the payment's to the cent, on the account that pays it.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.kernel.idempotency import is_same
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.programme.model import Agreement
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.payable.possible_double_payments import debited_again
from voucher.settlement.reconciliation.apply_match import (
    Line,
    Match,
    MatchOf,
    advice_rows,
    apply_match,
    is_made,
    line_to_use,
    post_identified,
    unknown_line,
)
from voucher.settlement.reconciliation.bank_turn import close_ended_batches, take_bank_turn
from voucher.settlement.reconciliation.match_whole_files import (
    FileInTransit,
    files_in_transit,
    pay_file,
    whole_debits,
    withdraw_rejections_of,
)
from voucher.settlement.words.states import AdviceState, MatchKind


def match_line(
    database: Database,
    line_id: UUID,
    advice_id: UUID,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
    match_id: UUID | None = None,
) -> None:
    """Match a line to identify with an advice: a debit pays it, a credit brings it back; again, it changes nothing.

    `match_id` is the form's. Raises Refused: the line is used, the amounts differ, the advice was not sent (for a debit) or
    not paid (a credit).
    """
    match = Match(match_id or new_id(), by, now)
    with database.write() as session:
        take_bank_turn(session)
        line = line_to_use(session, line_id, issuer_id)
        kind = MatchKind.RETURN if line.is_credit else MatchKind.PAYMENT
        if is_made(session, match.id, [MatchOf(line_id, kind, advice_id)]):
            return
        advice = advice_rows(session, [advice_id]).one_or_none()
        if advice is None or advice.paying_account_id != line.paying_account_id:
            raise unknown_line()
        if _is_live(session, line_id, advice_id):
            return
        if line.matched_cents:
            raise Refused("line_used", "Cette ligne est déjà rapprochée. Défaites d’abord ce rapprochement.")
        if line.amount_cents != advice.amount_cents:
            raise Refused(
                "amounts_differ",
                f"La ligne est de {format_euros(line.amount_cents)}, le règlement de {format_euros(advice.amount_cents)}. "
                "Choisissez un règlement du même montant.",
            )
        apply_match(session, match, line, advice)
        close_ended_batches(session, now)


def match_with_file(
    database: Database,
    match_id: UUID,
    line_id: UUID,
    batch_id: UUID,
    part: int,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> int:
    """Match a debit with a whole payment file: every transfer still awaited is paid; return how many. Again, it changes nothing.

    The line may hold transfers that the bank had refused: they are paid too. Those that another batch has paid since are not: their
    cents go on waiting on the line, for the bank took them twice. Raises Refused: the line is used, the file is not of this
    account, its transfers do not make the line's amount.
    """
    match = Match(match_id, by, now)
    with database.write() as session:
        take_bank_turn(session)
        line = line_to_use(session, line_id, issuer_id)
        if is_made(session, match_id, [MatchOf(line_id, MatchKind.PAYMENT, batch_id)], PaymentAdvice.batch_id):
            is_same(_part_of(session, match_id), part)
            return 0
        if line.is_credit:
            raise unknown_line()
        if line.matched_cents:
            raise Refused("line_used", "Cette ligne est déjà rapprochée. Défaites d’abord ce rapprochement.")
        file = _file_of(session, line, batch_id, part, by, now)
        count = pay_file(session, line, file, match)
        narration = f"Lot {file.batch_number}, en une ligne"
        post_identified(session, match, line, narration, file.agreement_id, amount_cents=file.total_cents)
        close_ended_batches(session, now)
    return count


def _part_of(session: Session, match_id: UUID) -> int:
    """Return the file of its batch that a match paid."""
    query = select(func.coalesce(PaymentAdvice.part, 1)).join(BankMatch, BankMatch.advice_id == PaymentAdvice.id)
    return session.execute(query.where(BankMatch.id == match_id).limit(1)).scalar_one()


def _file_of(session: Session, line: Line, batch_id: UUID, part: int, by: UUID, now: datetime) -> FileInTransit:
    """Return the file that a line pays, its refused transfers in transit again. Raises Refused when the amounts differ."""
    debits = whole_debits(session, line.paying_account_id, line.amount_cents)
    for debit in debits:
        if (debit.file.batch_id, debit.file.part) == (batch_id, part) and (
            not debit.has_rejected or withdraw_rejections_of(session, debit.file, line.booked_on, by=by, now=now)
        ):
            return debit.file
    files = files_in_transit(session, line.paying_account_id, with_rejected=True)
    file = next((one for one in files if (one.batch_id, one.part) == (batch_id, part)), None)
    if file is None:
        raise unknown_line()
    raise Refused(
        "amounts_differ",
        f"La ligne est de {format_euros(line.amount_cents)}, les virements attendus de ce fichier de "
        f"{format_euros(file.total_cents)}. Demandez à votre banque le détail de cette ligne.",
    )


def match_parked_returns(session: Session, bank_file: str, *, by: UUID, now: datetime) -> tuple[int, int]:
    """Use the returns that came before their debits, now that these came. What a person undid stays undone.

    Return how many of them this file brought, and how many came before it.
    """
    rows = session.execute(
        select(BankLine.id, PaymentAdvice.id, BankLine.bank_file == bank_file)
        .join(PaymentAdvice, PaymentAdvice.reference == BankLine.end_to_end_id)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .where(
            BankLine.matched_cents == 0,
            BankLine.is_credit,
            BankLine.amount_cents == PaymentAdvice.amount_cents,
            BankLine.paying_account_id == Agreement.paying_account_id,
            PaymentAdvice.state == AdviceState.PAID,
            ~exists().where(BankMatch.line_id == BankLine.id),
        )
        .order_by(BankLine.booked_on, BankLine.id)
    ).all()
    # A second return of one advice stays to be identified; and one that may correct a second debit.
    again = debited_again(session, {advice_id for _, advice_id, _ in rows})
    first = {
        advice_id: (line_id, bool(is_here)) for line_id, advice_id, is_here in reversed(rows) if advice_id not in again
    }
    for advice_id, (line_id, _) in first.items():
        line = session.execute(select(*BankLine.__table__.columns).where(BankLine.id == line_id)).one()
        match = Match(new_id(), by, now, "Même référence, même montant ; arrivé avant son débit.")
        apply_match(session, match, line, advice_rows(session, [advice_id]).one())
    here_count = sum(is_here for _, is_here in first.values())
    return here_count, len(first) - here_count


def post_details(session: Session, matched: list[tuple[UUID, UUID]], *, by: UUID, now: datetime) -> None:
    """Post what the bank has since detailed: lines that waited, each with the match that pays its transfers."""
    for line_id, match_id in matched:
        line = session.execute(select(*BankLine.__table__.columns).where(BankLine.id == line_id)).one()
        of_file = session.execute(
            select(SettlementBatch.agreement_id, SettlementBatch.number)
            .join(PaymentAdvice, PaymentAdvice.batch_id == SettlementBatch.id)
            .join(BankMatch, BankMatch.advice_id == PaymentAdvice.id)
            .where(BankMatch.id == match_id)
            .limit(1)
        ).one()
        post_identified(
            session, Match(match_id, by, now), line, f"Lot {of_file.number}, en une ligne", of_file.agreement_id
        )


def _is_live(session: Session, line_id: UUID, advice_id: UUID) -> bool:
    live = select(BankMatch.id).where(
        BankMatch.line_id == line_id, BankMatch.advice_id == advice_id, BankMatch.undone_at.is_(None)
    )
    return session.scalar(live.limit(1)) is not None
