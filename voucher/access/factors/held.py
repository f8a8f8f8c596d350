"""Which factors a person has."""

from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from voucher.access.model import Passkey, TotpDevice


def has_second_factor(session: Session, account_id: UUID) -> bool:
    """Say whether a person has a passkey or an application of codes: then a password alone opens nothing."""
    passkey = exists().where(Passkey.account_id == account_id, Passkey.removed_at.is_(None))
    totp = exists().where(TotpDevice.account_id == account_id, TotpDevice.removed_at.is_(None))
    return bool(session.scalar(select(or_(passkey, totp))))
