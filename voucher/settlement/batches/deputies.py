"""Nommer un remplaçant: an approver names who approves batches from one day to another; a third person, of the programme, accepts.

While it lasts the deputy approves batches, never one that they had a hand in, and prepares none (ADR 34). Staff are ids here:
who may name, accept or be named is asked by the pages, which know accounts and give the addresses to write to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, exists, func, or_, select, update
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_date, not_before, paris_day
from voucher.kernel.database import Database, changed, take_turn
from voucher.kernel.idempotency import insert_once
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import EventType
from voucher.ledger.model import Entry
from voucher.mail.letter_kinds import LetterKind
from voucher.mail.queue import Letter, queue
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.model.deputies import ApproverDeputy

DAYS_MAX = 183
"""How long one naming lasts at most: who stands in longer is named again, and accepted again."""

PATH = "/finances/remplacements"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to write to."""

    id: UUID
    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeputy:
    """What an approver says: who stands in, from which day to which, both included, for the issuer that the approver's role is held for."""

    id: UUID
    deputy_id: UUID
    from_on: date
    until_on: date
    issuer_id: UUID | None


def name_deputy(
    database: Database,
    new: NewDeputy,
    *,
    by: Person,
    deputy: Person,
    programme: Sequence[Person],
    now: datetime,
) -> None:
    """Name a deputy; it waits for a person of `programme`, who is told. The same command again changes nothing.

    Raises Refused: oneself, days that are past, out of order or too many, days on which one of the two has or is a deputy already.
    """
    if new.deputy_id == by.id:
        raise Refused("same_person", "Choisissez une autre personne que vous.", "deputy")
    if new.until_on < new.from_on:
        raise Refused("days_out_of_order", "Le dernier jour vient avant le premier. Corrigez-le.", "until_on")
    if (new.until_on - new.from_on).days >= DAYS_MAX:
        raise Refused(
            "too_long",
            f"Un remplacement dure {DAYS_MAX} jours au plus. Choisissez un dernier jour plus proche.",
            "until_on",
        )
    row = {
        "id": new.id,
        "issuer_id": new.issuer_id,
        "approver_id": by.id,
        "deputy_id": new.deputy_id,
        "from_on": new.from_on,
        "until_on": new.until_on,
    }
    with database.write() as session:
        take_turn(session, "deputies")
        if session.get(ApproverDeputy, new.id) is None:
            if new.from_on < paris_day(now):
                raise Refused("day_is_past", "Ce jour est passé. Choisissez aujourd’hui ou un jour à venir.", "from_on")
            _refuse_overlap(session, new, by.id)
        taken = Refused("already_named", "Ce remplacement existe déjà. Voyez-le dans la liste.")
        if not insert_once(session, ApproverDeputy, row, {"named_at": now}, taken):
            return
        days = _days(new.from_on, new.until_on)
        said = f"{by.name} vous demande de valider des lots de règlement à sa place {days}. Une personne du programme doit encore accepter."
        letters = [_letter(LetterKind.DEPUTY_NAMED, new.id, deputy, "remplacer une personne qui valide", said)]
        asked = f"{by.name} demande que {deputy.name} valide des lots de règlement à sa place {days}. Acceptez ou refusez sur cette page."
        letters += [
            _letter(LetterKind.DEPUTY_TO_ACCEPT, new_id(), one, "un remplacement attend votre accord", asked)
            for one in programme
        ]
        queue(session, letters, now)


