"""A day of an account is told in one format: no key is shared by the lines of a CFONB 120 statement and those of a camt file, so that the
same money told in both would move twice.
"""

from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_date
from voucher.settlement.bank_stages import FileError
from voucher.settlement.camt_lines import BankEntry
from voucher.settlement.cfonb import REFERENCE_PREFIX
from voucher.settlement.model import BankLine
from voucher.settlement.said_first import accountant_reference


class OneFormat:
    """Says, for the entries of one file, whether their day stands in the other format already."""

    def __init__(self, session: Session, bank_file: str) -> None:
        self._session = session
        self._bank_file = bank_file
        self._is_told: dict[tuple[UUID, date], bool] = {}

    def fault(self, entry: BankEntry, account_id: UUID) -> FileError | None:
        """Return why an entry refuses its file, or None: each day is looked up once."""
        is_cfonb = entry.reference.startswith(REFERENCE_PREFIX)
        day = account_id, entry.booked_on
        if day not in self._is_told:
            told = select(BankLine.id).where(
                BankLine.paying_account_id == account_id,
                BankLine.booked_on == entry.booked_on,
                BankLine.bank_file != self._bank_file,
            )
            of_cfonb = BankLine.bank_reference.startswith(REFERENCE_PREFIX, autoescape=True)
            # What an accountant said first is no format of the bank's: either takes it up.
            of_accountant = BankLine.bank_reference.startswith(accountant_reference("PN-"), autoescape=True)
            other = told.where(~of_cfonb, ~of_accountant) if is_cfonb else told.where(of_cfonb)
            self._is_told[day] = self._session.scalar(other.limit(1)) is not None
        if not self._is_told[day]:
            return None
        return FileError(
            entry.line,
            f"Le {french_date(entry.booked_on)} de ce compte est déjà importé en {'camt' if is_cfonb else 'CFONB 120'} : ses lignes "
            "compteraient deux fois. Importez chaque jour dans un seul format.",
        )
