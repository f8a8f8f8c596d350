"""Where an account stands: closed, open, or its invitation."""

from dataclasses import dataclass
from datetime import datetime

from voucher.access.factors.held import Factors
from voucher.access.read import Person
from voucher.access.read_changes import LinkState
from voucher.kernel.calendar import french_instant


@dataclass(frozen=True, slots=True)
class AccountState:
    """A word and the shape of its tag; for an invitation, what happened to it last and when."""

    word: str
    tag: str
    heading: str = ""
    at: datetime | None = None


def proofs_of(held: Factors) -> str:
    """Return in words what a person proves who they are with, beside a password."""
    passkeys = f"{held.passkey_count} clé{'s' if held.passkey_count > 1 else ''} d’accès"
    totp = f"application de codes depuis le {french_instant(held.totp_since)}" if held.totp_since else ""
    codes = f"{held.codes_left or 'aucun'} code{'s' if held.codes_left > 1 else ''} de secours"
    said = [passkeys if held.passkey_count else "", totp, codes if held.is_any else ""]
    return ", ".join(one for one in said if one) or "aucune"


def account_state(person: Person, link: LinkState | None, now: datetime) -> AccountState:
    """Return where an account stands; `link` is the newest that its person was sent, if any."""
    if person.closed_at:
        return AccountState("Fermé", "neutral")
    if person.has_way_in:
        return AccountState("Ouvert", "success")
    if link is None:
        return AccountState("Sans invitation", "warn")
    if link.sent_at is None:
        return AccountState("Invitation à envoyer", "wait", "demandée le", link.asked_at)
    if link.ends_at is None or link.ends_at <= now:
        return AccountState("Invitation expirée", "warn", "le", link.ends_at)
    return AccountState("Invitation envoyée", "wait", "le", link.sent_at)