def decide_deputy(
    database: Database,
    deputyship_id: UUID,
    *,
    is_accepted: bool,
    approver: Person,
    deputy: Person,
    by: UUID,
    now: datetime,
) -> None:
    """Accept or refuse a naming, as a third person; both are told. The same decision of the same person again changes nothing.

    Raises Refused: one is the approver or the deputy, it was decided or ended, its last day is past.
    """
    with database.write() as session:
        take_turn(session, "deputies")
        row = _row(session, deputyship_id)
        if by in (row.approver_id, row.deputy_id):
            raise Refused(
                "four_eyes",
                "Vous êtes l’une des deux personnes de ce remplacement. Une troisième, du programme, doit décider.",
            )
        if row.decided_by == by and row.is_accepted is is_accepted:
            return
        if row.decided_at is not None:
            raise Refused("already_decided", "Une autre personne a déjà décidé. Relisez la page.")
        if row.ended_at is not None:
            raise Refused("deputy_withdrawn", "Cette demande vient d’être retirée. Il n’y a rien à faire.")
        if is_accepted and row.until_on < paris_day(now):
            raise Refused(
                "days_are_past", "Les jours de ce remplacement sont passés. Refusez-le, puis demandez-en un autre."
            )
        decision = (
            update(ApproverDeputy)
            .where(
                ApproverDeputy.id == deputyship_id,
                ApproverDeputy.decided_at.is_(None),
                ApproverDeputy.ended_at.is_(None),
            )
            .values(is_accepted=is_accepted, decided_by=by, decided_at=not_before(now, row.named_at))
            .execution_options(synchronize_session=False)
        )
        assert changed(session, decision) == 1, "the turn orders who decides"
        what = "est accepté" if is_accepted else "est refusé : rien ne change"
        said = f"Le remplacement de {approver.name} par {deputy.name}, {_days(row.from_on, row.until_on)}, {what}."
        _tell(session, _DECIDED, deputyship_id, (approver, deputy), said, now)


def end_deputy(
    database: Database,
    deputyship_id: UUID,
    *,
    approver: Person,
    deputy: Person,
    by: UUID,
    now: datetime,
) -> None:
    """End a deputyship before its last day, or take back one that waits; both are told. Again, it changes nothing. Raises Refused."""
    with database.write() as session:
        take_turn(session, "deputies")
        row = _row(session, deputyship_id, lock=True)  # an approval that counts on it comes before, or is refused
        if row.ended_at is not None:
            return
        if row.is_accepted is False or row.until_on < paris_day(now):
            raise Refused("deputy_over", "Ce remplacement est déjà fini. Il n’y a rien à faire.")
        approved_at = session.scalar(
            select(func.max(SettlementBatch.approved_at)).where(SettlementBatch.approved_as_id == deputyship_id)
        )
        # Never dated before what it follows, whatever the clocks say.
        at = max(one for one in (now, row.named_at, row.decided_at, approved_at) if one is not None)
        session.execute(
            update(ApproverDeputy)
            .where(ApproverDeputy.id == deputyship_id, ApproverDeputy.ended_at.is_(None))
            .values(ended_by=by, ended_at=at)
            .execution_options(synchronize_session=False)
        )
        said = f"Le remplacement de {approver.name} par {deputy.name} a pris fin le {french_date(paris_day(now))}."
        _tell(session, _ENDED, deputyship_id, (approver, deputy), said, now)


def refuse_unless_deputy(
    session: Session, deputyship_id: UUID, batch_id: UUID, issuer_id: UUID, *, by: UUID, now: datetime
) -> datetime:
    """Return when the deputyship was accepted. Raises Refused unless `by` may approve this batch of this issuer by it at this moment.

    The row is held until the end of the transaction: whoever ends the deputyship comes before, and is seen, or after.
    """
    row = session.execute(
        select(*ApproverDeputy.__table__.columns)
        .where(ApproverDeputy.id == deputyship_id, ApproverDeputy.deputy_id == by)
        .with_for_update(read=True)
    ).one_or_none()
    today = paris_day(now)
    if row is None or not row.is_accepted or row.issuer_id not in (None, issuer_id):
        raise Refused(
            "not_deputy", "Vous ne remplacez pas la personne qui valide ce lot. Rien n’est validé. Prévenez-la."
        )
    if row.ended_at is not None:
        raise Refused(
            "deputy_ended",
            f"Votre remplacement a pris fin le {french_date(paris_day(row.ended_at))}. Rien n’est validé. Prévenez la personne qui valide.",
        )
    if not row.from_on <= today <= row.until_on:
        raise Refused(
            "deputy_out_of_days",
            f"Votre remplacement vaut {_days(row.from_on, row.until_on)}. Rien n’est validé. Prévenez la personne qui valide.",
        )
    set_aside = exists().where(
        Entry.event_type == EventType.ADVICE_SET_ASIDE,
        Entry.event_id == PaymentAdvice.id,
        Entry.posted_by == by,
        PaymentAdvice.batch_id == batch_id,
    )
    if session.scalar(select(set_aside)):
        raise Refused(
            "four_eyes",
            "Vous avez mis de côté un règlement de ce lot : vous l’avez préparé. Rien n’est validé. Une autre personne doit le valider.",
        )
    accepted_at: datetime = row.decided_at
    return accepted_at


