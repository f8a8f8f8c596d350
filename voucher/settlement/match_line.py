"""Rapprocher à la main: say which payment an unidentified bank line is.

Needed where the bank does not carry our reference: a public accountant pays from its own software, a transfer comes back
without its EndToEndId. The amount must be the payment's to the cent, on the account that pays it.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select, update

from voucher.kernel.database import Database, changed
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.post import Event, post_event
from voucher.programme.model import Agreement, PayingAccount
from voucher.settlement.bank_files import close_ended_batches, take_bank_turn
from voucher.settlement.model import AdviceState, BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.scope import account_in_scope


def match_line(
    database: Database, line_id: UUID, advice_id: UUID, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> None:
    """Match a line to identify with an advice: a debit pays it, a credit brings it back; again, it changes nothing.

    Raises Refused: the line is used, the amounts differ, the advice is not in a file (for a debit) or not paid (a credit).
    """
    with database.write() as session:
        take_bank_turn(session)
        line = session.execute(
            select(*BankLine.__table__.columns)
            .join(PayingAccount, PayingAccount.id == BankLine.paying_account_id)
            .where(BankLine.id == line_id, account_in_scope(issuer_id))
        ).one_or_none()
        advice = session.execute(
            select(*PaymentAdvice.__table__.columns, SettlementBatch.agreement_id, Agreement.paying_account_id)
            .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
            .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
            .where(PaymentAdvice.id == advice_id)
        ).one_or_none()
        if line is None or advice is None or advice.paying_account_id != line.paying_account_id:
            raise Refused("unknown_line", "Cette ligne ou ce règlement n’existe pas. Choisissez dans la liste.")
        if line.advice_id == advice_id:
            return
        if line.advice_id is not None:
            raise Refused("line_used", "Cette ligne est déjà rapprochée d’un autre règlement.")
        if line.amount_cents != advice.amount_cents:
            raise Refused(
                "amounts_differ",
                f"La ligne est de {format_euros(line.amount_cents)}, le règlement de {format_euros(advice.amount_cents)}. "
                "Choisissez un règlement du même montant.",
            )
        taken = exists().where(BankLine.advice_id == advice_id, BankLine.is_credit == line.is_credit)
        before = (AdviceState.IN_FILE, AdviceState.PAID) if line.is_credit else (AdviceState.IN_FILE,)
        after = (
            {"state": AdviceState.RETURNED, "state_reason": line.return_reason or ""}
            if line.is_credit
            else {"state": AdviceState.PAID, "paid_on": line.booked_on}
        )
        change = (
            update(PaymentAdvice)
            .where(PaymentAdvice.id == advice_id, PaymentAdvice.state.in_(before), ~taken)
            .values(**after)
            .execution_options(synchronize_session=False)
        )
        if changed(session, change) == 0:
            raise Refused("not_expected", "Ce règlement n’attend pas cette ligne. Regardez son état, puis recommencez.")
        session.execute(
            update(BankLine)
            .where(BankLine.id == line_id, BankLine.advice_id.is_(None))
            .values(advice_id=advice_id)
            .execution_options(synchronize_session=False)
        )
        event_type = EventType.CREDIT_IDENTIFIED if line.is_credit else EventType.DEBIT_IDENTIFIED
        dimensions = {
            Dimension.AGREEMENT: advice.agreement_id,
            Dimension.STRUCTURE: advice.structure_id,
            Dimension.BANK_ACCOUNT: line.paying_account_id,
        }
        event = Event(event_type, line_id, now, f"Virement {advice.reference}", by)
        post_event(session, event, dimensions, {advice.structure_id: line.amount_cents})
        close_ended_batches(session, now)
