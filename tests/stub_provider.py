"""An identity provider over real HTTP, as strict as ProConnect with what it is sent, that can be told to lie, to be slow and to be down."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jws, jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT_ID = "pass-numerique-essai"
CLIENT_SECRET = "un secret convenu avec le fournisseur"
MAIN_IDP = "71144ab3-ee1a-4401-b7b3-79b44f7daeeb"
SECRET_LENGTH_MIN = 32
CODE_SECONDS = 30

KNOWN_PARAMETERS = {
    "client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "claims", "prompt", "code_challenge",
    "code_challenge_method", "max_age",
}  # fmt: skip
"""What its first page takes; anything else is an error there, as it is at ProConnect."""

Token = dict[str, Any]


@dataclass(frozen=True)
class Somebody:
    """Who sits at the provider's page."""

    sub: str = "sub-de-camille"
    idp_id: str | None = MAIN_IDP
    email: str = "camille@mairie.example"
    acr: str | None = "eidas1"
    can_reach: str | None = None  # the level shown when one is demanded
    proved_seconds_ago: float = 0.0  # before the moment it is asked; what `max_age` or `prompt=login` make 0


def _in_base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def truth(*said: Token) -> None:
    """Change nothing of what is said."""


@dataclass
class Lies:
    """What it does wrong. Every lie is off."""

    id_token: Callable[[Token, Token], None] = truth
    userinfo: Callable[[Token, Token], None] = truth
    metadata: Callable[[Token], None] = truth
    back: Callable[[Token], None] = truth
    signing_key: Any = None  # signs ID tokens in place of its own; bytes: a secret, by HS256
    userinfo_key: Any = None
    by_hand: bool = False  # signs ID tokens with no look at what the header says
    userinfo_in_clear: bool = False
    token_answer: tuple[int, str, bytes] | None = None  # status, type, body
    keys_answer: Any = None
    heeds_no_level: bool = False  # shows whatever level it has, whatever is asked
    keeps_old_session: bool = False  # pays no heed to max_age and prompt
    seconds_asleep: dict[str, float] = field(default_factory=dict)  # by path
    sends_to: dict[str, str] = field(default_factory=dict)  # paths that redirect
    is_down: set[str] = field(default_factory=set)  # paths that answer 503
    bytes_endless: set[str] = field(default_factory=set)  # paths whose answer goes on and on


