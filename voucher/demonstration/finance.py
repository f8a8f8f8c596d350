"""Settled periods: frozen by one person, approved by another, exported, then booked by the demonstration's bank."""

from datetime import date, timedelta

from sqlalchemy import select

from voucher.access.rules import Role
from voucher.demonstration.agreements import Signed
from voucher.demonstration.bank import BookedLine, statement
from voucher.demonstration.story import Story
from voucher.settlement.approve import approve_batch
from voucher.settlement.export import export_batch
from voucher.settlement.freeze import freeze_batch
from voucher.settlement.import_statement import import_statement
from voucher.settlement.model import PaymentAdvice


class DemonstrationBank:
    """One account at the demonstration's bank: its statements follow each other."""

    def __init__(self, story: Story, signed: Signed) -> None:
        self.story = story
        self.signed = signed
        self.balance_cents = 0
        self.statement_count = 0

    def book(self, day: date, lines: list[BookedLine]) -> None:
        """Send a statement with these lines, and let the preparer import it."""
        self.statement_count += 1
        reference = f"{self.signed.number}-R{self.statement_count:02d}"
        content = statement(reference, self.signed.iban, day, self.balance_cents, lines)
        self.balance_cents += sum(line.amount_cents if line.is_credit else -line.amount_cents for line in lines)
        import_statement(
            self.story.database,
            f"{reference}.xml",
            content,
            by=self.story.by[Role.FINANCE_PREPARER],
            now=self.story.hour_of(day + timedelta(days=1)),
        )


def fund(bank: DemonstrationBank, day: date, amount_cents: int, payer: str) -> None:
    """Let a funder's payment arrive; nothing explains it yet, so that it shows among the lines to identify."""
    line = BookedLine(f"V{bank.statement_count}", amount_cents, True, counterparty=payer, remittance="Versement Pass")
    bank.book(day, [line])


def settle(story: Story, bank: DemonstrationBank, day: date, returned_count: int = 0) -> None:
    """Freeze, approve, export and book one period; the last `returned_count` transfers come back, the account closed."""
    signed, database = bank.signed, story.database
    preparer, approver = story.by[Role.FINANCE_PREPARER], story.by[Role.FINANCE_APPROVER]
    batch_id = story.some_id()
    freeze_batch(database, batch_id, signed.agreement_id, by=preparer, now=story.hour_of(day))
    approve_batch(database, batch_id, by=approver, now=story.hour_of(day + timedelta(days=1)))
    export_batch(database, batch_id, by=preparer, now=story.hour_of(day + timedelta(days=2)))
    with database.read() as session:
        advices = session.execute(
            select(PaymentAdvice.reference, PaymentAdvice.amount_cents, PaymentAdvice.holder_name)
            .where(PaymentAdvice.batch_id == batch_id, PaymentAdvice.state == "in_file")
            .order_by(PaymentAdvice.reference)
        ).all()
    lines = [
        BookedLine(f"T{bank.statement_count}-{rank}", one.amount_cents, False, one.reference, one.holder_name)
        for rank, one in enumerate(advices)
    ]
    bank.book(day + timedelta(days=4), lines)
    back = [
        BookedLine(
            f"B{bank.statement_count}-{rank}",
            one.amount_cents,
            True,
            one.reference,
            one.holder_name,
            return_reason="AC04",
        )
        for rank, one in enumerate(advices[-returned_count:] if returned_count else [])
    ]
    if back:
        bank.book(day + timedelta(days=6), back)
