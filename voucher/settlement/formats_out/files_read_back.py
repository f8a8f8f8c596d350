"""What a file of ours pays, read back from its bytes: its control sum and its payments."""

import csv
import io
from collections.abc import Iterator, Mapping

from lxml import etree

from voucher.kernel.typed_numbers import parse_euros
from voucher.settlement.formats_in.camt_fields import cents_of
from voucher.settlement.formats_out.pain001 import namespace_of
from voucher.settlement.words.states import PaymentFileKind

TRANSFER_KINDS = (PaymentFileKind.TRANSFERS, PaymentFileKind.OLD_TRANSFERS)
PAYING_KINDS = (*TRANSFER_KINDS, PaymentFileKind.LIQUIDATION_CSV)
"""The kinds of files that pay; the others only accompany them."""

Payment = tuple[str, str, int]
"""Its reference, its IBAN, its cents."""


def file_total_cents(kind: PaymentFileKind, content: bytes) -> int | None:
    """Return the control sum that a kept file carries, or None for a kind that pays nothing by itself."""
    return read_back(kind, content)[0] if kind in PAYING_KINDS else None


def read_back(kind: PaymentFileKind, content: bytes) -> tuple[int, list[Payment]]:
    """Return the control sum, in cents, that a kept file of a paying kind carries, and its payments, sorted."""
    return (
        _of_liquidation(content)
        if kind == PaymentFileKind.LIQUIDATION_CSV
        else _of_transfers(content, namespace_of(kind))
    )


def _of_transfers(content: bytes, namespace: str) -> tuple[int, list[Payment]]:
    """Return the control sum of a payment file, and its payments, sorted."""
    # Our own bytes, whose SHA-256 is checked beside: nothing foreign is parsed here.
    root, tag = etree.fromstring(content), f"{{{namespace}}}"
    announced = cents_of(root.findtext(f".//{tag}GrpHdr/{tag}CtrlSum", ""), "EUR")
    payments = [
        (
            one.findtext(f"{tag}PmtId/{tag}EndToEndId", ""),
            one.findtext(f"{tag}CdtrAcct/{tag}Id/{tag}IBAN", ""),
            cents_of(one.findtext(f"{tag}Amt/{tag}InstdAmt", ""), "EUR"),
        )
        for one in root.iter(f"{tag}CdtTrfTxInf")
    ]
    return announced, sorted(payments)


def _of_liquidation(content: bytes) -> tuple[int, list[Payment]]:
    """Return the sum of an état liquidatif, and its payments, sorted."""
    payments = sorted((row["Référence"], row["IBAN"], amount_of(row)) for row in liquidation_rows(content))
    return sum(cents for _, _, cents in payments), payments


def liquidation_rows(content: bytes) -> Iterator[dict[str, str]]:
    """Give the rows of an état liquidatif, or of its supporting list, by the names of their columns."""
    return csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";")


def amount_of(row: Mapping[str, str]) -> int:
    """Return the cents of such a row."""
    return parse_euros(row["Montant en euros"], may_be_negative=True, may_be_zero=True)
