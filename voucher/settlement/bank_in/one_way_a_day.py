"""A day of an account is told in one way, where two ways share no key and the same money would move twice: in CFONB 120 or in camt; and, for
what the bank does not name, in pages or whole.
"""

from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_date
from voucher.settlement.formats_in.bank_stages import FileError
from voucher.settlement.formats_in.camt_lines import BankEntry
from voucher.settlement.model.batches import BankLine, BankStatement
from voucher.settlement.words.states import LineOrigin


class OneWay:
    """Says, for the entries of one file, whether their day stands in another way already."""

    def __init__(self, session: Session, bank_file: str) -> None:
        self._session = session
        self._bank_file = bank_file
        self._reasons: dict[tuple[UUID, date, bool], str | None] = {}

    def fault(self, entry: BankEntry, account_id: UUID) -> FileError | None:
        """Return why an entry refuses its file, or None: each day is looked up once."""
        key = account_id, entry.booked_on, entry.has_reference
        if key not in self._reasons:
            self._reasons[key] = self._reason(entry, account_id)
        reason = self._reasons[key]
        return None if reason is None else FileError(entry.line, reason)

    def _reason(self, entry: BankEntry, account_id: UUID) -> str | None:
        is_cfonb = entry.origin is LineOrigin.CFONB
        told = select(BankLine.id).where(
            BankLine.paying_account_id == account_id,
            BankLine.booked_on == entry.booked_on,
            BankLine.bank_file != self._bank_file,
        )
        # What an accountant said first is no format of the bank's: either takes it up.
        others = (LineOrigin.NAMED, LineOrigin.UNNAMED) if is_cfonb else (LineOrigin.CFONB,)
        day = french_date(entry.booked_on)
        if self._session.scalar(told.where(BankLine.origin.in_(others)).limit(1)):
            return (
                f"Le {day} de ce compte est déjà importé en {'camt' if is_cfonb else 'CFONB 120'} : ses lignes compteraient deux fois. "
                "Importez chaque jour dans un seul format."
            )
        if entry.has_reference or entry.anchor_cents is None:
            return None
        is_paged = entry.page is not None
        other = told.join(BankStatement, BankStatement.id == BankLine.statement_id).where(
            BankLine.origin != LineOrigin.NAMED,
            BankStatement.page.is_(None) if is_paged else BankStatement.page.is_not(None),
        )
        if self._session.scalar(other.limit(1)):
            return (
                f"Le {day} de ce compte est déjà importé {'en entier' if is_paged else 'par pages'}. La banque ne donne pas de référence à ses "
                "lignes : elles compteraient deux fois. Importez ce jour d’une seule façon."
            )
        return None
