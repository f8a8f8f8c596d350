"""Codes of six digits that an application shows for thirty seconds (RFC 6238): added, tried, removed.

The secret is made here, shown once to its person, and sealed with the master secret. A code serves once: its step is stored by one
conditional statement, so that of the same code sent twice at once, one is right.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pyotp import TOTP, random_base32
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from voucher.access import steps
from voucher.access.audit import note
from voucher.access.factors.held import ALONE, after_removal, live_totp, refuse_without_proof
from voucher.access.factors.tries import begin_code, note_wrong_code
from voucher.access.find import locked_account, locked_open_account
from voucher.access.letters import write_to_person
from voucher.access.model import TotpDevice
from voucher.access.rules import StepPurpose
from voucher.access.sessions import NOWHERE, WAITING_OVER, Viewer, Visit, open_waiting, renew_session
from voucher.access.tries import Guess, was_right
from voucher.kernel.calendar import french_instant
from voucher.kernel.characters import compact
from voucher.kernel.database import Database, changed
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.kernel.sealed_secret import SealBroken, open_secret, seal_secret

SIX_DIGITS = "code à six chiffres"
DIGITS = 6
STEP_SECONDS = 30
REACH = 1
"""How many steps a telephone's clock may be early or late (RFC 6238, 5.2: one)."""

CLOCK_REACH = 26 * 3600 // STEP_SECONDS
"""How far a code is looked for when an application is added, to tell a clock that is wrong: a day and some hours."""

_DOMAIN = b"pass-numerique/totp/1\0"
_NOT_SIX = "Écrivez les six chiffres que montre votre application."
SLOW_SECONDS = 5 * 60
"""Up to how far a code may be one that was typed slowly: no clock is blamed for it."""

_CLOCK = "réglez votre téléphone sur l’heure automatique"
_NOT_NOW = f"Ce code ne va pas. Écrivez celui que l’application montre maintenant. S’il ne va pas non plus, {_CLOCK}."


@dataclass(frozen=True, slots=True)
class NewTotp:
    """What an application is given: the secret in Base32, and the address that a QR code holds; `token` ends what was begun."""

    token: str
    secret: str
    uri: str


def begin_totp(
    database: Database, viewer: Viewer, *, programme_name: str, master_secret: bytes, now: datetime
) -> NewTotp:
    """Make a secret for a person who is signed in. Nothing serves before `confirm_totp` has seen a code of it."""
    secret = random_base32()
    sealed = seal_secret(secret.encode(), context=_context(viewer.account_id), master_secret=master_secret)
    with database.write() as session:
        token = steps.begin(session, StepPurpose.TOTP_REGISTRATION, viewer.account_id, {"sealed": sealed.hex()}, now)
    return _new(token, secret, viewer, programme_name)


def begun_totp(
    database: Database, viewer: Viewer, token: str, *, programme_name: str, master_secret: bytes, now: datetime
) -> NewTotp | None:
    """Return what this person has begun, to show it again; None where it is over."""
    with database.read() as session:
        step = steps.look(session, StepPurpose.TOTP_REGISTRATION, token, now)
    if step is None or step.account_id != viewer.account_id:
        return None
    sealed = bytes.fromhex(step.content["sealed"])
    return _new(token, _opened(sealed, viewer.account_id, master_secret), viewer, programme_name)


def confirm_totp(
    database: Database,
    viewer: Viewer,
    token: str,
    typed: str,
    *,
    master_secret: bytes,
    now: datetime,
    visit: Visit = NOWHERE,
) -> str:
    """Add the application whose code was typed, in place of the one before, and return the token of the session that goes on.

    Every session of the person ends, but the one that begins here, with two factors. Raises Refused: what was begun is over, or
    the code is wrong; where it is that of another hour, the sentence tells by how much the telephone's clock is wrong.
    """
    code = _read(typed)
    with database.write() as session:
        step = steps.look(session, StepPurpose.TOTP_REGISTRATION, token, now)
        if step is None or step.account_id != viewer.account_id:
            raise Refused(
                "step_over", "Dix minutes ont passé. Scannez le nouveau dessin, puis écrivez son code.", "code"
            )
        sealed = bytes.fromhex(step.content["sealed"])
        secret = _opened(sealed, viewer.account_id, master_secret)
        found = _step(secret, code, now, REACH)
        if found is None:
            raise Refused("wrong_code", _wrong_first_code(secret, code, now), "code")
        if steps.end(session, StepPurpose.TOTP_REGISTRATION, token, now) is None:
            raise Refused("step_over", "Cette application vient d’être ajoutée. Relisez la page.", "code")
        account = locked_open_account(session, viewer.account_id)
        refuse_without_proof(session, account.id, door=viewer.door, is_strong=viewer.is_strong)
        replaced = changed(session, update(TotpDevice).where(live_totp(account.id)).values(removed_at=now))
        session.execute(
            insert(TotpDevice).values(
                id=new_id(), account_id=account.id, sealed_secret=sealed, last_step=found, created_at=now
            )
        )
        line_id = note(session, account.id, "totp_added", "à la place d’une autre" if replaced else "", now)
        write_to_person(
            session,
            email=account.email,
            name=account.name,
            about_id=line_id,
            subject="une application de codes est ajoutée",
            sentence=(
                f"Une application de codes a été ajoutée à votre compte le {french_instant(now)}."
                f"{' Elle remplace celle d’avant.' if replaced else ''} Vos autres connexions sont fermées."
            ),
            now=now,
        )
        return renew_session(session, viewer, now=now, visit=visit, is_strong=True)


