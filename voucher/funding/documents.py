"""What a funder gets on paper: a call for funds, the list behind it, and the final balance. Made once, kept byte for byte."""

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.funding.accounts import account
from voucher.funding.model import CallKind, DocumentKind, FundingClose, FundingDocument, FundsCall
from voucher.funding.return_advance import returned_cents
from voucher.funding.uses import StructureNames, UseLine, lines_of, named_lines, no_names, taken_by
from voucher.kernel.calendar import french_date
from voucher.kernel.database import Database, insert_new
from voucher.kernel.money import format_euros, thousands
from voucher.kernel.number_labels import iban_label
from voucher.kernel.paper import euros_cell, pdf, safe_cell
from voucher.ledger.chart import Code
from voucher.ledger.model import Entry
from voucher.programme.model import Agreement, Funder, Issuer, PayingAccount

MEDIA_TYPES = {
    DocumentKind.CALL_PDF: "application/pdf",
    DocumentKind.USES_CSV: "text/csv; charset=utf-8",
    DocumentKind.BALANCE_PDF: "application/pdf",
}
_PRINT = Path(__file__).parent / "print"
_CSV_HEADER = ("Appel", "Rang", "Écriture", "Jour", "Nature", "SIRET ou RNA", "Structure", "Montant en euros")


@dataclass(frozen=True, slots=True)
class KeptDocument:
    """A document as it was made."""

    kind: DocumentKind
    name: str
    sha256: str
    content: bytes
    made_at: datetime

    @property
    def is_call(self) -> bool:
        """Whether it is the call itself, and not the list of what it calls."""
        return self.kind == DocumentKind.CALL_PDF


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Whom a document is between, in words."""

    agreement_number: str
    agreement_name: str
    issuer_name: str
    issuer_address: str
    funder_name: str
    holder_name: str
    iban: str


def keep_call_documents(
    database: Database, call_id: UUID, names: StructureNames = no_names, *, now: datetime
) -> list[KeptDocument]:
    """Make a call's documents where they are not kept yet, and return them: the call, and for uses the list behind it."""
    kept = documents_of(database, call_id)
    if kept:
        return kept
    with database.read() as session:
        call = session.get_one(FundsCall, call_id)
        parties = parties_of(session, call)
        lines = lines_of_call(session, call, names)
        stem = _stem(call.reference)
        made = {DocumentKind.CALL_PDF: (f"appel-{stem}.pdf", call_pdf(call, parties, lines))}
        if call.kind == CallKind.USE:
            made[DocumentKind.USES_CSV] = (f"appel-{stem}-usages.csv", uses_csv(call.reference, lines))
    _keep(database, call_id, made, now)
    return documents_of(database, call_id)


def keep_balance_document(database: Database, close_id: UUID, *, now: datetime) -> KeptDocument:
    """Make the document of a final balance where it is not kept yet, and return it."""
    kept = documents_of(database, close_id)
    if not kept:
        with database.read() as session:
            close = session.get_one(FundingClose, close_id)
            parties = parties_of(session, close)
            calls = session.scalars(
                select(FundsCall)
                .where(FundsCall.agreement_id == close.agreement_id, FundsCall.funder_id == close.funder_id)
                .order_by(FundsCall.number)
            ).all()
            rank = "" if close.number == 1 else f"-{close.number}"
            name = f"decompte-final{rank}-{_stem(parties.agreement_number)}-{_stem(parties.funder_name)}.pdf"
            returned = returned_cents(session, close.agreement_id, close.funder_id)
            live = [call for call in calls if call.cancelled_at is None]
            content = balance_pdf(close, parties, live, returned)
        _keep(database, close_id, {DocumentKind.BALANCE_PDF: (name, content)}, now)
        kept = documents_of(database, close_id)
    return kept[0]


def documents_of(database: Database, subject_id: UUID) -> list[KeptDocument]:
    """Return the kept documents of a call or a final balance."""
    with database.read() as session:
        rows = session.scalars(
            select(FundingDocument).where(FundingDocument.subject_id == subject_id).order_by(FundingDocument.kind)
        )
        return [KeptDocument(row.kind, row.name, row.sha256, row.content, row.made_at) for row in rows]


def call_pdf(call: FundsCall, parties: Parties, lines: Sequence[UseLine]) -> bytes:
    """Return a call for funds as a tagged PDF: how much, by when and to which account first, then what it pays."""
    by_structure = Counter[tuple[str, str]]()
    count = Counter[tuple[str, str]]()
    for line in lines:
        by_structure[line.structure_name, line.pivot] += line.cents
        count[line.structure_name, line.pivot] += 1
    days = [line.used_on for line in lines]
    values = {
        "reference": call.reference,
        "is_advance": call.kind == CallKind.ADVANCE,
        "called_on": french_date(call.called_on),
        "due_on": french_date(call.due_on),
        "period": f"du {french_date(min(days))} au {french_date(max(days))}" if days else None,
        "used": format_euros(call.used_cents),
        "advance_used": format_euros(call.advance_used_cents) if call.advance_used_cents else None,
        "called": format_euros(call.called_cents),
        "is_due": call.called_cents > 0,
        "structures": [
            [name, pivot, _count(count[name, pivot]), format_euros(cents)]
            for (name, pivot), cents in sorted(by_structure.items())
        ],
        "entry_count": _count(len(lines)),
        **_said(parties),
    }
    return pdf(_PRINT / "call.typ", values, call.called_on)


