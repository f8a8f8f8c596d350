"""Speak with an identity provider: the way there, what comes back, the way out. Knows no table; one object for each registration."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any, TypeVar

from authlib.common.urls import add_params_to_uri
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from joserfc.jwk import KeySet
from requests.exceptions import RequestException

from voucher.access.provider.discovery import Discovery, ProviderDown, Registration
from voucher.access.provider.rules import Identity
from voucher.access.provider.tokens import Expected, FalseAnswer, UnknownKey, proved_at, read_id_token, read_userinfo
from voucher.kernel.settings import Settings

Read = TypeVar("Read")

SCOPE = "openid idp_id"
"""No more than who it is, and who says so: names and addresses stay where they are (RGPD art. 5.1.c)."""

SIGNED = "application/jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the provider proves of the person who came back."""

    identity: Identity
    level: str  # its `acr`, empty where it says none
    proved_at: datetime | None
    id_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to the provider and back: what only its browser and we know."""

    redirect_uri: str
    nonce: str
    verifier: str


class Provider:
    """The provider of one registration. Its methods raise ProviderDown and FalseAnswer."""

    def __init__(self, registration: Registration) -> None:
        """Know a provider; nothing is asked before somebody goes there."""
        self._client_id = registration.client_id
        self._discovery = Discovery(registration)

    def reach(self) -> None:
        """Know where the provider is, asking it where that is not known."""
        self._discovery.endpoints()

    def way_there(
        self, way: Way, state: str, *, levels: tuple[str, ...] = (), again: Mapping[str, str] | None = None
    ) -> str:
        """Return the address of the provider's page.

        `levels`: the person must be proved at one of them. `again`: the person must prove who they are now, by these parameters.
        """
        endpoints = self._discovery.endpoints()
        claims: dict[str, Any] = {
            "acr": {"essential": True, "values": list(levels)} if levels else None,
            "auth_time": {"essential": True} if again else None,
        }
        with self._discovery.http() as http:
            url, _ = http.create_authorization_url(
                endpoints.authorization,
                state=state,
                code_verifier=way.verifier,
                redirect_uri=way.redirect_uri,
                scope=SCOPE,
                nonce=way.nonce,
                claims=json.dumps({"id_token": claims}),
                **(again or {}),
            )
        return str(url)

    def check_issuer(self, named: str | None) -> None:
        """Refuse a way back that names another provider (RFC 9207)."""
        endpoints = self._discovery.endpoints()
        if named != endpoints.issuer and (named is not None or endpoints.says_issuer):
            raise FalseAnswer("iss")

    def proof(self, code: str, way: Way, *, begun_at: datetime, now: datetime) -> Proof:
        """Take what a code stands for, once, and return what it proves."""
        endpoints = self._discovery.endpoints()
        expected = Expected(
            issuer=endpoints.issuer, client_id=self._client_id, nonce=way.nonce, begun_at=begun_at, now=now
        )
        with self._discovery.http() as http:
            id_token, access_token = self._tokens(http, endpoints.token, code, way)
            claims = self._read(lambda keys: read_id_token(id_token, keys, access_token, expected))
            signed = self._userinfo(http, endpoints.userinfo)
        info = self._read(lambda keys: read_userinfo(signed, keys, claims["sub"], expected))
        level = claims.get("acr")
        return Proof(
            identity=Identity(endpoints.issuer, info.get("idp_id", ""), claims["sub"]),
            level=level if isinstance(level, str) else "",
            proved_at=proved_at(claims),
            id_token=id_token,
        )

    def way_out(self, id_token: str, state: str, back_to: str) -> str:
        """Return the address that ends the person's session there too; empty where the provider has none."""
        there = self._discovery.endpoints().end_session
        parameters = {"id_token_hint": id_token, "state": state, "post_logout_redirect_uri": back_to}
        return str(add_params_to_uri(there, parameters)) if there else ""

    def _tokens(self, http: OAuth2Session, url: str, code: str, way: Way) -> tuple[str, str]:
        try:
            answer = http.fetch_token(
                url,
                grant_type="authorization_code",
                code=code,
                redirect_uri=way.redirect_uri,
                code_verifier=way.verifier,
                allow_redirects=False,
            )
        except OAuthError as error:  # a code that served, that is another's, or whose verifier does not fit
            raise FalseAnswer("code") from error
        except (RequestException, ValueError) as error:
            raise ProviderDown(type(error).__name__) from error
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise FalseAnswer("id_token")
        if str(answer.get("token_type", "")).casefold() != "bearer":
            raise FalseAnswer("token_type")
        return id_token, access_token

    def _userinfo(self, http: OAuth2Session, url: str) -> str:
        try:
            answer = http.request("GET", url, headers={"Accept": SIGNED}, allow_redirects=False)
        except (OAuthError, RequestException, ValueError) as error:
            raise ProviderDown(type(error).__name__) from error
        if answer.status_code != HTTPStatus.OK:
            raise ProviderDown(f"its userinfo answers {answer.status_code}")
        if answer.headers.get("Content-Type", "").partition(";")[0].strip().casefold() != SIGNED:
            raise FalseAnswer("userinfo")
        return str(answer.text)

    def _read(self, read: Callable[[KeySet], Read]) -> Read:
        try:
            return read(self._discovery.keys())
        except UnknownKey:
            return read(self._discovery.keys(has_unknown=True))


def provider_of(settings: Settings) -> Provider | None:
    """Return the provider that an installation is registered with, or None."""
    secret = settings.provider_client_secret
    if not settings.provider_discovery_url or secret is None:
        return None
    return _known(Registration(settings.provider_client_id, secret.get_secret_value(), settings.provider_discovery_url))


@lru_cache(maxsize=8)
def _known(registration: Registration) -> Provider:
    """One object for each registration of a process: it keeps what the provider says of itself."""
    return Provider(registration)
