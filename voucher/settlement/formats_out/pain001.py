"""Bank files out: the SEPA credit-transfer file, ISO 20022 pain.001.001.09, or pain.001.001.03 for banks that still ask for it.

The same input always gives the same bytes: identifiers and instants are passed in, so that a file written again after a
crash is the same file, and a bank that gets it twice answers DUPL instead of paying twice. An unstructured postal address is
refused since 15 November 2026, and none is required inside the EEA: a town and its country are written when they are known,
else nothing. A file has one payment block, hence one account that pays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from voucher.kernel import sepa
from voucher.kernel.calendar import french_date, paris_day
from voucher.settlement.formats_out.schemas import validate
from voucher.settlement.formats_out.target_days import is_target_day, next_target_day

__all__ = ["Debtor", "Transfer", "next_target_day", "write_credit_transfers"]

SCHEMA_NAME = "pain.001.001.09"
OLD_SCHEMA_NAME = "pain.001.001.03"
SCHEMA_NAMES = (SCHEMA_NAME, OLD_SCHEMA_NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One transfer to a structure; `creditor_name` is the holder of the account as its RIB gives it.

    `creditor_town` and `creditor_country` (ISO 3166) are the holder's, given both or not at all.
    """

    end_to_end_id: str
    creditor_name: str
    creditor_iban: str
    creditor_bic: str | None
    amount_cents: int
    remittance: str
    creditor_town: str | None = None
    creditor_country: str | None = None


@dataclass(frozen=True, slots=True)
class Debtor:
    """The account that pays: the ring-fenced account of the mandated operator."""

    name: str
    iban: str
    bic: str | None


def namespace_of(schema_name: str) -> str:
    """Return the XML namespace of a schema."""
    return f"urn:iso:std:iso:20022:tech:xsd:{schema_name}"


def write_credit_transfers(
    message_id: str,
    payment_information_id: str,
    created_at: datetime,
    execution_on: date,
    debtor: Debtor,
    transfers: Sequence[Transfer],
    *,
    schema_name: str = SCHEMA_NAME,
    is_urgent: bool = False,
) -> bytes:
    """Return a credit-transfer file, valid against its ISO schema and the SEPA rules, as UTF-8 bytes.

    One payment block, SLEV charges, one debit a transfer, in euros; priority HIGH when urgent. `created_at` is an aware instant,
    `execution_on` a TARGET day not before it. Raises a `sepa.WrongPayment` whose sentence names the first fault; nothing is
    written in part. Raises ValueError for a schema that is not in SCHEMA_NAMES.
    """
    if created_at.tzinfo is None:
        raise ValueError("created_at must carry its time zone")
    if schema_name not in SCHEMA_NAMES:
        raise ValueError(f"no payment file is written as {schema_name}")
    sepa.checked_identifier(message_id, "L’identifiant du fichier")
    sepa.checked_identifier(payment_information_id, "L’identifiant du lot de paiement")
    _check_execution_day(execution_on, created_at)
    payer = Debtor(
        sepa.checked_name(debtor.name, "Le nom du titulaire du compte débité"),
        (payer_iban := sepa.checked_iban(debtor.iban)),
        None if debtor.bic is None else sepa.checked_bic_of(debtor.bic, payer_iban),
    )
    checked = _checked_transfers(transfers)
    is_old = schema_name == OLD_SCHEMA_NAME
    bic_tag = "BIC" if is_old else "BICFI"
    day = execution_on.isoformat()
    head = {
        "namespace": namespace_of(schema_name),
        "message_id": message_id,
        "payment_information_id": payment_information_id,
        "created_at": created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "count": str(len(checked)),
        "sum": decimal_euros(sum(transfer.amount_cents for transfer in checked)),
        "name": payer.name,
        "iban": payer.iban,
        "agent": _agent(payer.bic, bic_tag),
        "day": day if is_old else f"<Dt>{day}</Dt>",
        "priority": "<InstrPrty>HIGH</InstrPrty>" if is_urgent else "",
    }
    lines = [_transaction(transfer, bic_tag) for transfer in checked]
    content = (_HEAD.format_map(head) + "".join(lines) + _FOOT).encode()
    if errors := validate(content, schema_name):
        raise AssertionError(f"the file is not a {schema_name}: {errors[0]}")
    return content


