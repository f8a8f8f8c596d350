"""Écrire aux structures: tell each one that its money left, or that its bank sent it back and what to do.

Written into the outbox in the transaction of the fact. A structure without a usable address gets no e-mail: its own pages say
the same. An IBAN is never written whole.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, exists, select, union
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.database import Database
from voucher.kernel.money import format_euros
from voucher.kernel.number_labels import iban_end
from voucher.kernel.refusals import Refused
from voucher.mail.again import send_again
from voucher.mail.letter_kinds import LetterKind
from voucher.mail.model import OutboxMessage
from voucher.mail.queue import Letter, queue
from voucher.network.model import BankDetails, Structure
from voucher.programme.model import Agreement
from voucher.redemption.model import Period
from voucher.redemption.period import last_day
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.model.letters import PaymentLetter
from voucher.settlement.model.recoveries import Dispute
from voucher.settlement.payable.read_payment_facts import payment_facts
from voucher.settlement.words.causes import Holder
from voucher.settlement.words.payment_sentences import Said, said
from voucher.settlement.words.states import AdviceState

FAILED = {
    AdviceState.REJECTED: LetterKind.ADVICE_REJECTED,
    AdviceState.RETURNED: LetterKind.ADVICE_RETURNED,
}


def notify_sent(session: Session, batch_id: UUID, now: datetime) -> None:
    """Tell the structures of a batch that just left what it pays them, and when to expect it."""
    rows = session.execute(
        _advices()
        .add_columns(Period.opened_at, Period.ends_at, Period.closed_at)
        .outerjoin(Period, Period.id == SettlementBatch.period_id)
        .where(PaymentAdvice.batch_id == batch_id, PaymentAdvice.state == AdviceState.IN_FILE)
    ).all()
    facts = payment_facts(session, [row.id for row in rows], now)
    queue(session, [_sent_letter(row, said(facts[row.id]), now) for row in rows], now)


def notify_failed(session: Session, now: datetime) -> None:
    """Tell the structures whose transfer a bank rejected or returned, and that were not told yet, to look at their RIB."""
    for state, kind in FAILED.items():
        is_told = exists().where(OutboxMessage.about_id == PaymentAdvice.id, OutboxMessage.kind == kind)
        rows = session.execute(_advices().where(PaymentAdvice.state == state, ~is_told)).all()
        facts = payment_facts(session, [row.id for row in rows], now)
        queue(session, [_failed_letter(row, said(facts[row.id]), kind, now) for row in rows], now)


def facts_told_to(structure_id: UUID) -> Any:
    """Return the statement of the ids of all that a structure may be written about: payments, letters, disputes, RIBs."""
    return union(
        select(PaymentAdvice.id).where(PaymentAdvice.structure_id == structure_id),
        select(PaymentLetter.id)
        .join(PaymentAdvice, PaymentAdvice.id == PaymentLetter.advice_id)
        .where(PaymentAdvice.structure_id == structure_id),
        select(Dispute.id).where(Dispute.structure_id == structure_id),
        select(BankDetails.id).where(BankDetails.structure_id == structure_id),
    )


def send_again_to_structure(
    database: Database, message_id: UUID, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> None:
    """Send a message again that did not leave, to the address that the structure has now. Raises Refused."""
    with database.read() as session:
        about = select(OutboxMessage.about_id).where(OutboxMessage.id == message_id).scalar_subquery()
        told = union(
            select(PaymentAdvice.structure_id).where(PaymentAdvice.id == about),
            select(PaymentAdvice.structure_id)
            .join(PaymentLetter, PaymentLetter.advice_id == PaymentAdvice.id)
            .where(PaymentLetter.id == about),
            select(Dispute.structure_id).where(Dispute.id == about),
            select(BankDetails.structure_id).where(BankDetails.id == about),
        )
        recipient = session.scalar(select(Structure.contact_email).where(Structure.id.in_(told)))
    if recipient is None:
        raise Refused("unknown_message", "Ce message n’existe pas. Choisissez-le dans la liste.")
    send_again(database, message_id, recipient, by=by, now=now, issuer_id=issuer_id)


def _advices() -> Select[*tuple[Any, ...]]:
    return (
        select(
            PaymentAdvice.id,
            PaymentAdvice.reference,
            PaymentAdvice.amount_cents,
            PaymentAdvice.voucher_count,
            PaymentAdvice.iban,
            Structure.name.label("structure_name"),
            Structure.contact_email,
            SettlementBatch.number,
            Agreement.issuer_id,
        )
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Structure, Structure.id == PaymentAdvice.structure_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .where(Structure.contact_email != "")
        .order_by(PaymentAdvice.id)
    )


def _sent_letter(row: Row[*tuple[Any, ...]], told: Said, now: datetime) -> Letter:
    amount = format_euros(row.amount_cents)
    body = (
        "Bonjour,",
        f"{row.structure_name} : {amount}. {told.sentence}",
        "\n".join(
            (
                f"Pour quoi : {_vouchers(row.voucher_count)}, lot {row.number}{_period(row)}.",
                f"Sur quel compte : celui dont l’IBAN finit par {iban_end(row.iban)}.",
                f"Référence du règlement : {row.reference}.",
            )
        ),
        f"Cette situation est celle du {french_date(paris_day(now))}. Votre page dit où en est le règlement aujourd’hui.",
        "Ce compte n’est plus le vôtre ? Appelez-nous tout de suite.",
        "Le détail de ce règlement est sur cette page :",
    )
    return Letter(
        kind=LetterKind.ADVICE_SENT,
        about_id=row.id,
        issuer_id=row.issuer_id,
        recipient=row.contact_email,
        subject=f"{amount} : {told.short}, lot {row.number}",
        body="\n\n".join(body),
        path=f"/comptoir/paiements/{row.id}",
    )


def _failed_letter(row: Row[*tuple[Any, ...]], told: Said, kind: LetterKind, now: datetime) -> Letter:
    amount = format_euros(row.amount_cents)
    asks_rib = told.holder is Holder.STRUCTURE
    body = (
        "Bonjour,",
        f"{row.structure_name} : {amount}, sur le compte dont l’IBAN finit par {iban_end(row.iban)}. {told.sentence}",
        f"Que faire : {told.act[:1].lower()}{told.act[1:]}"
        if asks_rib
        else f"Que faire : rien pour le moment. {told.next_for_structure}",
        f"Référence du règlement : {row.reference}, lot {row.number}.",
        f"Cette situation est celle du {french_date(paris_day(now))}.",
        "Votre RIB est sur cette page :" if asks_rib else "Le suivi de ce règlement est sur cette page :",
    )
    return Letter(
        kind=kind,
        about_id=row.id,
        issuer_id=row.issuer_id,
        recipient=row.contact_email,
        subject=f"{'donnez un nouveau RIB, ' if asks_rib else ''}{amount} : {told.short}",
        body="\n\n".join(body),
        path="/comptoir/lieu/rib" if asks_rib else f"/comptoir/paiements/{row.id}",
    )


def _vouchers(count: int) -> str:
    return f"{count} chèque{'s' if count > 1 else ''}"


def _period(row: Row[*tuple[Any, ...]]) -> str:
    if row.opened_at is None:
        return ""
    first, last = paris_day(row.opened_at), last_day(row.opened_at, row.ends_at, row.closed_at)
    return (
        f", encaissés du {french_date(first)} au {french_date(last)}" if first < last else f", du {french_date(last)}"
    )
