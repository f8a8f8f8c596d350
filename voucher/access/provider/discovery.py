"""What an identity provider says of itself: its addresses (OpenID Connect Discovery 1.0) and its keys, each kept a while.

What is kept is each process's own: two of them need not agree.
"""

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from authlib.integrations.requests_client import OAuth2Session
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from requests.exceptions import RequestException

from voucher.access.provider.bounded import BoundedAdapter
from voucher.kernel.addresses import DISCOVERY_PATH, is_private_way

KEPT_SECONDS = 3600.0
KEYS_AGAIN_SECONDS = 30.0
"""A key that is not known is looked for again, but no more often than this: false tokens make nobody ask for ever."""

DOWN_SECONDS = 10.0
"""How long a provider that did not answer is not asked again: people who wait for it hold no thread meanwhile."""

CHALLENGE_METHOD = "S256"


class ProviderDown(Exception):
    """The provider does not answer, not in time, or what answers there is no provider that we can use."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What a provider gave us when an operator registered this installation."""

    client_id: str
    client_secret: str
    discovery_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """A provider's addresses, as it says them."""

    issuer: str
    authorization: str
    token: str
    userinfo: str
    keys: str
    end_session: str  # empty where it has none
    takes_secret_in_body: bool
    says_issuer: bool  # RFC 9207: the way back names it


class Discovery:
    """Asks a provider what it is, and remembers."""

    def __init__(self, registration: Registration) -> None:
        """Look at the provider of a registration; nothing is asked yet."""
        self._registration = registration
        self._endpoints: tuple[Endpoints, float] | None = None
        self._keys: tuple[KeySet, float] | None = None
        self._down_until = 0.0

    def endpoints(self) -> Endpoints:
        """Return the provider's addresses. Raises ProviderDown."""
        if self._endpoints is None or time.monotonic() > self._endpoints[1] + KEPT_SECONDS:
            if time.monotonic() < self._down_until:
                raise ProviderDown("it did not answer a moment ago")
            url = self._registration.discovery_url
            try:
                said = _endpoints(url, self._json(url))
            except ProviderDown:
                self._down_until = time.monotonic() + DOWN_SECONDS
                raise
            self._endpoints = said, time.monotonic()
        return self._endpoints[0]

    def keys(self, *, has_unknown: bool = False) -> KeySet:
        """Return the provider's keys; those of now where one `has_unknown` to us, unless they were just asked. Raises ProviderDown."""
        kept_seconds = KEYS_AGAIN_SECONDS if has_unknown else KEPT_SECONDS
        if self._keys is None or time.monotonic() > self._keys[1] + kept_seconds:
            said = self._json(self.endpoints().keys)
            try:
                found = KeySet.import_key_set(said)  # type: ignore[arg-type]  # it looks at what it is given
            except (JoseError, LookupError, TypeError, ValueError) as error:
                raise ProviderDown("its keys cannot be read") from error
            self._keys = found, time.monotonic()
        return self._keys[0]

    def http(self) -> OAuth2Session:
        """Return a session of authlib that speaks as this installation, within limits."""
        endpoints = self._endpoints[0] if self._endpoints else None
        in_body = endpoints is not None and endpoints.takes_secret_in_body
        session = OAuth2Session(
            self._registration.client_id,
            self._registration.client_secret,
            token_endpoint_auth_method="client_secret_post" if in_body else "client_secret_basic",
            code_challenge_method=CHALLENGE_METHOD,
            leeway=0,  # ProConnect's tokens live sixty seconds, which authlib would take off beforehand
        )
        for scheme in ("https://", "http://"):
            session.mount(scheme, BoundedAdapter())
        return session

    def _json(self, url: str) -> dict[str, Any]:
        try:
            with self.http() as http:
                answer = http.request("GET", url, withhold_token=True, allow_redirects=False)
            if answer.status_code != HTTPStatus.OK:
                raise ProviderDown(f"it answers {answer.status_code}")
            said = answer.json()
        except (RequestException, ValueError) as error:
            raise ProviderDown(type(error).__name__) from error
        if not isinstance(said, dict):
            raise ProviderDown("its answer is no JSON object")
        return said


def _endpoints(discovery_url: str, said: dict[str, Any]) -> Endpoints:
    if said.get("issuer") != discovery_url.removesuffix(DISCOVERY_PATH):
        raise ProviderDown("it says that it is another issuer")
    if CHALLENGE_METHOD not in _words(said, "code_challenge_methods_supported"):
        raise ProviderDown("it does not say that it takes PKCE with S256")
    end_session = said.get("end_session_endpoint", "")
    return Endpoints(
        issuer=said["issuer"],
        authorization=_address(said, "authorization_endpoint"),
        token=_address(said, "token_endpoint"),
        userinfo=_address(said, "userinfo_endpoint"),
        keys=_address(said, "jwks_uri"),
        end_session=_address(said, "end_session_endpoint") if end_session else "",
        takes_secret_in_body="client_secret_post" in _words(said, "token_endpoint_auth_methods_supported"),
        says_issuer=said.get("authorization_response_iss_parameter_supported") is True,
    )


def _address(said: dict[str, Any], name: str) -> str:
    url = said.get(name)
    if not isinstance(url, str) or not is_private_way(url):
        raise ProviderDown(f"its {name} is no https address")
    return url


def _words(said: dict[str, Any], name: str) -> list[object]:
    words = said.get(name, [])
    return words if isinstance(words, list) else []
