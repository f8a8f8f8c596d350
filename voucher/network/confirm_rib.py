"""Confirmer un RIB: another person than who recorded it says that it is the structure's; payments use it from then on (ADR 22)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_instant, not_before
from voucher.kernel.database import Database, changed
from voucher.kernel.number_labels import iban_end
from voucher.kernel.refusals import Refused
from voucher.mail.letter_kinds import LetterKind
from voucher.mail.queue import Letter, queue
from voucher.network.model import BankDetails, Structure


def confirm_bank_details(database: Database, details_id: UUID, *, by: UUID, now: datetime) -> None:
    """Put a RIB that waits in use, in place of the one before, and tell the structure; the same person again changes nothing.

    Raises Refused: to who recorded it, when another confirmed it, and when another RIB took its place meanwhile.
    """
    with database.write() as session:
        row = _held(session, details_id)
        if row.confirmed_at is not None and row.confirmed_by == by:
            return
        _refuse_unless_waiting(row)
        if row.recorded_by == by:
            raise Refused(
                "four_eyes",
                "Vous avez enregistré ce RIB. Une autre personne, du programme ou des finances, doit le confirmer.",
            )
        before = (
            update(BankDetails)
            .where(BankDetails.structure_id == row.structure_id, BankDetails.is_in_use())
            .values(ended_at=now)
            .execution_options(synchronize_session=False)
        )
        session.execute(before)
        confirmed = (
            update(BankDetails)
            .where(BankDetails.id == details_id, BankDetails.is_waiting(), BankDetails.recorded_by != by)
            # A step is never dated before the one it follows, whatever the clocks say.
            .values(confirmed_by=by, confirmed_at=not_before(now, row.recorded_at))
            .execution_options(synchronize_session=False)
        )
        assert changed(session, confirmed) == 1, "the structure's row orders who changes its bank details"
        said = (
            f"Le RIB qui finit par {iban_end(row.iban)} a été confirmé le {french_instant(now)}.",
            "Vos prochains règlements iront sur ce compte. Ce n’est pas le vôtre ? Appelez-nous tout de suite.",
        )
        queue(session, [_letter(LetterKind.RIB_CONFIRMED, row, "Votre RIB est confirmé", said)], now)


def dismiss_bank_details(database: Database, details_id: UUID, *, by: UUID, now: datetime) -> None:  # noqa: ARG001 - a use case says who acts
    """End a RIB that waits, which is then never used, and tell the structure; dismissed before, it changes nothing. Raises Refused."""
    with database.write() as session:
        row = _held(session, details_id)
        if row.ended_at is not None and row.confirmed_at is None:
            return
        _refuse_unless_waiting(row)
        session.execute(
            update(BankDetails)
            .where(BankDetails.id == details_id, BankDetails.is_waiting())
            .values(ended_at=now)
            .execution_options(synchronize_session=False)
        )
        said = (
            f"Le RIB qui finit par {iban_end(row.iban)} n’a pas été confirmé : il ne servira pas.",
            "Appelez-nous, ou enregistrez le bon RIB sur cette page.",
        )
        queue(session, [_letter(LetterKind.RIB_DISMISSED, row, "Votre RIB n’est pas confirmé", said)], now)


def _held(session: Session, details_id: UUID) -> Row[*tuple[Any, ...]]:
    """Return a RIB with its structure's address, the structure's row held: it orders those who change its bank details."""
    structure_id = select(BankDetails.structure_id).where(BankDetails.id == details_id).scalar_subquery()
    held = session.execute(
        select(Structure.id, Structure.contact_email).where(Structure.id == structure_id).with_for_update()
    ).one_or_none()
    if held is None:
        raise Refused("unknown_details", "Ce RIB n’existe pas. Choisissez-le dans la liste.")
    return session.execute(
        select(
            BankDetails.id,
            BankDetails.structure_id,
            BankDetails.iban,
            BankDetails.recorded_by,
            BankDetails.recorded_at,
            BankDetails.ended_at,
            BankDetails.confirmed_by,
            BankDetails.confirmed_at,
            Structure.contact_email,
        )
        .join(Structure, Structure.id == BankDetails.structure_id)
        .where(BankDetails.id == details_id)
    ).one()


def _refuse_unless_waiting(row: Row[*tuple[Any, ...]]) -> None:
    if row.confirmed_at is not None:
        raise Refused(
            "already_confirmed",
            f"Une autre personne a confirmé ce RIB le {french_instant(row.confirmed_at)}. Il n’y a rien à faire.",
        )
    if row.ended_at is not None:
        raise Refused("details_ended", "Ce RIB n’attend plus : il a été écarté ou remplacé. Revenez à la liste.")


def _letter(kind: LetterKind, row: Row[*tuple[Any, ...]], subject: str, said: tuple[str, ...]) -> Letter:
    body = "\n\n".join(("Bonjour,", *said, "Vos RIB sont sur cette page :"))
    return Letter(
        kind=kind,
        about_id=row.id,
        issuer_id=None,
        recipient=row.contact_email,
        subject=subject,
        body=body,
        path="/comptoir/lieu/rib",
    )
