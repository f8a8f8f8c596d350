"""The way to the provider and back: to sign in, to link an account with an invitation, to prove again who one is.

    url = begin(database, provider, journey, now=now)         the browser goes there
    arrival = come_back(database, provider, answer, …)        it is back: a session, the same way with a higher level, or a proof

What the browser brings back is believed in its turn: the step that it began (once, within minutes, in the same browser), the
provider's signed answer, the identity's account, the level that its roles ask. No transaction is open while the provider is asked.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from uuid import UUID

from sqlalchemy import exists, select

from voucher.access import steps
from voucher.access.audit import note, note_access
from voucher.access.factors.held import has_second_factor
from voucher.access.grants import holds_on
from voucher.access.links import live_link
from voucher.access.model import RoleGrant
from voucher.access.provider.client import Proof, Provider, Way
from voucher.access.provider.discovery import ProviderDown
from voucher.access.provider.identities import account_of, link_identity
from voucher.access.provider.rules import LEVEL_ROLES
from voucher.access.provider.tokens import LEEWAY, FalseAnswer
from voucher.access.rules import SESSION_DURATION, Door, SessionStage, StepPurpose
from voucher.access.sessions import Viewer, confirm_now, open_session
from voucher.access.tokens import token_hash
from voucher.access.visits import NOWHERE, Visit
from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused

SECRET_BYTES = 32
"""Of a nonce: 43 characters, where ProConnect asks for 32. OpenID Connect Core §15.5.2."""

VERIFIER_BYTES = 64
"""Of a PKCE verifier: 86 characters, of 43 to 128 (RFC 7636 §4.1)."""

DOWN = "ProConnect ne répond pas. Réessayez dans quelques minutes, ou connectez-vous avec votre adresse et votre mot de passe."
FALSE = (
    "La réponse de ProConnect n’a pas pu être vérifiée. Personne n’est connecté. Recommencez ; si cela se répète, prévenez la"
    " personne qui gère le programme."
)
STEP_ENDED = (
    "Cette connexion a été commencée il y a trop longtemps, a déjà servi, ou vient d’un autre navigateur. Recommencez."
)
CANCELLED = "Vous n’êtes pas allé au bout chez ProConnect. Recommencez, ou connectez-vous avec votre adresse et votre mot de passe."
NOT_LINKED = (
    "Votre compte ProConnect n’ouvre aucun compte ici. Demandez une invitation à la personne qui gère le programme, puis reliez-le"
    " avec le lien reçu. Une adresse électronique ne suffit pas."
)
LEVEL = (
    "Pour les finances, ProConnect doit vous reconnaître avec deux preuves (niveau eidas2 ou plus). Activez la double"
    " authentification chez votre fournisseur d’identité, ou connectez-vous avec votre mot de passe et votre second facteur."
)
SOMEBODY_ELSE = (
    "C’est le compte ProConnect de quelqu’un d’autre. Choisissez le vôtre chez ProConnect, puis recommencez."
)
NOT_AGAIN = "ProConnect ne dit pas que vous venez de prouver qui vous êtes. Recommencez, et identifiez-vous de nouveau chez lui."

_WAYS = (StepPurpose.PROVIDER_SIGN_IN, StepPurpose.PROVIDER_CONFIRMATION)
_DOWN_THERE = frozenset({"server_error", "temporarily_unavailable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """Why a browser goes to the provider. `browser` is a secret of the browser alone, which it must bring back."""

    redirect_uri: str
    browser: str
    wanted: str = ""  # the page to show then
    link_token: str = ""  # of the one-time link that links
    viewer: Viewer | None = None  # who proves again who they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What an installation asks of its provider."""

    levels: tuple[str, ...]  # those that finance must show, and that count as two factors
    takes_max_age: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the browser brings back."""

    state: str
    code: str
    issuer: str | None
    error: str
    browser: str
    viewer: Viewer | None  # who is signed in there


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Where the way back leads: a session was opened (`token`), or the browser goes there again (`url`), or the person is confirmed."""

    token: str = ""
    url: str = ""
    wanted: str = ""


def begin(database: Database, provider: Provider, journey: Journey, rules: Rules, *, now: datetime) -> str:
    """Remember a way to the provider and return its first address. Raises Refused where the provider does not answer."""
    content = {
        "redirect_uri": journey.redirect_uri,
        "browser": token_hash(journey.browser).hex(),
        "wanted": journey.wanted,
        "link": token_hash(journey.link_token).hex() if journey.link_token else "",
        "session": journey.viewer.token_sha256.hex() if journey.viewer else "",
    }
    account_id = journey.viewer.account_id if journey.viewer else None
    return _go(database, provider, rules, content, account_id=account_id, levels=(), now=now)