def remove_totp(database: Database, viewer: Viewer, *, is_required: bool, now: datetime, visit: Visit = NOWHERE) -> str:
    """Remove a person's application of codes; the other sessions end. Return the token of the session that goes on.

    Raises Refused where there is none, and where it is the last factor of who must have one (`is_required`).
    """
    with database.write() as session:
        account = locked_open_account(session, viewer.account_id)
        refuse_without_proof(session, account.id, door=viewer.door, is_strong=viewer.is_strong)
        if changed(session, update(TotpDevice).where(live_totp(account.id)).values(removed_at=now)) == 0:
            raise Refused("no_totp", "Votre compte n’a plus d’application de codes. Relisez la page.")
        is_held = after_removal(session, account.id, now, is_required=is_required)
        line_id = note(session, account.id, "totp_removed", "", now)
        write_to_person(
            session,
            email=account.email,
            name=account.name,
            about_id=line_id,
            subject="une application de codes est retirée",
            sentence=(
                f"Vous avez retiré votre application de codes le {french_instant(now)}. Vos autres connexions sont fermées."
                f"{'' if is_held else ALONE}"
            ),
            now=now,
        )
        return renew_session(session, viewer, now=now, visit=visit, is_strong=is_held)


def show_totp(
    database: Database,
    account_id: UUID,
    token: str,
    typed: str,
    *,
    master_secret: bytes,
    now: datetime,
    visit: Visit = NOWHERE,
) -> str:
    """Open the session that waits (`token`, of `account_id`) with a code of six digits; return the token of the open one.

    Raises Refused, and then the session still waits: TooManyTries, a wrong code, or one that has served.
    """
    code = _read(typed)
    one = begin_code(database, Guess.CODE, account_id, visit, now)
    with database.write() as session:
        locked_account(session, account_id)  # first, as in every act on factors: no two wait for each other
        device = session.execute(
            select(TotpDevice.id, TotpDevice.sealed_secret).where(live_totp(account_id))
        ).one_or_none()
        found = None
        if device is not None:
            found = _step(_opened(device.sealed_secret, account_id, master_secret), code, now, REACH)
        is_new = device is not None and found is not None and _take_step(session, device.id, found)
        opened = open_waiting(session, token, SIX_DIGITS, now=now, visit=visit) if is_new else None
        if opened is not None:
            was_right(session, one)
    if opened is not None:
        return opened
    if is_new:
        raise Refused("waiting_over", WAITING_OVER)
    note_wrong_code(database, account_id, SIX_DIGITS, now)
    if found is not None:
        raise Refused("code_served", "Ce code a déjà servi. Attendez que l’application en montre un autre.", "code")
    raise Refused("wrong_code", _NOT_NOW, "code")


def _take_step(session: Session, device_id: UUID, step: int) -> bool:
    """Store the step of a right code; False where it, or a later one, has served."""
    device = update(TotpDevice).where(TotpDevice.id == device_id, TotpDevice.removed_at.is_(None))
    return changed(session, device.where(TotpDevice.last_step < step).values(last_step=step)) == 1


def _step(secret: str, code: str, now: datetime, reach: int) -> int | None:
    """Return the step whose code this is, the nearest to now within `reach` steps, or None."""
    totp, here = TOTP(secret, digits=DIGITS, interval=STEP_SECONDS), int(now.timestamp()) // STEP_SECONDS
    near = sorted(range(here - reach, here + reach + 1), key=lambda step: abs(step - here))
    matching = [step for step in near if hmac.compare_digest(totp.generate_otp(step), code)]
    return matching[0] if matching else None


def _wrong_first_code(secret: str, code: str, now: datetime) -> str:
    elsewhere = _step(secret, code, now, CLOCK_REACH)
    if elsewhere is None:
        return (
            "Ce code ne va pas. Vérifiez que l’application montre bien celui de ce compte, puis écrivez-le de nouveau."
        )
    seconds = (elsewhere - int(now.timestamp()) // STEP_SECONDS) * STEP_SECONDS
    if abs(seconds) < SLOW_SECONDS:
        return _NOT_NOW
    hours, minutes = divmod(abs(seconds) // 60, 60)
    how_much = f"{hours} h {minutes:02d}" if hours else f"{minutes} min"
    way = "avance" if seconds > 0 else "retarde"
    return f"Votre téléphone {way} de {how_much}. {_CLOCK.capitalize()}, puis écrivez le code qu’il montre."


def _read(typed: str) -> str:
    code = compact(typed)
    if len(code) != DIGITS or not (code.isascii() and code.isdigit()):
        raise Refused("not_a_code", _NOT_SIX, "code")
    return code


def _new(token: str, secret: str, viewer: Viewer, programme_name: str) -> NewTotp:
    named = TOTP(secret, digits=DIGITS, interval=STEP_SECONDS, name=viewer.email, issuer=programme_name)
    return NewTotp(token, secret, named.provisioning_uri())


def _context(account_id: UUID) -> bytes:
    return _DOMAIN + account_id.bytes


def _opened(sealed: bytes, account_id: UUID, master_secret: bytes) -> str:
    try:
        return open_secret(sealed, context=_context(account_id), master_secret=master_secret).decode()
    except SealBroken:
        # The master secret is another one: whoever runs the host knows, the person is let in by another way.
        raise Refused(
            "factor_unreadable",
            "Votre application de codes ne peut plus servir ici. Prenez un code de secours.",
            "code",
        ) from None
