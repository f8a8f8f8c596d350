"""What a public accountant said first: its return file booked a payment, then the bank's own file tells it too.

The accountant's line becomes the bank's: it takes the bank's key and stands on the bank's statement. Were it left beside, the same
money would move twice on the account.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from voucher.kernel.database import among
from voucher.settlement.formats_in.camt_lines import BankEntry
from voucher.settlement.formats_in.camt_lines import BankLine as ReadLine
from voucher.settlement.model.batches import BankLine
from voucher.settlement.words.states import LineOrigin

_Said = tuple[str, UUID, bool, int]


def left_to_store(
    session: Session, entries: Sequence[tuple[BankEntry, UUID, UUID | None]]
) -> list[tuple[BankEntry, UUID, UUID | None]]:
    """Give the bank's entries (each with its account and its statement, if any) their lines that an accountant booked before.

    Return what of them is new: entries without those lines, and none for an entry of which nothing is left. The day of such a
    line stays the accountant's, as in the books.
    """
    references = {
        line.end_to_end_id for entry, _, _ in entries for line in entry.lines if line.end_to_end_id is not None
    }
    standing = _standing(session, references)
    if not standing:
        return list(entries)
    left = []
    for entry, account_id, statement_id in entries:
        lines = []
        for line in entry.lines:
            line_id = standing.pop(_said(line, account_id), None) if line.end_to_end_id is not None else None
            if line_id is None:
                lines.append(line)
                continue
            session.execute(
                update(BankLine)
                .where(BankLine.id == line_id)
                .values(
                    key=entry.key_of(line.part),
                    part=line.part,
                    origin=entry.origin,
                    statement_id=statement_id,
                    bank_reference=entry.reference,
                    entry_cents=entry.amount_cents,
                )
                .execution_options(synchronize_session=False)
            )
        if lines:
            left.append((replace(entry, lines=tuple(lines)), account_id, statement_id))
    return left


def _standing(session: Session, references: Iterable[str]) -> dict[_Said, UUID]:
    wanted = sorted(references)
    if not wanted:
        return {}
    rows = session.execute(
        select(
            BankLine.end_to_end_id, BankLine.paying_account_id, BankLine.is_credit, BankLine.amount_cents, BankLine.id
        ).where(among(session, BankLine.end_to_end_id, wanted), BankLine.origin == LineOrigin.ACCOUNTANT)
    )
    return {(row.end_to_end_id, row.paying_account_id, row.is_credit, row.amount_cents): row.id for row in rows}


def _said(line: ReadLine, account_id: UUID) -> _Said:
    return line.end_to_end_id or "", account_id, line.is_credit, line.amount_cents