def come_back(
    database: Database, provider: Provider, answer: Answer, rules: Rules, *, now: datetime, visit: Visit = NOWHERE
) -> Arrival:
    """End a way to the provider. Raises Refused; what the provider said falsely leaves a line in the trail."""
    step = _ended(database, answer, now)
    content = dict(step.content)
    asked = tuple(content["levels"].split())
    try:
        provider.check_issuer(answer.issuer)
        if answer.error:
            raise _there(answer.error, asked)
        way = Way(redirect_uri=content["redirect_uri"], nonce=content["nonce"], verifier=content["verifier"])
        proof = provider.proof(answer.code, way, begun_at=datetime.fromisoformat(content["begun_at"]), now=now)
    except ProviderDown as down:
        raise Refused("provider_down", DOWN) from down
    except FalseAnswer as false:
        note_access(database, step.account_id, "provider_refused", false.check, now)
        raise Refused("provider_false", FALSE) from false
    if proof.level not in rules.levels and _asks_level(database, proof, step, now):
        if asked:
            raise Refused("provider_level", LEVEL)
        url = _go(database, provider, rules, content, account_id=step.account_id, levels=rules.levels, now=now)
        return Arrival(url=url)
    if content["session"]:
        _confirm(database, proof, step, answer.viewer, now)
        return Arrival(wanted=content["wanted"])
    token = _open(database, proof, bytes.fromhex(content["link"]), proof.level in rules.levels, now, visit)
    return Arrival(token=token, wanted=content["wanted"])


def _go(
    database: Database,
    provider: Provider,
    rules: Rules,
    content: dict[str, str],
    *,
    account_id: UUID | None,
    levels: tuple[str, ...],
    now: datetime,
) -> str:
    content = content | {
        "nonce": secrets.token_urlsafe(SECRET_BYTES),
        "verifier": secrets.token_urlsafe(VERIFIER_BYTES),
        "levels": " ".join(levels),
        "begun_at": now.isoformat(),
    }
    again: dict[str, str] = {}
    if content["session"]:
        again = {"prompt": "login"} | ({"max_age": "0"} if rules.takes_max_age else {})
    way = Way(redirect_uri=content["redirect_uri"], nonce=content["nonce"], verifier=content["verifier"])
    purpose = StepPurpose.PROVIDER_CONFIRMATION if content["session"] else StepPurpose.PROVIDER_SIGN_IN
    try:
        provider.reach()  # before the step is written: nobody holds the writer's turn while it is asked
        with database.write() as session:
            state = steps.begin(session, purpose, account_id, content, now)
        return provider.way_there(way, state, levels=levels, again=again)
    except ProviderDown as down:
        raise Refused("provider_down", DOWN) from down


def _ended(database: Database, answer: Answer, now: datetime) -> steps.Step:
    """End the step that this browser began. Raises Refused for any other."""
    with database.write() as session:
        ways = (steps.end(session, purpose, answer.state, now) for purpose in _WAYS)
        step = next((found for found in ways if found is not None), None)
    if step is None or not compare_digest(token_hash(answer.browser).hex(), step.content["browser"]):
        raise Refused("step_ended", STEP_ENDED)
    return step


def _there(error: str, asked: tuple[str, ...]) -> Refused:
    """Return what is said of an error that the provider sends the browser back with (OpenID Connect Core §3.1.2.6)."""
    if error in _DOWN_THERE:
        return Refused("provider_down", DOWN)
    if asked:
        return Refused("provider_level", LEVEL)
    return Refused("provider_cancelled", CANCELLED)


def _asks_level(database: Database, proof: Proof, step: steps.Step, now: datetime) -> bool:
    """Say whether the account that a proof is for holds a role that asks a level: it hears nothing of accounts it does not open."""
    link_sha256 = bytes.fromhex(step.content["link"])
    with database.write() as session:
        if link_sha256:
            link = live_link(session, link_sha256, now)
            account_id = link.account_id if link else None
        else:
            account = account_of(session, proof.identity)
            account_id = account.id if account else None
        held = exists().where(
            RoleGrant.account_id == account_id,
            RoleGrant.role.in_(sorted(LEVEL_ROLES)),
            holds_on(paris_day(now)),
        )
        return account_id is not None and bool(session.scalar(select(held)))


def _open(database: Database, proof: Proof, link_sha256: bytes, is_strong: bool, now: datetime, visit: Visit) -> str:
    with database.write() as session:
        if link_sha256:
            link_identity(session, link_sha256, proof.identity, now)
        account = account_of(session, proof.identity)
        if account is None:
            raise Refused("not_linked", NOT_LINKED)
        waits = not is_strong and has_second_factor(session, account.id)
        note(session, account.id, "provider_shown" if waits else "signed_in", f"{account.email}, par ProConnect", now)
        return open_session(
            session,
            account.id,
            now=now,
            door=Door.PROVIDER,
            is_strong=is_strong,
            stage=SessionStage.WAITING if waits else SessionStage.OPEN,
            visit=visit,
            provider_hint=proof.id_token,
            # Whoever sits at a screen left open goes there and back without a word: only the hour of the proof there is one here.
            confirmed_at=min(proof.proved_at or now - SESSION_DURATION, now),
        )


def _confirm(database: Database, proof: Proof, step: steps.Step, who: Viewer | None, now: datetime) -> None:
    """Note that whoever is signed in has proved it again. Raises Refused where it is somebody else, or was proved earlier."""
    begun_at = datetime.fromisoformat(step.content["begun_at"])
    if proof.proved_at is None or not begun_at - LEEWAY <= proof.proved_at <= now + LEEWAY:
        raise Refused("not_again", NOT_AGAIN)
    if who is None or who.token_sha256.hex() != step.content["session"]:
        raise Refused("step_ended", STEP_ENDED)
    with database.write() as session:
        account = account_of(session, proof.identity)
        if account is None or account.id != who.account_id:
            raise Refused("somebody_else", SOMEBODY_ELSE)
        confirm_now(session, who, "par ProConnect", now)
