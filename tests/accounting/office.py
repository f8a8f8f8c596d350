"""A town whose books have everything an accountant meets: what accounting's tests begin with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update

from tests.settlement.town import APPROVER, PREPARER, Town, a_town
from voucher.accounting.fec import fec_file
from voucher.accounting.match_up import Lettered, match_up
from voucher.demonstration.bank import BookedLine, statement
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.ledger.chart_file import OWN_NUMBERS, Numbering
from voucher.programme.model import Agreement, PayingAccount
from voucher.settlement.bank_in.import_statement import import_statement
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.model.batches import PaymentAdvice

SIREN = "300000411"


@dataclass
class Office:
    """A town and its bank: statements follow each other."""

    town: Town
    iban: str
    balance_cents: int = 10_000_000
    statements: int = 0

    @property
    def database(self) -> Database:
        """The database."""
        return self.town.database

    def settle(self, now: datetime) -> UUID:
        """Freeze, approve and export what is owed; return the batch."""
        frozen = freeze_batch(self.database, new_id(), self.town.agreement_id, by=PREPARER, now=now)
        approve_batch(self.database, frozen.batch_id, by=APPROVER, now=now + timedelta(minutes=1))
        export_batch(self.database, frozen.batch_id, by=PREPARER, now=now + timedelta(minutes=2))
        return frozen.batch_id

    def references(self, batch_id: UUID) -> list[tuple[str, int]]:
        """Return the reference and cents of each payment of a batch, the smallest first."""
        with self.database.read() as session:
            rows = session.execute(
                select(PaymentAdvice.reference, PaymentAdvice.amount_cents)
                .where(PaymentAdvice.batch_id == batch_id)
                .order_by(PaymentAdvice.amount_cents)
            )
            return [(row.reference, row.amount_cents) for row in rows]

    def bank_says(self, day: date, now: datetime, *lines: BookedLine) -> None:
        """Import a statement with these lines."""
        self.statements += 1
        content = statement(f"R{self.statements}", self.iban, day, self.balance_cents, lines)
        self.balance_cents += sum(one.amount_cents if one.is_credit else -one.amount_cents for one in lines)
        import_statement(self.database, f"R{self.statements}.xml", content, by=PREPARER, now=now)

    def pay(self, batch_id: UUID, day: date, now: datetime) -> None:
        """Let the bank book every payment of a batch."""
        lines = [
            BookedLine(reference=f"D{reference}", amount_cents=cents, is_credit=False, end_to_end_id=reference)
            for reference, cents in self.references(batch_id)
        ]
        self.bank_says(day, now, *lines)

    def letter(self, now: datetime) -> Lettered:
        """Run the job."""
        return match_up(self.database, now=now)

    def fec(
        self, year: int, now: datetime, *, numbers: Numbering = OWN_NUMBERS, encoding: str = "utf-8"
    ) -> Sequence[bytes]:
        """Return the lines of the FEC."""
        found = fec_file(self.database, SIREN, year, numbers=numbers, now=now, encoding=encoding)
        return b"".join(found.chunks).splitlines(keepends=True)


def an_office(database: Database, *, structure_count: int = 2) -> Office:
    """Open a town paid by an operator whose SIREN is known; its RIBs are those of before the year."""
    town = a_town(database, structure_count=structure_count, ribs_since=datetime(2025, 12, 1, 9, tzinfo=UTC))
    with database.write() as session:
        account_id = session.execute(
            select(Agreement.paying_account_id).where(Agreement.id == town.agreement_id)
        ).scalar_one()
        session.execute(update(PayingAccount).where(PayingAccount.id == account_id).values(siren=SIREN))
        iban = session.execute(select(PayingAccount.iban).where(PayingAccount.id == account_id)).scalar_one()
    return Office(town, iban)
