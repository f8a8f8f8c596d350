"""Finance may be held for one issuer: every query of settlement is limited by the issuer of the agreement.

A paying account may serve several issuers (a mandated operator's). It belongs to the scope of one issuer only when every
agreement that it pays is that issuer's; otherwise its statements are for those who hold the whole programme.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, true

from voucher.programme.model import Agreement, PayingAccount


def in_scope(column: Any, issuer_id: UUID | None) -> ColumnElement[bool]:
    """Return the condition that an issuer's column is the scope's; without a scope, the whole programme."""
    return true() if issuer_id is None else column == issuer_id


def account_in_scope(issuer_id: UUID | None) -> ColumnElement[bool]:
    """Return the condition that a paying account (joined by the caller) serves the scope's issuer alone."""
    if issuer_id is None:
        return true()
    pays = exists().where(Agreement.paying_account_id == PayingAccount.id)
    return pays.where(Agreement.issuer_id == issuer_id) & ~pays.where(Agreement.issuer_id != issuer_id)
