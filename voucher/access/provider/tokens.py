"""Read what an identity provider signed, and believe it only where everything fits (OpenID Connect Core 1.0 §3.1.3.7, §5.3.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidClaimError, InvalidKeyIdError, JoseError, MissingClaimError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

ALGORITHMS = ("RS256", "ES256")
"""What a token may be signed with: the provider's own key. Never « none », never HS256, which whoever knows our secret can make."""

LEEWAY = timedelta(seconds=60)
"""How far the provider's clock and ours may be apart."""

SUBJECT_LENGTH_MAX = 300
IDP_LENGTH_MAX = 100


class FalseAnswer(Exception):
    """What came in the provider's name is not to be believed; `check` is the name of what did not fit."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


class UnknownKey(FalseAnswer):
    """A token is signed by a key that is not among those known: they may have changed."""

    def __init__(self) -> None:
        super().__init__("kid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an answer must fit: who says it, to whom, of which way there and back, and when."""

    issuer: str
    client_id: str
    nonce: str
    begun_at: datetime
    now: datetime


def read_id_token(text: str, keys: KeySet, access_token: str, expected: Expected) -> Mapping[str, Any]:
    """Return the claims of an ID token. Raises FalseAnswer (UnknownKey where its key is not among `keys`)."""
    token = _decoded(text, keys)
    claims = CodeIDToken(
        token.claims,
        token.header,
        {"iss": _exactly(expected.issuer), "aud": _exactly(expected.client_id)},
        {"nonce": expected.nonce, "client_id": expected.client_id, "access_token": access_token},
    )
    _validate(lambda now, leeway: claims.validate(now=now, leeway=leeway), expected)
    _refuse_other_readers(token.claims, expected)
    if token.claims["iat"] < (expected.begun_at - LEEWAY).timestamp():
        raise FalseAnswer("iat")
    _text(token.claims, "sub", SUBJECT_LENGTH_MAX)
    return token.claims


def read_userinfo(text: str, keys: KeySet, subject: str, expected: Expected) -> Mapping[str, Any]:
    """Return the claims of a signed userinfo, of the same person as the ID token's. Raises FalseAnswer."""
    token = _decoded(text, keys)
    options = {"iss": expected.issuer, "aud": expected.client_id, "sub": subject}

    def validate(now: int, leeway: int) -> None:
        registry = JWTClaimsRegistry(now, leeway, **{name: _exactly(value) for name, value in options.items()})
        registry.validate(token.claims)

    _validate(validate, expected, "userinfo ")
    _refuse_other_readers(token.claims, expected)
    if "idp_id" in token.claims:
        _text(token.claims, "idp_id", IDP_LENGTH_MAX)
    return token.claims


def proved_at(claims: Mapping[str, Any]) -> datetime | None:
    """Return when the person last proved there who they are (`auth_time`), where an ID token says it."""
    seconds = claims.get("auth_time")
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise FalseAnswer("auth_time") from None


def _decoded(text: str, keys: KeySet) -> jwt.Token:
    try:
        return jwt.decode(text, keys, registry=JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False))
    except InvalidKeyIdError:
        raise UnknownKey from None
    except JoseError as error:
        raise FalseAnswer(error.error) from error
    except (LookupError, TypeError, ValueError) as error:
        raise FalseAnswer("jwt") from error


def _validate(validate: Any, expected: Expected, whose: str = "") -> None:
    try:
        validate(int(expected.now.timestamp()), int(LEEWAY.total_seconds()))
    except (InvalidClaimError, MissingClaimError) as error:
        raise FalseAnswer(whose + (error.claim or error.error)) from error
    except JoseError as error:
        raise FalseAnswer(whose + error.error) from error
    except (TypeError, ValueError, AttributeError) as error:  # a claim of a kind that nobody expects
        raise FalseAnswer(f"{whose}claims") from error


def _exactly(value: str) -> Any:
    return {"essential": True, "value": value}


def _refuse_other_readers(claims: Mapping[str, Any], expected: Expected) -> None:
    """Refuse what is meant for others too: nobody else was registered with us."""
    if claims["aud"] not in (expected.client_id, [expected.client_id]):
        raise FalseAnswer("aud")


def _text(claims: Mapping[str, Any], name: str, length_max: int) -> None:
    value = claims.get(name)
    if not isinstance(value, str) or not value or len(value) > length_max or not value.isprintable():
        raise FalseAnswer(name)
