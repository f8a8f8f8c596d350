"""A funder's accounts on an agreement, and their balances of this very transaction."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from voucher.kernel.database import take_turn
from voucher.kernel.money import sum_cents
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import AccountKey, Code
from voucher.ledger.model import Movement
from voucher.programme.funders import funder_ranks
from voucher.programme.model import Agreement, Funder

NOT_USED = (Code.COMMITTED, Code.ISSUED, Code.HANDED_OVER)
"""Where a funder's commitment stands until it is used."""


def account(code: Code, agreement_id: UUID, funder_id: UUID) -> AccountKey:
    """Return a funder's account on an agreement."""
    return AccountKey(code, funder_id=funder_id, agreement_id=agreement_id)


def balance_cents(session: Session, key: AccountKey) -> int:
    """Return an account's balance, debit less credit."""
    debit = session.scalar(select(func.sum(Movement.amount_cents)).where(Movement.debit_account_id == key.id))
    credit = session.scalar(select(func.sum(Movement.amount_cents)).where(Movement.credit_account_id == key.id))
    return sum_cents(debit) - sum_cents(credit)


def advance_ceiling_cents(not_used_cents: int, to_call_cents: int, advance_cents: int) -> int:
    """Return the most that a funder can be asked for in advance: its commitment, less what is used, less what it advances already.

    `advance_cents` is asked and not set against uses yet, received or not. It serves uses not called yet first: only what
    remains of it then takes from the commitment. A credit after claw-backs (`to_call_cents` below zero) serves as an advance does.
    """
    return max(not_used_cents - max(advance_cents - to_call_cents, 0), 0)


def take_funding_turn(session: Session, agreement_id: UUID, funder_id: UUID) -> None:
    """Let one transaction at a time change what a funder owes for an agreement."""
    take_turn(session, f"funding {agreement_id} {funder_id}")


def funder_of(session: Session, agreement_id: UUID, funder_id: UUID, issuer_id: UUID | None) -> tuple[Agreement, int]:
    """Return the agreement and the funder's rank in it. Raises Refused for one out of scope or that it never funded."""
    agreement = session.get(Agreement, agreement_id)
    if agreement is None or issuer_id not in (None, agreement.issuer_id):
        raise Refused("agreement_unknown", "Cette convention n’existe pas. Choisissez-la dans la liste.")
    rank = funder_ranks(session, agreement_id).get(funder_id)
    if rank is None:
        raise Refused("funder_unknown", "Ce financeur ne finance pas cette convention. Choisissez-le dans la liste.")
    return agreement, rank


def funder_name(session: Session, funder_id: UUID) -> str:
    """Return a funder's name."""
    return session.execute(select(Funder.name).where(Funder.id == funder_id)).scalar_one()
