"""What the payment files tell the bank to pay, transfer by transfer: read from the bytes that left, never from our tables."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

from lxml import etree
from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.settlement.model.batches import PaymentFile

TRANSFERS = "payment_file_transfer"
HEADER = ("payment_file_id", "rank", "end_to_end_id", "amount_cents")
ROWS_AT_ONCE = 20_000


def transfers_in(session: Session) -> tuple[Sequence[str], Iterator[Sequence[Sequence[Any]]]]:
    """Return the header and the rows, by parts: each transfer's EndToEndId and cents, in the order of its pain.001 file.

    Neither name nor IBAN is given.
    """
    return HEADER, _parts(session)


def _parts(session: Session) -> Iterator[Sequence[Sequence[Any]]]:
    files = session.scalars(
        select(PaymentFile.id).where(PaymentFile.kind.startswith("pain.001")).order_by(PaymentFile.id)
    ).all()
    for file_id in files:
        content = session.scalars(select(PaymentFile.content).where(PaymentFile.id == file_id)).one()
        part: list[tuple[str, str, str, str]] = []
        for rank, (reference, cents) in enumerate(_transfers(content), 1):
            part.append((str(file_id), str(rank), reference, str(cents)))
            if len(part) == ROWS_AT_ONCE:
                yield part
                part = []
        yield part


def _transfers(content: bytes) -> Iterator[tuple[str, int]]:
    events = etree.iterparse(
        BytesIO(content), tag="{*}CdtTrfTxInf", resolve_entities=False, no_network=True, load_dtd=False
    )
    for _, transfer in events:
        reference = transfer.findtext("{*}PmtId/{*}EndToEndId") or ""
        euros, _, cents = (transfer.findtext("{*}Amt/{*}InstdAmt") or "0").partition(".")
        yield reference, int(euros) * 100 + int(cents.ljust(2, "0")[:2] or "0")
        transfer.clear()
