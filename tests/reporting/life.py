"""A voucher's life for the tests of reporting: settled and paid through the real use cases, with a bank of our own making."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from tests.settlement.town import APPROVER, PREPARER, Town
from voucher.demonstration.bank import BookedLine, statement
from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.programme.model import Agreement, PayingAccount
from voucher.settlement.bank_in.import_statement import import_statement
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.model.batches import BankStatement, PaymentAdvice

FIRST_OPENING_CENTS = 10_000_000


def export_period(town: Town, *, now: datetime) -> UUID:
    """Freeze, approve and export what the agreement owes; return the batch."""
    batch_id = new_id()
    freeze_batch(town.database, batch_id, town.agreement_id, by=PREPARER, now=now)
    approve_batch(town.database, batch_id, by=APPROVER, now=now)
    export_batch(town.database, batch_id, by=PREPARER, now=now)
    return batch_id


def book(town: Town, lines: list[BookedLine], *, now: datetime) -> None:
    """Let the agreement's bank book lines, on a statement that opens where the one before closed."""
    day = paris_day(now)
    with town.database.read() as session:
        iban, account_id = session.execute(
            select(PayingAccount.iban, PayingAccount.id)
            .join(Agreement, Agreement.paying_account_id == PayingAccount.id)
            .where(Agreement.id == town.agreement_id)
        ).one()
        before_cents = session.scalar(
            select(BankStatement.closing_cents)
            .where(BankStatement.paying_account_id == account_id)
            .order_by(BankStatement.closed_on.desc(), BankStatement.id.desc())
            .limit(1)
        )
    opening_cents = FIRST_OPENING_CENTS if before_cents is None else before_cents
    content = statement(f"R-{new_id().hex[-8:]}", iban, day, opening_cents, lines)
    import_statement(town.database, "releve.xml", content, by=PREPARER, now=now + timedelta(hours=1))


def pay_first_advice(town: Town, batch_id: UUID, *, now: datetime) -> int:
    """Let the bank execute the first transfer of a batch; return its amount in cents."""
    reference, cents = advices(town.database, batch_id)[0]
    book(town, [BookedLine(reference="T1", amount_cents=cents, is_credit=False, end_to_end_id=reference)], now=now)
    return cents


def advices(database: Database, batch_id: UUID) -> list[tuple[str, int]]:
    """Return the reference and cents of the advices that a batch pays, by reference."""
    with database.read() as session:
        rows = session.execute(
            select(PaymentAdvice.reference, PaymentAdvice.amount_cents)
            .where(PaymentAdvice.batch_id == batch_id, PaymentAdvice.is_payable)
            .order_by(PaymentAdvice.reference)
        )
        return [(row[0], row[1]) for row in rows]
