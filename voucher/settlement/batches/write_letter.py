"""Écrire à une structure: a message about one payment, prepared in French from where it stands, that a person edits and sends.

It goes through the outbox, in the transaction that keeps it; an IBAN is never written whole.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from voucher.kernel.characters import compact
from voucher.kernel.clean_input import required_lines, required_text
from voucher.kernel.database import Database
from voucher.kernel.idempotency import insert_once
from voucher.kernel.money import format_euros
from voucher.kernel.number_labels import iban_end
from voucher.kernel.refusals import Refused
from voucher.mail.letter_kinds import LetterKind
from voucher.mail.queue import SUBJECT_CHARACTERS_MAX, Letter, is_address, queue
from voucher.network.model import Structure
from voucher.programme.model import Agreement
from voucher.settlement.batches.read_advice import AdvicePage
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.model.letters import PaymentLetter

BODY_LENGTH_MAX = 4_000


@dataclass(frozen=True, slots=True)
class NewLetter:
    """What a person sends, once edited."""

    id: UUID
    advice_id: UUID
    subject: str
    body: str


def prepared_letter(page: AdvicePage, signed: str) -> tuple[str, str]:
    """Return the subject and the text that a person may edit: what happened, what becomes of the money, what to do."""
    amount, told = format_euros(page.amount_cents), page.said
    account = f" sur le compte dont l’IBAN finit par {iban_end(page.iban)}" if page.iban else ""
    act = told.next_for_structure
    parts = (
        "Bonjour,",
        f"Votre règlement {page.reference} de {amount}{account} : {told.what[:1].lower()}{told.what[1:]}",
        told.when,
        f"Que faire : {act[:1].lower()}{act[1:]}" if act else "",
        "Une question ? Répondez à l’adresse écrite sous ce message, ou appelez-nous.",
        signed,
    )
    subject = f"votre règlement de {amount}, lot {page.batch_number}"
    return subject, "\n\n".join(part for part in parts if part)


def write_letter(database: Database, new: NewLetter, *, by: UUID, now: datetime, issuer_id: UUID | None = None) -> str:
    """Keep a letter, put it in the outbox, and return the address that it goes to; the same command again changes nothing.

    Raises Refused: an empty or too long text, the whole IBAN of the payment, a payment outside the scope, a structure without a usable address.
    """
    subject = required_text(new.subject, "subject", SUBJECT_CHARACTERS_MAX)
    body = required_lines(new.body, "body", BODY_LENGTH_MAX)
    with database.write() as session:
        found = session.execute(
            select(Structure.contact_email, Structure.name, Agreement.issuer_id, PaymentAdvice.iban)
            .join(PaymentAdvice, PaymentAdvice.structure_id == Structure.id)
            .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
            .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
            .where(PaymentAdvice.id == new.advice_id, in_scope(Agreement.issuer_id, issuer_id))
        ).one_or_none()
        if found is None:
            raise Refused("unknown_advice", "Ce règlement n’existe pas. Choisissez-le dans la liste.")
        if found.iban and found.iban in compact(f"{subject} {body}"):
            raise Refused(
                "whole_iban",
                f"Un courriel ne porte jamais un IBAN entier. N’en gardez que la fin : {iban_end(found.iban)}.",
                "body",
            )
        if not is_address(found.contact_email):
            raise Refused(
                "no_address",
                f"{found.name} n’a pas d’adresse électronique qui puisse servir. Rien n’est envoyé. Appelez-la, puis demandez au "
                "programme de corriger sa fiche.",
            )
        row = {"id": new.id, "advice_id": new.advice_id, "subject": subject, "body": body}
        also = {"recipient": found.contact_email, "written_at": now, "written_by": by}
        taken = Refused("letter_exists", "Ce message est déjà écrit. Voyez-le sur la page de la structure.")
        if insert_once(session, PaymentLetter, row, also, taken):
            letter = Letter(
                kind=LetterKind.PAYMENT_LETTER,
                about_id=new.id,
                issuer_id=found.issuer_id,
                recipient=found.contact_email,
                subject=subject,
                body=body,
                path=f"/comptoir/paiements/{new.advice_id}",
            )
            queue(session, [letter], now)
        return str(found.contact_email)
