"""What every file from a bank goes through: refused whole with its lines, or kept whole, once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import case, delete, exists, insert, update
from sqlalchemy.orm import Session

from voucher.kernel.database import insert_new, take_turn
from voucher.kernel.refusals import Refused
from voucher.settlement.bank_content import shown_name
from voucher.settlement.bank_stages import FileError, SetAside
from voucher.settlement.model import AdviceState, BankFile, BankFileKind, BatchState, PaymentAdvice, SettlementBatch
from voucher.settlement.model_bank import BankSetAside
from voucher.settlement.notify import notify_failed

REASON_LENGTH_MAX = 300


class RefusedBankFile(Refused):
    """A bank file is refused as a whole, nothing of it was kept; `errors` says every reason, with its line (0: the file)."""

    def __init__(self, errors: Sequence[FileError]) -> None:
        self.errors = tuple(errors)
        first = errors[0]
        where = f"Ligne {first.line} : " if first.line else ""
        super().__init__("refused_bank_file", f"{where}{first.reason}", "file")


def take_bank_turn(session: Session) -> None:
    """Let one transaction at a time change what banks say: imports and matches by hand."""
    take_turn(session, "bank files")


def keep_file(
    session: Session,
    sha256: str,
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


def keep_set_aside(session: Session, bank_file: str, found: Sequence[SetAside]) -> None:
    """Keep what of a file is counted nowhere, in place of what was kept when the same file came before."""
    session.execute(delete(BankSetAside).where(BankSetAside.bank_file == bank_file))
    rows = [
        {"bank_file": bank_file, "rank": rank, "line": one.line, "reason": one.reason[:REASON_LENGTH_MAX]}
        for rank, one in enumerate(found, 1)
    ]
    if rows:
        session.execute(insert(BankSetAside), rows)


def close_ended_batches(session: Session, now: datetime) -> None:
    """End what a bank changed: close the exported batches of which no payment is awaited any more, and write to the
    structures whose transfer came back.
    """
    notify_failed(session, now)
    awaited = exists().where(
        PaymentAdvice.batch_id == SettlementBatch.id, PaymentAdvice.state.in_((AdviceState.DUE, AdviceState.IN_FILE))
    )
    session.execute(
        update(SettlementBatch)
        .where(SettlementBatch.state == BatchState.EXPORTED, ~awaited)
        .values(
            state=BatchState.CLOSED,
            closed_at=case((SettlementBatch.exported_at > now, SettlementBatch.exported_at), else_=now),
        )
        .execution_options(synchronize_session=False)
    )