class StubProvider:
    """Keys, people and a server; `lies` and `somebody` are changed by the tests."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now, self.somebody, self.lies = now, Somebody(), Lies()
        self.keys: list[Any] = [ECKey.generate_key("P-256"), RSAKey.generate_key(2048)]
        for key in self.keys:
            key.ensure_kid()
        self.algorithm = "ES256"
        self.codes: dict[str, Token] = {}
        self.tokens: dict[str, Token] = {}
        self.asked: list[tuple[str, Token]] = []  # every request: its path and its parameters
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self.server.server_port}/api/v2"

    @property
    def settings(self) -> dict[str, str]:
        """The settings of an installation that is registered here."""
        return {
            "provider_client_id": CLIENT_ID,
            "provider_client_secret": CLIENT_SECRET,
            "provider_discovery_url": f"{self.issuer}/.well-known/openid-configuration",
        }

    def key(self) -> Any:
        """The key that signs now."""
        wanted = "EC" if self.algorithm == "ES256" else "RSA"
        return next(key for key in reversed(self.keys) if key.key_type == wanted)

    def rotate(self) -> None:
        """Sign with a new key; the old ones are published no more."""
        self.keys = [ECKey.generate_key("P-256"), RSAKey.generate_key(2048)]
        for key in self.keys:
            key.ensure_kid()

    def count(self, path: str) -> int:
        """How often a path was asked."""
        return sum(1 for asked, _ in self.asked if asked == path)

    def last(self, path: str) -> Token:
        """The parameters of the last request of a path."""
        return next(parameters for asked, parameters in reversed(self.asked) if asked == path)

    # ------------------------------------------------------------------------------------------------------- answers

    def metadata(self) -> Token:
        said = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/session/end",
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "id_token_signing_alg_values_supported": ["ES256", "RS256", "HS256"],
            "authorization_response_iss_parameter_supported": True,
        }
        self.lies.metadata(said)
        return said

    def authorize(self, asked: Token) -> tuple[int, str]:
        """Answer the first page: status, and where it leads (or what is wrong)."""
        if unknown := set(asked) - KNOWN_PARAMETERS:
            return 400, f"Y000400 {sorted(unknown)}"
        if asked.get("client_id") != CLIENT_ID or asked.get("response_type") != "code":
            return 400, "invalid_client"
        if min(len(asked.get("state", "")), len(asked.get("nonce", ""))) < SECRET_LENGTH_MIN:
            return 400, "state and nonce have 32 characters at least"
        if asked.get("code_challenge_method") != "S256" or "openid" not in asked.get("scope", "").split():
            return 400, "invalid_request"
        demanded = json.loads(asked.get("claims", "{}")).get("id_token", {}).get("acr")
        somebody, answer = self.somebody, {"state": asked["state"], "iss": self.issuer}
        if demanded and not self.lies.heeds_no_level and somebody.acr not in demanded["values"]:
            if somebody.can_reach not in demanded["values"]:
                answer |= {"error": "access_denied", "error_description": "acr"}
                return 302, f"{asked['redirect_uri']}?{urlencode(answer)}"
            somebody = replace(somebody, acr=somebody.can_reach)
        if ("max_age" in asked or asked.get("prompt") == "login") and not self.lies.keeps_old_session:
            somebody = replace(somebody, proved_seconds_ago=0)
        code = secrets.token_urlsafe(24)
        self.codes[code] = {**asked, "somebody": somebody, "at": self.now()}
        answer["code"] = code
        self.lies.back(answer)
        return 302, f"{asked['redirect_uri']}?{urlencode(answer)}"

    def token(self, asked: Token) -> tuple[int, str, bytes]:
        """Answer a code, once, to who proves that it is theirs."""
        if self.lies.token_answer is not None:
            return self.lies.token_answer
        wanted = self.codes.pop(asked.get("code", ""), None)
        challenge = _in_base64(hashlib.sha256(asked.get("code_verifier", "").encode()).digest())
        is_good = (
            wanted is not None
            and self.now() - wanted["at"] <= CODE_SECONDS
            and (asked.get("client_id"), asked.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
            and asked.get("redirect_uri") == wanted["redirect_uri"]
            and asked.get("grant_type") == "authorization_code"
            and challenge == wanted["code_challenge"]
        )
        if not is_good or wanted is None:
            return 400, "application/json", b'{"error": "invalid_grant"}'
        access_token, now, somebody = secrets.token_urlsafe(24), int(self.now()), wanted["somebody"]
        self.tokens[access_token] = wanted
        half = hashlib.sha256(access_token.encode()).digest()[:16]
        claims: Token = {
            "iss": self.issuer,
            "sub": somebody.sub,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 60,
            "nonce": wanted["nonce"],
            "at_hash": _in_base64(half),
            "auth_time": int(now - somebody.proved_seconds_ago),
        }
        if somebody.acr is not None:
            claims["acr"] = somebody.acr
        answer = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": self._signed(claims, self.lies.id_token, self.lies.signing_key),
        }
        return 200, "application/json", json.dumps(answer).encode()

    def userinfo(self, access_token: str) -> tuple[int, str, bytes]:
        """Answer who has this token."""
        wanted = self.tokens.get(access_token)
        if wanted is None:
            return 401, "application/json", b'{"error": "invalid_token"}'
        somebody = wanted["somebody"]
        claims: Token = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": somebody.sub,
            "email": somebody.email,
            "iat": int(self.now()),
        }
        if somebody.idp_id is not None:
            claims["idp_id"] = somebody.idp_id
        if self.lies.userinfo_in_clear:
            return 200, "application/json", json.dumps(claims).encode()
        signed = self._signed(claims, self.lies.userinfo, self.lies.userinfo_key)
        return 200, "application/jwt", signed.encode()

    def _signed(self, claims: Token, lie: Callable[[Token, Token], None], other_key: Any) -> str:
        is_secret = isinstance(other_key, bytes)
        header: Token = {"alg": "HS256" if is_secret else self.algorithm, "kid": self.key().kid}
        lie(header, claims)
        if not (is_secret or self.lies.by_hand or header["alg"].casefold() == "none"):
            return jwt.encode(header, claims, other_key or self.key(), algorithms=["ES256", "RS256"])
        # What no library would sign is put together by hand.
        said, signature = ".".join(_in_base64(json.dumps(part).encode()) for part in (header, claims)), ""
        if is_secret:
            signature = _in_base64(hmac.digest(other_key, said.encode(), "sha256"))
        elif self.lies.by_hand:
            signature = jws.serialize_compact({"alg": "ES256"}, said.encode(), self.key()).rpartition(".")[2]
        return f"{said}.{signature}"

    # -------------------------------------------------------------------------------------------------------- server

    def answer(self, target: str, bearer: str) -> tuple[str, int, str, bytes, str]:
        """Return what a request is answered: its path, the status, the kind of content, the content, where it leads."""
        parts = urlsplit(target)
        path = parts.path.removeprefix("/api/v2")
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self.asked.append((path, asked))
        status, kind, body, location = 200, "application/json", b"", ""
        if path == "/authorize":
            status, there = self.authorize(asked)
            kind, body, location = "text/plain", there.encode(), there if status == 302 else ""
        elif path == "/session/end":
            status, location = 303, f"{asked['post_logout_redirect_uri']}?{urlencode({'state': asked['state']})}"
        elif path == "/token":
            status, kind, body = self.token(asked)
        elif path == "/userinfo":
            status, kind, body = self.userinfo(bearer)
        elif path == "/jwks":
            keys = {"keys": [key.as_dict(private=False) | {"use": "sig"} for key in self.keys]}
            body = json.dumps(keys if self.lies.keys_answer is None else self.lies.keys_answer).encode()
        elif path == "/.well-known/openid-configuration":
            body = json.dumps(self.metadata()).encode()
        else:
            status = 404
        if path in self.lies.is_down:
            status, body, location = 503, b"down", ""
        if path in self.lies.sends_to:
            status, body, location = 307, b"", self.lies.sends_to[path]
        return path, status, kind, body, location

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self, body: str = "") -> None:
                bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
                path, status, kind, content, location = provider.answer(self.path + body, bearer)
                time.sleep(provider.lies.seconds_asleep.get(path, 0))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                if location:
                    self.send_header("Location", location)
                self.end_headers()
                try:
                    self.wfile.write(content)
                    while path in provider.lies.bytes_endless:
                        self.wfile.write(b" " * 65_536)
                except OSError:
                    pass  # the other side had enough

            def do_POST(self) -> None:
                self.do_GET("?" + self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode())

            def log_message(self, *args: object) -> None:
                pass

        return Handler


@contextmanager
def open_provider(now: Callable[[], float] = time.time) -> Iterator[StubProvider]:
    """`with open_provider() as provider:` — a provider of its own, on a free port."""
    provider = StubProvider(now)
    thread = threading.Thread(target=provider.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.server.shutdown()
        provider.server.server_close()
        thread.join()
