"""What must be true of what public accountants said: it speaks of their payments alone."""

from functools import cache
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from voucher.kernel.checks import Check, Violation
from voucher.programme.model import SettlementChannel
from voucher.settlement.checks.ledger_gaps import LINE_COLUMNS, line_name
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankFile, BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.words.labels import CHANNELS
from voucher.settlement.words.states import BankFileKind


@cache
def _query_a_return_file_speaks_of_its_channel() -> Select[*tuple[Any, ...]]:
    return (
        select(*LINE_COLUMNS, SettlementBatch.channel)
        .join(BankFile, BankFile.sha256 == BankLine.bank_file)
        .outerjoin(BankMatch, (BankMatch.line_id == BankLine.id) & BankMatch.undone_at.is_(None))
        .outerjoin(PaymentAdvice, PaymentAdvice.id == BankMatch.advice_id)
        .outerjoin(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .where(
            BankFile.kind == BankFileKind.ACCOUNTANT_RETURN,
            BankMatch.id.is_not(None),
            SettlementBatch.channel.is_distinct_from(SettlementChannel.PUBLIC_ACCOUNTANT),
        )
    )


def check_a_return_file_speaks_of_its_channel(session: Session) -> list[Violation]:
    """Une ligne du retour d’un comptable paie ou rend un règlement du circuit « comptable public »."""
    rows = session.execute(_query_a_return_file_speaks_of_its_channel())
    return [
        Violation(
            "a_return_file_speaks_of_its_channel",
            line_name(row),
            f"circuit : {CHANNELS[row.channel] if row.channel else 'inconnu'}",
        )
        for row in rows
    ]


CHECKS: tuple[Check, ...] = (check_a_return_file_speaks_of_its_channel,)
