"""Bank files of our own making, in every dialect that French banks send: camt.052, 053 and 054, versions 001.02 to 001.14."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

VERSIONS = tuple(f"{number:02d}" for number in range(2, 15))
_ROOTS = {
    "052": ("BkToCstmrAcctRpt", "Rpt"),
    "053": ("BkToCstmrStmt", "Stmt"),
    "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}
_CHOICES_FROM = 8  # since this version a status and a party are choices
_RECORDS_FROM = 3  # since this one a transaction has its own amount, and charges are records


@dataclass(frozen=True, slots=True)
class Transaction:
    """A `TxDtls`; `cents` is signed: below zero, money went out."""

    cents: int
    end_to_end_id: str = "NOTPROVIDED"
    name: str = ""
    iban: str = ""
    words: str = ""
    return_reason: str = ""
    instructed: str = ""  # « 120.00 USD »


@dataclass(frozen=True, slots=True)
class Booked:
    """An entry, signed cents; `message` and `payment_information` name a whole file, `count` its transfers."""

    cents: int
    reference: str = ""
    transactions: tuple[Transaction, ...] = ()
    day: date | None = None
    currency: str = "EUR"
    code: str = "PMNT-ICDT-ESCT"
    is_reversal: bool = False
    charges_cents: int = 0
    message: str = ""
    payment_information: str = ""
    count: int = 0
    words: str = ""
    status: str = "BOOK"


@dataclass(frozen=True, slots=True)
class Account:
    """A statement, a report or a notification of one account; a statement closes at its opening plus its entries in euros."""

    iban: str
    day: date
    entries: Sequence[Booked]
    name: str = "R1"
    opening_cents: int = 1_000_000
    currency: str = "EUR"
    first_day: date | None = None

    @property
    def closing_cents(self) -> int:
        """The closing balance."""
        return self.opening_cents + sum(
            one.cents for one in self.entries if one.currency == "EUR" and one.status == "BOOK"
        )


def camt(kind: str, version: str, *accounts: Account, message: str = "M1") -> bytes:
    """Return a file: `camt("054", "02", Account(…))`."""
    root, part = _ROOTS[kind]
    namespace = f"urn:iso:std:iso:20022:tech:xsd:camt.{kind}.001.{version}"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{namespace}"><{root}>'
        f"<GrpHdr><MsgId>{message}</MsgId><CreDtTm>2026-11-23T20:00:00Z</CreDtTm></GrpHdr>\n"
        f"{''.join(_account(kind, int(version), part, one) for one in accounts)}</{root}></Document>"
    ).encode()


def _account(kind: str, version: int, part: str, one: Account) -> str:
    balances = ""
    if kind == "053":
        days = {"OPBD": one.first_day or one.day, "CLBD": one.day}
        for code, cents in (("OPBD", one.opening_cents), ("CLBD", one.closing_cents)):
            balances += (
                f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{_amount(cents, one.currency)}"
                f"<Dt><Dt>{days[code]}</Dt></Dt></Bal>\n"
            )
    return (
        f"<{part}><Id>{one.name}</Id><ElctrncSeqNb>1</ElctrncSeqNb><CreDtTm>{one.day}T20:00:00Z</CreDtTm>"
        f"<Acct><Id><IBAN>{one.iban}</IBAN></Id><Ccy>{one.currency}</Ccy></Acct>\n{balances}"
        f"{''.join(_entry(version, replace(entry, day=entry.day or one.day)) for entry in one.entries)}</{part}>\n"
    )


def _entry(version: int, one: Booked) -> str:
    status = f"<Cd>{one.status}</Cd>" if version >= _CHOICES_FROM else one.status
    reversal = "<RvslInd>true</RvslInd>" if one.is_reversal else ""
    reference = f"<AcctSvcrRef>{one.reference}</AcctSvcrRef>" if one.reference else ""
    named = (("MsgId", one.message), ("PmtInfId", one.payment_information), ("NbOfTxs", one.count or ""))
    batch = "".join(f"<{name}>{text}</{name}>" for name, text in named if text)
    details = (f"<Btch>{batch}</Btch>" if batch else "") + "".join(
        _transaction(version, transaction, one) for transaction in one.transactions
    )
    words = f"<AddtlNtryInf>{one.words}</AddtlNtryInf>" if one.words else ""
    charges = "" if one.transactions else _charges(version, one.charges_cents)
    return (
        f"<Ntry>{_amount(one.cents, one.currency, reversal)}<Sts>{status}</Sts><BookgDt><Dt>{one.day}</Dt></BookgDt>"
        f"<ValDt><Dt>{one.day}</Dt></ValDt>{reference}{_code(one.code)}{charges}"
        f"{f'<NtryDtls>{details}</NtryDtls>' if details else ''}{words}</Ntry>\n"
    )


def _transaction(version: int, one: Transaction, entry: Booked) -> str:
    of_bank = f"<AcctSvcrRef>{entry.reference}</AcctSvcrRef>" if entry.reference else ""
    role = "Dbtr" if one.cents > 0 and not one.return_reason else "Cdtr"
    name = f"<Nm>{one.name}</Nm>" if one.name else ""
    if name and version >= _CHOICES_FROM:
        name = f"<Pty>{name}</Pty>"
    parties = f"<{role}>{name}</{role}>" if name else ""
    parties += f"<{role}Acct><Id><IBAN>{one.iban}</IBAN></Id></{role}Acct>" if one.iban else ""
    amount = _amount(one.cents, "EUR") if version >= _RECORDS_FROM else ""
    instructed = ""
    if one.instructed:
        text, currency = one.instructed.split()
        instructed = f'<InstdAmt><Amt Ccy="{currency}">{text}</Amt></InstdAmt>'
    plain = "" if version >= _RECORDS_FROM else f'<TxAmt><Amt Ccy="EUR">{_euros(one.cents)}</Amt></TxAmt>'
    amounts = f"<AmtDtls>{instructed}{plain}</AmtDtls>" if instructed or plain else ""
    return (
        f"<TxDtls><Refs>{of_bank}<EndToEndId>{one.end_to_end_id}</EndToEndId></Refs>{amount}{amounts}"
        f"{_charges(version, entry.charges_cents)}{f'<RltdPties>{parties}</RltdPties>' if parties else ''}"
        f"{f'<RmtInf><Ustrd>{one.words}</Ustrd></RmtInf>' if one.words else ''}"
        f"{f'<RtrInf><Rsn><Cd>{one.return_reason}</Cd></Rsn></RtrInf>' if one.return_reason else ''}</TxDtls>"
    )


def _charges(version: int, cents: int) -> str:
    if not cents:
        return ""
    amount = f'<Amt Ccy="EUR">{_euros(cents)}</Amt><CdtDbtInd>DBIT</CdtDbtInd>'
    if version < _RECORDS_FROM:
        return f"<Chrgs>{amount}</Chrgs>"
    return f"<Chrgs><Rcrd>{amount}<ChrgInclInd>true</ChrgInclInd></Rcrd></Chrgs>"


def _code(code: str) -> str:
    domain, family, sub_family = code.split("-")
    return f"<BkTxCd><Domn><Cd>{domain}</Cd><Fmly><Cd>{family}</Cd><SubFmlyCd>{sub_family}</SubFmlyCd></Fmly></Domn></BkTxCd>"


def _amount(cents: int, currency: str, reversal: str = "") -> str:
    side = "CRDT" if cents >= 0 else "DBIT"
    return f'<Amt Ccy="{currency}">{_euros(cents)}</Amt><CdtDbtInd>{side}</CdtDbtInd>{reversal}'


def _euros(cents: int) -> str:
    return f"{abs(cents) // 100}.{abs(cents) % 100:02d}"
