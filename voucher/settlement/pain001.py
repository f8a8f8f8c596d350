"""Bank files out: the SEPA credit-transfer file, ISO 20022 pain.001.001.09.

The same input always gives the same bytes: identifiers and instants are passed in, so that a file written again after a
crash is the same file, and a bank that gets it twice answers DUPL instead of paying twice. Postal addresses are left out:
unstructured ones are refused since 15 November 2026, and none is required inside the EEA.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

from lxml import etree

from voucher.kernel.calendar import french_date, paris_day
from voucher.settlement import sepa
from voucher.settlement.target_days import is_target_day, next_target_day

__all__ = ["Debtor", "Transfer", "next_target_day", "write_credit_transfers"]

SCHEMA_NAME = "pain.001.001.09"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{SCHEMA_NAME}"


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer to a structure; `creditor_name` is the holder of the account as its RIB gives it."""

    end_to_end_id: str
    creditor_name: str
    creditor_iban: str
    creditor_bic: str | None
    amount_cents: int
    remittance: str


@dataclass(frozen=True, slots=True)
class Debtor:
    """The account that pays: the ring-fenced account of the mandated operator."""

    name: str
    iban: str
    bic: str | None


def write_credit_transfers(
    message_id: str,
    payment_information_id: str,
    created_at: datetime,
    execution_on: date,
    debtor: Debtor,
    transfers: Sequence[Transfer],
) -> bytes:
    """Return a pain.001.001.09 file, valid against the ISO schema and the SEPA rules, as UTF-8 bytes.

    One payment block, SLEV charges, one batch debit, in euros. `created_at` is an aware instant, `execution_on` a TARGET day
    not before it. Raises a `sepa.WrongPayment` whose sentence names the first fault; nothing is written in part.
    """
    if created_at.tzinfo is None:
        raise ValueError("created_at must carry its time zone")
    sepa.checked_identifier(message_id, "L’identifiant du fichier")
    sepa.checked_identifier(payment_information_id, "L’identifiant du lot de paiement")
    _check_execution_day(execution_on, created_at)
    payer = Debtor(
        sepa.checked_name(debtor.name, "Le nom du titulaire du compte débité"),
        sepa.checked_iban(debtor.iban),
        None if debtor.bic is None else sepa.checked_bic(debtor.bic),
    )
    checked = _checked_transfers(transfers)
    totals = {"NbOfTxs": str(len(checked)), "CtrlSum": decimal_euros(sum(t.amount_cents for t in checked))}

    out = BytesIO()
    with etree.xmlfile(out, encoding="UTF-8") as xml:
        xml.write_declaration()
        with xml.element(_tag("Document"), nsmap={None: NAMESPACE}), _block(xml, "CstmrCdtTrfInitn"):
            _write_group_header(xml, message_id, created_at, totals, payer)
            with _block(xml, "PmtInf"):
                _write_payment_information(xml, payment_information_id, totals, execution_on, payer)
                for transfer in checked:
                    _write_transaction(xml, transfer)
    return out.getvalue()


def decimal_euros(cents: int) -> str:
    """Return « 1234.50 » for 123450 cents: the way XML writes euros."""
    return f"{cents // 100}.{cents % 100:02d}"


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
    checked: list[Transfer] = []
    seen: set[str] = set()
    for transfer in transfers:
        with _named(transfer.end_to_end_id):
            end_to_end_id = sepa.checked_identifier(transfer.end_to_end_id, "L’identifiant du virement")
            if end_to_end_id in seen:
                raise sepa.WrongIdentifier("Cet identifiant est utilisé deux fois. Chaque virement doit avoir le sien.")
            seen.add(end_to_end_id)
            checked.append(
                Transfer(
                    end_to_end_id,
                    sepa.checked_name(transfer.creditor_name, "Le nom du titulaire du compte"),
                    sepa.checked_iban(transfer.creditor_iban),
                    None if transfer.creditor_bic is None else sepa.checked_bic(transfer.creditor_bic),
                    sepa.checked_amount(transfer.amount_cents),
                    sepa.checked_remittance(transfer.remittance),
                )
            )
    return checked


@contextmanager
def _named(end_to_end_id: str) -> Iterator[None]:
    """Say which transfer a fault is in."""
    try:
        yield
    except sepa.WrongPayment as wrong:
        raise type(wrong)(wrong.sentence, end_to_end_id=end_to_end_id) from None


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


@contextmanager
def _block(xml: Any, name: str) -> Iterator[None]:
    """Write a large element that starts on a line of its own, so that a bank can say which line it refuses."""
    with xml.element(_tag(name)):
        xml.write("\n")
        yield
    xml.write("\n")


def _write(xml: Any, path: str, text: str, **attributes: str) -> None:
    """Write nested elements (`Cdtr/Nm`) around a text; the attributes go to the last one."""
    outer, _, inner = path.partition("/")
    with xml.element(_tag(outer), None if inner else attributes):
        if inner:
            _write(xml, inner, text, **attributes)
        else:
            xml.write(text)


def _write_group_header(xml: Any, message_id: str, created_at: datetime, totals: dict[str, str], payer: Debtor) -> None:
    with _block(xml, "GrpHdr"):
        _write(xml, "MsgId", message_id)
        _write(xml, "CreDtTm", created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        for name, text in totals.items():
            _write(xml, name, text)
        _write(xml, "InitgPty/Nm", payer.name)


def _write_payment_information(
    xml: Any, payment_information_id: str, totals: dict[str, str], execution_on: date, payer: Debtor
) -> None:
    _write(xml, "PmtInfId", payment_information_id)
    _write(xml, "PmtMtd", "TRF")
    # Each transfer is to be a line of its own on the statement: one debit for the whole file would prove none of them paid.
    _write(xml, "BtchBookg", "false")
    for name, text in totals.items():
        _write(xml, name, text)
    _write(xml, "PmtTpInf/SvcLvl/Cd", "SEPA")
    _write(xml, "ReqdExctnDt/Dt", execution_on.isoformat())
    _write(xml, "Dbtr/Nm", payer.name)
    with xml.element(_tag("DbtrAcct")):
        _write(xml, "Id/IBAN", payer.iban)
        _write(xml, "Ccy", "EUR")
    # The agent of the debtor is mandatory in the schema; without a BIC the guidelines ask for this word (IBAN only).
    if payer.bic is None:
        _write(xml, "DbtrAgt/FinInstnId/Othr/Id", "NOTPROVIDED")
    else:
        _write(xml, "DbtrAgt/FinInstnId/BICFI", payer.bic)
    _write(xml, "ChrgBr", "SLEV")
    xml.write("\n")


def _write_transaction(xml: Any, transfer: Transfer) -> None:
    with xml.element(_tag("CdtTrfTxInf")):
        _write(xml, "PmtId/EndToEndId", transfer.end_to_end_id)
        _write(xml, "Amt/InstdAmt", decimal_euros(transfer.amount_cents), Ccy="EUR")
        if transfer.creditor_bic is not None:
            _write(xml, "CdtrAgt/FinInstnId/BICFI", transfer.creditor_bic)
        _write(xml, "Cdtr/Nm", transfer.creditor_name)
        _write(xml, "CdtrAcct/Id/IBAN", transfer.creditor_iban)
        _write(xml, "RmtInf/Ustrd", transfer.remittance)
    xml.write("\n")