def uses_csv(reference: str, lines: Sequence[UseLine]) -> bytes:
    """Return the list behind a call: UTF-8 with BOM, `;`, decimal comma, CRLF; the amounts sum up to the call's uses."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(_CSV_HEADER)
    for rank, line in enumerate(lines, 1):
        texts = (safe_cell(line.event_name), safe_cell(line.pivot), safe_cell(line.structure_name))
        day = line.used_on.strftime("%d/%m/%Y")
        writer.writerow([safe_cell(reference), rank, line.entry_id, day, *texts, euros_cell(line.cents)])
    return ("\ufeff" + out.getvalue()).encode()


def balance_pdf(close: FundingClose, parties: Parties, calls: Sequence[FundsCall], returned_before_cents: int) -> bytes:
    """Return a final balance as a tagged PDF: what is owed to whom first, then every call.

    `returned_before_cents` is what was given back of advances before it: what is said received is less by as much.
    """
    values = {
        "number": close.number,
        "closed_on": french_date(close.closed_on),
        "used": format_euros(close.used_cents),
        "received": format_euros(close.received_cents),
        "returned": format_euros(returned_before_cents) if returned_before_cents else None,
        "due": format_euros(close.due_cents) if close.due_cents else None,
        "refund": format_euros(close.refund_cents) if close.refund_cents else None,
        "carried": format_euros(close.carried_cents) if close.carried_cents else None,
        "kept": format_euros(close.kept_cents) if close.kept_cents else None,
        "calls": [
            [
                call.reference,
                french_date(call.called_on),
                "Avance" if call.kind == CallKind.ADVANCE else "Usages",
                format_euros(call.used_cents) if call.used_cents else "",
                format_euros(call.advance_used_cents) if call.advance_used_cents else "",
                format_euros(call.called_cents),
            ]
            for call in calls
        ],
        **_said(parties),
    }
    return pdf(_PRINT / "balance.typ", values, close.closed_on)


def _said(parties: Parties) -> dict[str, str]:
    iban = parties.iban
    return {
        "agreement_number": parties.agreement_number,
        "agreement_name": parties.agreement_name,
        "issuer_name": parties.issuer_name,
        "issuer_address": parties.issuer_address,
        "funder_name": parties.funder_name,
        "holder_name": parties.holder_name,
        "iban": iban_label(iban),
    }


def parties_of(session: Session, subject: FundsCall | FundingClose) -> Parties:
    """Return whom a call or a final balance is between, and the account that is paid."""
    row = session.execute(
        select(Agreement.number, Agreement.name, Issuer, PayingAccount.holder_name, PayingAccount.iban)
        .join(Issuer, Issuer.id == Agreement.issuer_id)
        .join(PayingAccount, PayingAccount.id == Agreement.paying_account_id)
        .where(Agreement.id == subject.agreement_id)
    ).one()
    issuer = row.Issuer
    funder = session.execute(select(Funder.name).where(Funder.id == subject.funder_id)).scalar_one()
    address = f"{issuer.address}, {issuer.postcode} {issuer.city}"
    return Parties(
        agreement_number=row.number,
        agreement_name=row.name,
        issuer_name=issuer.name,
        issuer_address=address,
        funder_name=funder,
        holder_name=row.holder_name,
        iban=row.iban,
    )


def lines_of_call(session: Session, call: FundsCall, names: StructureNames) -> list[UseLine]:
    """Return the entries that a call took, by instant, their structures named."""
    query = lines_of(taken_by(call.id), account(Code.TO_CALL, call.agreement_id, call.funder_id).id)
    rows = session.execute(query.order_by(Entry.posted_at, Entry.id)).all()
    return named_lines(session, rows, names)


def _keep(database: Database, subject_id: UUID, made: dict[DocumentKind, tuple[str, bytes]], now: datetime) -> None:
    with database.write() as session:
        for kind, (name, content) in made.items():
            row: dict[str, object] = {
                "subject_id": subject_id,
                "kind": kind,
                "name": name,
                "sha256": hashlib.sha256(content).hexdigest(),
                "content": content,
                "made_at": now,
            }
            # Whoever made it first, at the same moment, made it for both.
            insert_new(session, FundingDocument, row)


def _stem(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:80]


def _count(number: int) -> str:
    return thousands(number)
