"""Steps: what a browser begins and ends once, within minutes (a passkey's challenge, the way to a provider and back).

token = begin(session, StepPurpose.PASSKEY_SIGN_IN, None, {"challenge": …}, now)
step = end(session, StepPurpose.PASSKEY_SIGN_IN, token, now)      None: unknown, ended already, too late, or of another purpose
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from voucher.access.model import SignInStep
from voucher.access.rules import STEP_DURATION, StepPurpose
from voucher.access.tokens import new_token, token_hash


@dataclass(frozen=True, slots=True)
class Step:
    """What was remembered when it began."""

    account_id: UUID | None
    content: Mapping[str, str]


def begin(
    session: Session, purpose: StepPurpose, account_id: UUID | None, content: Mapping[str, str], now: datetime
) -> str:
    """Remember a step inside the caller's transaction and return its token.

    Those that are over are forgotten, but those that another transaction is forgetting.
    """
    token = new_token()
    over = select(SignInStep.token_sha256).where(SignInStep.ends_at <= now).with_for_update(skip_locked=True)
    session.execute(delete(SignInStep).where(SignInStep.token_sha256.in_(over)))
    session.execute(
        insert(SignInStep).values(
            token_sha256=token_hash(token),
            purpose=purpose,
            account_id=account_id,
            content=json.dumps(dict(content)),
            made_at=now,
            ends_at=now + STEP_DURATION,
        )
    )
    return token


def look(session: Session, purpose: StepPurpose, token: str, now: datetime) -> Step | None:
    """Return a step that goes on, without ending it."""
    row = session.execute(
        select(SignInStep.account_id, SignInStep.content).where(
            SignInStep.token_sha256 == token_hash(token), SignInStep.purpose == purpose, SignInStep.ends_at > now
        )
    ).one_or_none()
    return None if row is None else Step(row.account_id, json.loads(row.content))


def end(session: Session, purpose: StepPurpose, token: str, now: datetime) -> Step | None:
    """End a step and return it: of many at once, one gets it."""
    row = session.execute(
        delete(SignInStep)
        .where(SignInStep.token_sha256 == token_hash(token), SignInStep.purpose == purpose, SignInStep.ends_at > now)
        .returning(SignInStep.account_id, SignInStep.content)
    ).one_or_none()
    return None if row is None else Step(row.account_id, json.loads(row.content))
