"""Which factors a person has, and how all of them end."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.orm import Session

from voucher.access.model import Passkey, ProviderIdentity, RecoveryCode, TotpDevice
from voucher.access.rules import Door
from voucher.kernel.database import Database, changed
from voucher.kernel.refusals import Refused

ALONE = " Votre mot de passe suffit maintenant pour entrer."
"""What a person is told who has removed the last one."""


@dataclass(frozen=True, slots=True)
class Factors:
    """What a person has beside a password: passkeys, an application of codes and since when, recovery codes that serve still."""

    passkey_count: int
    totp_since: datetime | None
    codes_left: int

    @property
    def is_any(self) -> bool:
        """Whether a password alone opens nothing."""
        return self.passkey_count > 0 or self.totp_since is not None


def live_passkey(account_id: UUID) -> ColumnElement[bool]:
    """Return the condition: a passkey of this person that serves."""
    return (Passkey.account_id == account_id) & Passkey.removed_at.is_(None)


def live_totp(account_id: UUID) -> ColumnElement[bool]:
    """Return the condition: this person's application of codes that serves."""
    return (TotpDevice.account_id == account_id) & TotpDevice.removed_at.is_(None)


def live_code(account_id: UUID) -> ColumnElement[bool]:
    """Return the condition: a recovery code of this person that serves."""
    return (RecoveryCode.account_id == account_id) & RecoveryCode.used_at.is_(None) & RecoveryCode.ended_at.is_(None)


def has_second_factor(session: Session, account_id: UUID) -> bool:
    """Say whether a person has a passkey or an application of codes: then a password alone opens nothing."""
    held = or_(exists().where(live_passkey(account_id)), exists().where(live_totp(account_id)))
    return bool(session.scalar(select(held)))


def who_have_factors(database: Database, account_ids: Collection[UUID]) -> set[UUID]:
    """Return those of these people whose password alone opens nothing."""
    passkeys = select(Passkey.account_id).where(Passkey.account_id.in_(account_ids), Passkey.removed_at.is_(None))
    totp = select(TotpDevice.account_id).where(TotpDevice.account_id.in_(account_ids), TotpDevice.removed_at.is_(None))
    with database.read() as session:
        return set(session.scalars(passkeys.union(totp)))


def does_provider_open(session: Session, account_id: UUID) -> bool:
    """Say whether an identity at a provider opens an account: its word may count as two factors."""
    identity = exists().where(ProviderIdentity.account_id == account_id, ProviderIdentity.ended_at.is_(None))
    return bool(session.scalar(select(identity)))


def factors_of(database: Database, account_id: UUID) -> Factors:
    """Return what a person has beside a password."""
    with database.read() as session:
        return Factors(
            session.scalar(select(func.count()).select_from(Passkey).where(live_passkey(account_id))) or 0,
            session.scalar(select(TotpDevice.created_at).where(live_totp(account_id))),
            session.scalar(select(func.count()).select_from(RecoveryCode).where(live_code(account_id))) or 0,
        )


def refuse_without_proof(session: Session, account_id: UUID, *, door: Door, is_strong: bool) -> None:
    """Raise Refused where a person has a factor that this session has not shown: a password alone changes no factor.

    Nor does it add the first one where a provider opens the account: whoever reads the mailbox chooses a password.
    """
    if is_strong:
        return
    if has_second_factor(session, account_id):
        raise Refused(
            "not_strong", "Déconnectez-vous, puis connectez-vous avec votre deuxième preuve. Rien n’a changé."
        )
    if door is not Door.PROVIDER and does_provider_open(session, account_id):
        raise Refused(
            "come_by_provider",
            "ProConnect ouvre votre compte : déconnectez-vous, entrez par lui, puis ajoutez votre deuxième preuve. Rien n’a changé.",
        )


def after_removal(session: Session, account_id: UUID, now: datetime, *, is_required: bool) -> bool:
    """Finish a removal, whose account is locked, and say whether a factor is left: without one, recovery codes serve no more.

    Raises Refused where it was the last factor of who must have one (`is_required`).
    """
    if has_second_factor(session, account_id):
        return True
    if is_required:
        raise Refused(
            "last_factor",
            "Votre rôle demande une deuxième preuve, et vous n’avez que celle-ci. Ajoutez-en d’abord une autre.",
        )
    session.execute(update(RecoveryCode).where(live_code(account_id)).values(ended_at=now))
    return False


def end_factors(session: Session, account_id: UUID, now: datetime) -> int:
    """End every factor of a person and every recovery code; return how many factors ended."""
    count = changed(session, update(Passkey).where(live_passkey(account_id)).values(removed_at=now))
    count += changed(session, update(TotpDevice).where(live_totp(account_id)).values(removed_at=now))
    session.execute(update(RecoveryCode).where(live_code(account_id)).values(ended_at=now))
    return count
