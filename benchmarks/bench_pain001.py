"""Write a credit-transfer file of 20,000 transfers, each IBAN checked, and validate it; beside lxml building and validating as many, unchecked."""

import time
from datetime import UTC, date, datetime
from io import BytesIO

from lxml import etree

from benchmarks.table import Row
from tests.builders import an_iban
from voucher.settlement.formats_out.pain001 import SCHEMA_NAME, Debtor, Transfer, namespace_of, write_credit_transfers
from voucher.settlement.formats_out.schemas import validate

TRANSFERS = 20_000
RUNS = 3
DAY = date(2026, 11, 23)
AT = datetime(2026, 11, 23, 9, tzinfo=UTC)
DEBTOR = Debtor("PASS NUMERIQUE", "FR7630006000011234567890189", None)


def run(_postgres_url: str) -> list[Row]:
    """Time both; no database is asked."""
    transfers = [
        Transfer(
            end_to_end_id=f"PN-{rank:04X}-{rank:04X}-{rank:04X}-{rank:04X}",
            creditor_name=f"ASSOCIATION DE TEST N {rank}",
            creditor_iban=an_iban(rank),
            creditor_bic=None,
            amount_cents=1_000 + rank,
            remittance=f"Pass numerique, lot 2026-33-01/04, {rank} cheques",
        )
        for rank in range(TRANSFERS)
    ]
    write_seconds, check_seconds, byte_count = min(_ours(transfers) for _ in range(RUNS))
    limit = min(_bare(transfers) for _ in range(RUNS))
    seconds = write_seconds + check_seconds
    return [
        Row(
            f"write a pain.001 of {TRANSFERS:,} transfers",
            f"{seconds:.2f} s",
            f"{limit:.2f} s",
            f"{limit / seconds:.2f}",
            f"check and write {write_seconds:.2f} s, validate against the schema {check_seconds:.2f} s "
            f"({byte_count // 1000} kB); the limit is lxml building and validating the same, nothing checked",
        )
    ]


def _ours(transfers: list[Transfer]) -> tuple[float, float, int]:
    started = time.perf_counter()
    content = write_credit_transfers("LOT", "LOT-1", AT, DAY, DEBTOR, transfers)
    written = time.perf_counter()
    assert validate(content, SCHEMA_NAME) == []
    return written - started, time.perf_counter() - written, len(content)


def _bare(transfers: list[Transfer]) -> float:
    """Build the transfers of the file as a tree, serialise it, and validate the whole file that stands around them."""
    whole = etree.parse(BytesIO(write_credit_transfers("LOT", "LOT-1", AT, DAY, DEBTOR, transfers)))
    tag = f"{{{namespace_of(SCHEMA_NAME)}}}"
    (block,) = whole.getroot().iter(f"{tag}PmtInf")
    for one in list(block.iter(f"{tag}CdtTrfTxInf")):
        block.remove(one)
    started = time.perf_counter()
    for transfer in transfers:
        one = etree.SubElement(block, f"{tag}CdtTrfTxInf")
        etree.SubElement(etree.SubElement(one, f"{tag}PmtId"), f"{tag}EndToEndId").text = transfer.end_to_end_id
        amount = etree.SubElement(etree.SubElement(one, f"{tag}Amt"), f"{tag}InstdAmt", Ccy="EUR")
        amount.text = f"{transfer.amount_cents // 100}.{transfer.amount_cents % 100:02d}"
        etree.SubElement(etree.SubElement(one, f"{tag}Cdtr"), f"{tag}Nm").text = transfer.creditor_name
        account = etree.SubElement(etree.SubElement(one, f"{tag}CdtrAcct"), f"{tag}Id")
        etree.SubElement(account, f"{tag}IBAN").text = transfer.creditor_iban
        etree.SubElement(etree.SubElement(one, f"{tag}RmtInf"), f"{tag}Ustrd").text = transfer.remittance
    content = etree.tostring(whole, encoding="UTF-8", xml_declaration=True)
    assert validate(content, SCHEMA_NAME) == []
    return time.perf_counter() - started
