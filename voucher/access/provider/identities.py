"""Which account an identity at the provider opens. A link that somebody of the programme sent makes one; an e-mail address never does."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.orm import Session

from voucher.access.audit import note
from voucher.access.factors.held import does_provider_open
from voucher.access.find import counts_among_two, locked_account, locked_open_account, take_turn_on_accounts
from voucher.access.letters import write_to_person
from voucher.access.links import LINK_ENDED, end_links, live_link, may_link_provider, serve_link
from voucher.access.model import ProviderIdentity, StaffAccount, StaffSession
from voucher.access.provider.rules import Identity
from voucher.access.rules import Door, LinkEnd
from voucher.access.sessions import Viewer, end_all
from voucher.kernel.calendar import french_instant
from voucher.kernel.database import Database, changed
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused

CHOOSE_PASSWORD = "Choisissez plutôt un mot de passe avec ce lien."  # noqa: S105 - a sentence


@dataclass(frozen=True, slots=True)
class Linked:
    """How a person comes in: since when with ProConnect, and whether with a password too."""

    linked_at: datetime | None
    has_password: bool


def account_of(session: Session, identity: Identity) -> Row[*tuple[Any, ...]] | None:
    """Return the open account (id, email) that an identity opens, locked, or None."""
    return session.execute(
        select(StaffAccount.id, StaffAccount.email)
        .join(ProviderIdentity, ProviderIdentity.account_id == StaffAccount.id)
        .where(*_is(identity), ProviderIdentity.ended_at.is_(None), StaffAccount.closed_at.is_(None))
        .with_for_update(of=StaffAccount)
    ).one_or_none()


def link_identity(session: Session, link_sha256: bytes, identity: Identity, now: datetime) -> None:
    """Use a one-time link to let an identity open its account. Raises Refused.

    One that was linked before is so no more; the account's sessions and other links end, as with a new password. The password stays:
    it is the way in on the day the provider is down.
    """
    take_turn_on_accounts(session)
    row = live_link(session, link_sha256, now)
    if row is None:
        raise Refused("link_ended", LINK_ENDED)
    locked_account(session, row.account_id)
    if not may_link_provider(session, row):
        raise Refused("not_with_this_link", f"Ce lien ne relie pas à ProConnect. {CHOOSE_PASSWORD}")
    holder = session.scalar(
        select(ProviderIdentity.account_id).where(*_is(identity), ProviderIdentity.ended_at.is_(None))
    )
    if holder is not None and holder != row.account_id:
        raise Refused(
            "identity_taken",
            f"Votre compte ProConnect ouvre déjà un autre compte ici : une personne n’en a qu’un. {CHOOSE_PASSWORD}",
        )
    serve_link(session, row.link_id, now)
    end_identity(session, row.account_id, now)
    session.execute(
        insert(ProviderIdentity).values(
            id=new_id(),
            account_id=row.account_id,
            issuer=identity.issuer,
            idp_id=identity.idp_id,
            subject=identity.subject,
            linked_at=now,
            link_id=row.link_id,
        )
    )
    end_all(session, row.account_id)
    end_links(session, row.account_id, LinkEnd.CANCELLED, now)
    line_id = note(session, row.account_id, "provider_linked", row.email, now)
    write_to_person(
        session,
        email=row.email,
        name=row.name,
        about_id=line_id,
        subject="ProConnect ouvre votre compte",
        sentence=f"Le {french_instant(now)}, un compte ProConnect a été relié au vôtre avec un lien. Il ouvre votre compte.",
        now=now,
    )


def unlink(database: Database, account_id: UUID, *, by: UUID, now: datetime) -> bool:
    """Let no identity open somebody's account any more, and end the sessions that one opened; return whether one did. Raises Refused.

    Nobody takes one away alone from who counts among two: it may be their second factor, whose reset takes two people.
    """
    with database.write() as session:
        account = locked_open_account(session, account_id)
        if counts_among_two(session, account_id):
            raise Refused(
                "takes_two",
                "ProConnect peut être la deuxième preuve de cette personne. Demandez sa remise à zéro, qu’une autre personne confirme.",
            )
        return _unlink(session, account, by, now)


def unlink_own(database: Database, who: Viewer, *, now: datetime) -> bool:
    """Do the same for one's own account. Raises Refused where it is the only way in, and from a session that a password alone opened:
    whoever reads the mailbox chooses one, and would add a factor in the identity's place.
    """
    with database.write() as session:
        account = locked_open_account(session, who.account_id)
        if account.password_hash is None:
            raise Refused(
                "only_way_in",
                "ProConnect est votre seul moyen d’entrer. Choisissez d’abord un mot de passe, avec « Mot de passe oublié ».",
            )
        if who.door is not Door.PROVIDER and not who.is_strong and does_provider_open(session, who.account_id):
            raise Refused(
                "come_by_provider",
                "Déconnectez-vous et entrez par ProConnect pour le retirer, ou demandez-le à la personne qui gère le programme. Rien n’a changé.",
            )
        return _unlink(session, account, who.account_id, now)


def _unlink(session: Session, account: Row[*tuple[Any, ...]], by: UUID, now: datetime) -> bool:
    if not end_identity(session, account.id, now):
        return False
    session.execute(
        delete(StaffSession).where(StaffSession.account_id == account.id, StaffSession.door == Door.PROVIDER)
    )
    line_id = note(session, by, "provider_unlinked", account.email, now)
    sentence = f"ProConnect n’ouvre plus votre compte depuis le {french_instant(now)}."
    write_to_person(
        session,
        email=account.email,
        name=account.name,
        about_id=line_id,
        subject="ProConnect n’ouvre plus votre compte",
        sentence=sentence,
        now=now,
    )
    return True


def end_identity(session: Session, account_id: UUID, now: datetime) -> bool:
    """End the identity that opens an account, where one does."""
    end = update(ProviderIdentity).where(ProviderIdentity.account_id == account_id, ProviderIdentity.ended_at.is_(None))
    return changed(session, end.values(ended_at=now)) > 0


def linked(database: Database, account_id: UUID) -> Linked:
    """Return how a person comes in."""
    with database.read() as session:
        row = session.execute(
            select(ProviderIdentity.linked_at, StaffAccount.password_hash.is_not(None).label("has_password"))
            .select_from(StaffAccount)
            .outerjoin(
                ProviderIdentity,
                (ProviderIdentity.account_id == StaffAccount.id) & ProviderIdentity.ended_at.is_(None),
            )
            .where(StaffAccount.id == account_id)
        ).one()
    return Linked(row.linked_at, row.has_password)


def _is(identity: Identity) -> tuple[Any, ...]:
    return (
        ProviderIdentity.issuer == identity.issuer,
        ProviderIdentity.idp_id == identity.idp_id,
        ProviderIdentity.subject == identity.subject,
    )
