"""Statements of camt.053 written as text, a piece at a time, for what a reader must take or refuse."""

from pathlib import Path

import pytest

from tests.settlement.reading import UnreadableBankFile, read_statements
from voucher.settlement.formats_in.camt_lines import BankLine

IBAN = "FR7630006000011234567890189"
BATCH = (Path(__file__).parent / "files" / "camt053-001.02-batch.xml").read_bytes()


def euros(cents: int) -> str:
    return f"{abs(cents) // 100}.{abs(cents) % 100:02d}"


def entry(
    cents: int,
    *,
    details: str = "",
    reference: str | None = "REF",
    extra: str = "",
    status: str = "BOOK",
    day: str = "2026-07-10",
) -> str:
    side = "CRDT" if cents >= 0 else "DBIT"
    of_bank = "" if reference is None else f"<AcctSvcrRef>{reference}</AcctSvcrRef>"
    return (
        f'<Ntry>{extra}<Amt Ccy="EUR">{euros(cents)}</Amt><CdtDbtInd>{side}</CdtDbtInd><Sts><Cd>{status}</Cd></Sts>'
        f"<BookgDt><Dt>{day}</Dt></BookgDt>{of_bank}<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd>"
        f"<SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls>{details}</NtryDtls></Ntry>\n"
    )


def detail(end_to_end_id: str, cents: int | None = None, *, currency: str = "EUR", side: str = "") -> str:
    amount = (
        ""
        if cents is None
        else f'<Amt Ccy="{currency}">{euros(cents)}</Amt>{side and f"<CdtDbtInd>{side}</CdtDbtInd>"}'
    )
    return f"<TxDtls><Refs><EndToEndId>{end_to_end_id}</EndToEndId></Refs>{amount}</TxDtls>"


def balance(code: str, cents: int) -> str:
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{euros(cents)}</Amt>'
        f"<CdtDbtInd>{'CRDT' if cents >= 0 else 'DBIT'}</CdtDbtInd><Dt><Dt>2026-07-10</Dt></Dt></Bal>\n"
    )


def statement(*entries: str, opening: int = 100_000, closing: int = 100_000, name: str = "R1", head: str = "") -> str:
    return (
        f"<Stmt><Id>{name}</Id><Acct><Id><IBAN>{IBAN}</IBAN></Id></Acct>\n{balance('OPBD', opening)}{balance('CLBD', closing)}{head}"
        f"{''.join(entries)}</Stmt>\n"
    )


def document(*statements: str, version: str = "08") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}">'
        f"<BkToCstmrStmt><GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-07-10T20:00:00Z</CreDtTm></GrpHdr>\n{''.join(statements)}"
        "</BkToCstmrStmt></Document>"
    ).encode()


def lines(data: bytes) -> list[BankLine]:
    return read_statements(data).lines


def keys(data: bytes) -> list[str]:
    return read_statements(data).keys


def refusal(data: bytes) -> UnreadableBankFile:
    with pytest.raises(UnreadableBankFile) as refused:
        read_statements(data)
    return refused.value
