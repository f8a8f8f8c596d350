"""What every file from a bank goes through: refused whole with its lines, or kept whole, once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from voucher.kernel.database import insert_new
from voucher.kernel.refusals import Refused
from voucher.settlement.formats_in.bank_content import shown_name
from voucher.settlement.formats_in.bank_stages import FileError, Ignored
from voucher.settlement.model.bank import IgnoredPart
from voucher.settlement.model.batches import BankFile
from voucher.settlement.words.states import BankFileKind

REASON_LENGTH_MAX = 300


class RefusedBankFile(Refused):
    """A bank file is refused as a whole, nothing of it was kept; `errors` says every reason, with its line (0: the file)."""

    def __init__(self, errors: Sequence[FileError]) -> None:
        self.errors = tuple(errors)
        first = errors[0]
        where = f"Ligne {first.line} : " if first.line else ""
        super().__init__("refused_bank_file", f"{where}{first.reason}", "file")


def keep_file(
    session: Session,
    sha256: str,
    *,
    name: str,
    content: bytes,
    by: UUID,
    now: datetime,
    kind: BankFileKind = BankFileKind.STATEMENT,
) -> bool:
    """Keep the bytes of a file and return True; False when they are kept already, and nothing is to be done."""
    row = {
        "sha256": sha256,
        "kind": kind,
        "name": shown_name(name),
        "content": content,
        "imported_at": now,
        "imported_by": by,
    }
    return insert_new(session, BankFile, row)


def keep_ignored(session: Session, bank_file: str, found: Sequence[Ignored]) -> None:
    """Keep what of a file is counted nowhere, in place of what was kept when the same file came before."""
    session.execute(delete(IgnoredPart).where(IgnoredPart.bank_file == bank_file))
    rows = [
        {"bank_file": bank_file, "rank": rank, "line": one.line, "reason": one.reason[:REASON_LENGTH_MAX]}
        for rank, one in enumerate(found, 1)
    ]
    if rows:
        session.execute(insert(IgnoredPart), rows)