def refuse_if_deputy(session: Session, *, by: UUID, now: datetime) -> None:
    """Raise Refused while `by` is a deputy: one who approves prepares nothing in those days."""
    until_on = session.scalar(
        select(ApproverDeputy.until_on).where(ApproverDeputy.deputy_id == by, lasts_on(paris_day(now)))
    )
    if until_on is not None:
        raise Refused(
            "deputy_prepares_nothing",
            f"Vous validez des lots à la place de quelqu’un jusqu’au {french_date(until_on)} : vous n’en préparez pas. Rien n’a changé. "
            "Une autre personne doit préparer ce lot.",
        )


def lasts_on(day: date) -> ColumnElement[bool]:
    """Say, of a row, that it was accepted, was not ended, and that this day is one of its days."""
    return (
        ApproverDeputy.is_accepted.is_(True)
        & ApproverDeputy.ended_at.is_(None)
        & (ApproverDeputy.from_on <= day)
        & (ApproverDeputy.until_on >= day)
    )


def tell_approver(
    session: Session, batch_id: UUID, batch_number: str, approver: Person, deputy_name: str, now: datetime
) -> None:
    """Tell an approver what their deputy approved."""
    said = f"{deputy_name} a validé le lot {batch_number} en remplacement de vous."
    subject, path = "un lot est validé à votre place", f"/finances/lots/{batch_id}"
    letter = _letter(LetterKind.DEPUTY_APPROVED, batch_id, approver, subject, said, path)
    queue(session, [letter], now)


def _refuse_overlap(session: Session, new: NewDeputy, approver_id: UUID) -> None:
    row = session.execute(
        select(ApproverDeputy.approver_id, ApproverDeputy.from_on, ApproverDeputy.until_on)
        .where(
            or_(ApproverDeputy.approver_id == approver_id, ApproverDeputy.deputy_id == new.deputy_id),
            ApproverDeputy.ended_at.is_(None),
            ApproverDeputy.is_accepted.is_not(False),
            ApproverDeputy.from_on <= new.until_on,
            ApproverDeputy.until_on >= new.from_on,
        )
        .order_by(ApproverDeputy.from_on)
        .limit(1)
    ).one_or_none()
    if row is None:
        return
    days = _days(row.from_on, row.until_on)
    who = "Quelqu’un vous remplace déjà" if row.approver_id == approver_id else "Cette personne remplace déjà quelqu’un"
    raise Refused("deputy_overlaps", f"{who} {days}. Mettez-y fin d’abord, ou choisissez d’autres jours.", "from_on")


def _row(session: Session, deputyship_id: UUID, *, lock: bool = False) -> Row[Any]:
    query = select(*ApproverDeputy.__table__.columns).where(ApproverDeputy.id == deputyship_id)
    row = session.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise Refused("unknown_deputy", "Ce remplacement n’existe pas. Choisissez-le dans la liste.")
    return row


_DECIDED = (LetterKind.DEPUTY_DECIDED, LetterKind.DEPUTY_DECIDED_TOO)
_ENDED = (LetterKind.DEPUTY_ENDED, LetterKind.DEPUTY_ENDED_TOO)


def _tell(
    session: Session,
    kinds: Sequence[LetterKind],
    deputyship_id: UUID,
    people: Sequence[Person],
    said: str,
    now: datetime,
) -> None:
    letters = [_letter(kind, deputyship_id, one, "remplacement", said) for kind, one in zip(kinds, people, strict=True)]
    queue(session, letters, now)


def _letter(kind: LetterKind, about_id: UUID, to: Person, subject: str, said: str, path: str = PATH) -> Letter:
    return Letter(
        kind=kind,
        about_id=about_id,
        issuer_id=None,
        recipient=to.email,
        subject=subject,
        body=f"Bonjour {to.name},\n\n{said}",
        path=path,
    )


def _days(from_on: date, until_on: date) -> str:
    return f"du {french_date(from_on)} au {french_date(until_on)}"
