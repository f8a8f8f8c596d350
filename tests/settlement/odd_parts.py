"""Parts of bank files that no rule reads, broken in every way that a bank may break them, around one good booked line of ours."""

from collections.abc import Sequence

from tests.settlement.bank import OUR_IBAN

ROOTS = {
    "052": ("BkToCstmrAcctRpt", "Rpt"),
    "053": ("BkToCstmrStmt", "Stmt"),
    "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}
THEIRS = "FR7630006000010000000000055"
GOOD_REFERENCE = "BONNE-LIGNE"
GOOD_CENTS = 1_250

_LONG = "X" * 60
_NINES = "9" * 6_000
_STATUSES = ("<Sts><Cd>PDNG</Cd></Sts>", "<Sts><Cd>INFO</Cd></Sts>", "<Sts>PDNG</Sts>", "<Sts><Cd>FUTR</Cd></Sts>",
             "<Sts><Prtry>ATT</Prtry></Sts>", "<Sts><Cd>ZZZZ</Cd></Sts>", "")  # fmt: skip
_AMOUNTS = ('<Amt Ccy="EUR">99.00</Amt>', "", "<Amt>99.00</Amt>", '<Amt Ccy="EUR">-1.001</Amt>', '<Amt Ccy="USD">12.00</Amt>',
            '<Amt Ccy="ZZZ">beaucoup</Amt>', '<Amt Ccy="eur">1e999999</Amt>')  # fmt: skip
_SIDES = ("<CdtDbtInd>DBIT</CdtDbtInd>", "", "<CdtDbtInd>BOTH</CdtDbtInd>")
_DATES = (
    "",
    "<BookgDt><Dt>2026-02-30</Dt></BookgDt>",
    "<BookgDt><DtTm>0001-01-01T00:00:00+14:00</DtTm></BookgDt>",
    "<BookgDt><Dt>demain</Dt></BookgDt><ValDt><Dt>2999-01-01</Dt></ValDt>",
    "<BookgDt><Dt>2026-11-20</Dt></BookgDt>",
)
_REST = (
    "",
    f"<AcctSvcrRef>{_LONG}</AcctSvcrRef><BkTxCd><Prtry><Cd>{_LONG}</Cd></Prtry></BkTxCd>",
    f"<NtryDtls><Btch><NbOfTxs>{_NINES}</NbOfTxs></Btch><TxDtls><Refs><EndToEndId>{_LONG}</EndToEndId></Refs></TxDtls></NtryDtls>",
    "<Chrgs><TtlChrgsAndTaxAmt>rien</TtlChrgsAndTaxAmt></Chrgs><SplmtryData><Envlp><x>1</x></Envlp></SplmtryData>",
)
NOT_BOOKED = tuple(
    f"<Ntry>{amount}{side}{status}{dates}{rest}</Ntry>\n"
    for status in _STATUSES
    for amount in _AMOUNTS
    for side in _SIDES
    for dates in _DATES
    for rest in _REST
)
"""Entries that are not booked: 2,940 of them."""

_GOOD = (
    '<Amt Ccy="EUR">0.01</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-20</Dt></BookgDt>'
)
BOOKED = (
    f"<Ntry>{_GOOD.replace('EUR', 'USD')}</Ntry>\n",
    f"<Ntry>{_GOOD.replace('EUR', 'JPY').replace('0.01', 'mille')}</Ntry>\n",
    f"<Ntry>{_GOOD}<ValDt><Dt>hier</Dt></ValDt><AcctSvcrRef>{_LONG}</AcctSvcrRef></Ntry>\n",
    *(f"<Ntry>{_GOOD}{rest}</Ntry>\n" for rest in _REST),
    (f"<Ntry>{_GOOD}<NtryDtls><TxDtls><Amt>rien</Amt><AmtDtls><InstdAmt><Amt Ccy='{_LONG}'>1e999999</Amt></InstdAmt></AmtDtls>"
    f"<RtrInf><Rsn><Prtry>{_LONG * 20}</Prtry></Rsn></RtrInf></TxDtls></NtryDtls></Ntry>\n"),
)  # fmt: skip
"""Booked entries of our account, sound or in another currency, with details that do not count."""

_BROKEN_ENTRY = "<Ntry><Amt>?</Amt><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>?</Dt></BookgDt></Ntry>"
ACCOUNTS = (
    f"<Acct><Id><IBAN>{THEIRS}</IBAN></Id></Acct>{_BROKEN_ENTRY}",
    f"<Acct><Id><IBAN>{THEIRS}</IBAN></Id><Ccy>EUR</Ccy></Acct><FrToDt><FrDtTm>?</FrDtTm></FrToDt><Bal><Amt>?</Amt></Bal>{_BROKEN_ENTRY}",
    "<Acct><Id><Othr><Id>12345</Id></Othr></Id><Ccy>USD</Ccy></Acct>",
    "<Acct><Id><Othr><Id>12345</Id></Othr></Id></Acct>",
    f"<Acct><Id><IBAN>{OUR_IBAN}</IBAN></Id><Ccy>USD</Ccy></Acct>{_BROKEN_ENTRY}",
    f"<Acct><Id><IBAN>{_LONG}</IBAN></Id><Ccy>{_LONG}</Ccy></Acct>{_BROKEN_ENTRY}",
    "",
)
"""Accounts that are not ours, or not in euros."""

HEADS = (
    "",
    "<FrToDt><FrDtTm>?</FrDtTm><ToDtTm>2026-13-45</ToDtTm></FrToDt>",
    '<Bal><Tp><CdOrPrtry><Cd>CLAV</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">?</Amt><Dt><Dt>?</Dt></Dt></Bal>',
    '<Bal><Tp><CdOrPrtry><Cd>FWAV</Cd></CdOrPrtry></Tp><Amt Ccy="USD">1</Amt></Bal><Bal><Tp><CdOrPrtry><Prtry>X</Prtry></CdOrPrtry></Tp></Bal>',
    '<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="USD">12.00</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>',
    "<Bal><Tp><CdOrPrtry><Cd>ITBD</Cd></CdOrPrtry></Tp></Bal><Bal/>",
    "<RltdAcct><Id><IBAN>?</IBAN></Id></RltdAcct><Intrst><Rate><Tp>?</Tp></Rate></Intrst><StmtPgntn><PgNb>0</PgNb></StmtPgntn>",
)
"""What the head of our own statement may hold beside what is read."""


def odd_file(
    kind: str,
    version: str,
    *,
    head: str,
    booked: Sequence[str],
    passed: Sequence[str],
    accounts: Sequence[str],
) -> bytes:
    """Return a file of a kind (052, 053, 054) and version with the good line and those parts around it."""
    root, name = ROOTS[kind]
    good = (
        f'<Ntry><Amt Ccy="EUR">{GOOD_CENTS // 100}.{GOOD_CENTS % 100:02d}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
        f"<BookgDt><Dt>2026-11-20</Dt></BookgDt><AcctSvcrRef>{GOOD_REFERENCE}</AcctSvcrRef></Ntry>\n"
    )
    closing_cents = 100_000 + GOOD_CENTS + sum('Ccy="EUR">0.01' in one for one in booked)
    balances = "".join(
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{cents // 100}.{cents % 100:02d}</Amt>'
        "<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-20</Dt></Dt></Bal>"
        for code, cents in (("OPBD", 100_000), ("CLBD", closing_cents))
    )
    counted = "<TxsSummry><TtlNtries><NbOfNtries>{}</NbOfNtries></TtlNtries></TxsSummry>"
    ours = (
        f"<{name}><Id>R1</Id><Acct><Id><IBAN>{OUR_IBAN}</IBAN></Id><Ccy>EUR</Ccy></Acct>{head}{balances}"
        f"{counted.format(1 + len(booked) + len(passed))}{''.join(passed)}{good}{''.join(booked)}</{name}>\n"
    )
    others = [f"<{name}><Id>R</Id>{one}</{name}>\n" for one in accounts]
    half = len(others) // 2
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{kind}.001.{version}"><{root}>'
        f"<GrpHdr><MsgId>M</MsgId><MsgPgntn><PgNb>?</PgNb></MsgPgntn></GrpHdr>\n{''.join(others[:half])}{ours}{''.join(others[half:])}"
        f"</{root}></Document>"
    ).encode()
