"""What a reset does, once two people have decided it (`changes.ask_reset`): a lost phone opens nothing any more."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from voucher.access.audit import note
from voucher.access.browsers import forget_browsers
from voucher.access.factors.held import end_factors
from voucher.access.letters import write_to_person
from voucher.access.provider.identities import end_identity
from voucher.access.sessions import end_all
from voucher.kernel.calendar import french_instant

RESET = "la remise à zéro de sa deuxième preuve"
"""What is asked, as pages and the trail say it."""


def reset_factors(session: Session, account: Row[*tuple[Any, ...]], by: UUID | None, now: datetime) -> None:
    """End every factor, recovery code and session of a locked account, and ProConnect, whose word may count as two factors; tell
    its person. The password stays.
    """
    end_factors(session, account.id, now)
    end_identity(session, account.id, now)
    end_all(session, account.id)
    # The lost phone is a stranger's: its tries wait, and the person is told of it.
    forget_browsers(session, account.id)
    line_id = note(session, by, "factors_reset", account.email, now)
    write_to_person(
        session,
        email=account.email,
        name=account.name,
        about_id=line_id,
        subject="votre deuxième preuve est remise à zéro",
        sentence=(
            f"Votre deuxième preuve a été remise à zéro le {french_instant(now)}. Vos clés d’accès, votre application de codes et vos"
            " codes de secours n’ouvrent plus rien, ni ProConnect. Connectez-vous avec votre mot de passe, puis ajoutez votre nouveau téléphone."
        ),
        now=now,
    )