# Nothing is escaped below: every text was checked to be of SEPA characters, among which there is no <, > nor &; and the
# file is validated whole against its schema before it is returned. Large elements start on a line of their own, so that a bank
# can say which line it refuses.
# BtchBookg: each transfer is to be a line of its own on the statement: one debit for the whole file would prove none paid.
_HEAD = """<?xml version='1.0' encoding='UTF-8'?>
<Document xmlns="{namespace}"><CstmrCdtTrfInitn>
<GrpHdr>
<MsgId>{message_id}</MsgId><CreDtTm>{created_at}</CreDtTm><NbOfTxs>{count}</NbOfTxs><CtrlSum>{sum}</CtrlSum>\
<InitgPty><Nm>{name}</Nm></InitgPty></GrpHdr>
<PmtInf>
<PmtInfId>{payment_information_id}</PmtInfId><PmtMtd>TRF</PmtMtd><BtchBookg>false</BtchBookg><NbOfTxs>{count}</NbOfTxs>\
<CtrlSum>{sum}</CtrlSum><PmtTpInf>{priority}<SvcLvl><Cd>SEPA</Cd></SvcLvl></PmtTpInf><ReqdExctnDt>{day}</ReqdExctnDt>\
<Dbtr><Nm>{name}</Nm></Dbtr><DbtrAcct><Id><IBAN>{iban}</IBAN></Id><Ccy>EUR</Ccy></DbtrAcct>\
<DbtrAgt><FinInstnId>{agent}</FinInstnId></DbtrAgt><ChrgBr>SLEV</ChrgBr>
"""
_FOOT = "</PmtInf>\n</CstmrCdtTrfInitn>\n</Document>"


def decimal_euros(cents: int) -> str:
    """Return « 1234.50 » for 123450 cents: the way XML writes euros."""
    return f"{cents // 100}.{cents % 100:02d}"


def _agent(bic: str | None, bic_tag: str) -> str:
    # The agent of the debtor is mandatory in the schema; without a BIC the guidelines ask for this word (IBAN only).
    return "<Othr><Id>NOTPROVIDED</Id></Othr>" if bic is None else f"<{bic_tag}>{bic}</{bic_tag}>"


def _transaction(transfer: Transfer, bic_tag: str) -> str:
    bic, town = transfer.creditor_bic, transfer.creditor_town
    agent = f"<CdtrAgt><FinInstnId><{bic_tag}>{bic}</{bic_tag}></FinInstnId></CdtrAgt>" if bic else ""
    address = f"<PstlAdr><TwnNm>{town}</TwnNm><Ctry>{transfer.creditor_country}</Ctry></PstlAdr>" if town else ""
    return (
        f"<CdtTrfTxInf><PmtId><EndToEndId>{transfer.end_to_end_id}</EndToEndId></PmtId>"
        f'<Amt><InstdAmt Ccy="EUR">{decimal_euros(transfer.amount_cents)}</InstdAmt></Amt>{agent}'
        f"<Cdtr><Nm>{transfer.creditor_name}</Nm>{address}</Cdtr>"
        f"<CdtrAcct><Id><IBAN>{transfer.creditor_iban}</IBAN></Id></CdtrAcct>"
        f"<RmtInf><Ustrd>{transfer.remittance}</Ustrd></RmtInf></CdtTrfTxInf>\n"
    )


def _check_execution_day(execution_on: date, created_at: datetime) -> None:
    if not is_target_day(execution_on):
        raise sepa.WrongExecutionDay(
            f"Les banques n’exécutent pas de virement le {french_date(execution_on)}. "
            f"Choisissez le {french_date(next_target_day(execution_on))}."
        )
    if execution_on < paris_day(created_at):
        raise sepa.WrongExecutionDay(
            f"Le {french_date(execution_on)} est passé. Choisissez le {french_date(next_target_day(paris_day(created_at)))} ou après."
        )


def _checked_transfers(transfers: Sequence[Transfer]) -> list[Transfer]:
    if not transfers:
        raise sepa.NothingToPay("Ce lot ne contient aucun virement. Vérifiez les bordereaux à payer.")
    checked: dict[str, Transfer] = {}
    for transfer in transfers:
        try:
            one = _checked(transfer)
            if one.end_to_end_id in checked:
                raise sepa.WrongIdentifier("Cet identifiant est utilisé deux fois. Chaque virement doit avoir le sien.")
        except sepa.WrongPayment as wrong:
            raise type(wrong)(wrong.sentence, end_to_end_id=transfer.end_to_end_id) from None
        checked[one.end_to_end_id] = one
    return list(checked.values())


def _checked(transfer: Transfer) -> Transfer:
    town, country = sepa.checked_address(transfer.creditor_town, transfer.creditor_country)
    return Transfer(
        end_to_end_id=sepa.checked_identifier(transfer.end_to_end_id, "L’identifiant du virement"),
        creditor_name=sepa.checked_name(transfer.creditor_name, "Le nom du titulaire du compte"),
        creditor_iban=(iban := sepa.checked_iban(transfer.creditor_iban)),
        creditor_bic=None if transfer.creditor_bic is None else sepa.checked_bic_of(transfer.creditor_bic, iban),
        amount_cents=sepa.checked_amount(transfer.amount_cents),
        remittance=sepa.checked_remittance(transfer.remittance),
        creditor_town=town,
        creditor_country=country,
    )
