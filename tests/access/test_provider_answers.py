"""What an identity provider says is believed only where its signature, its issuer, its readers, its hours and its nonce fit; over real HTTP."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey

from tests.access.provided import at_provider, said
from tests.stub_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    MAIN_IDP,
    Lies,
    Somebody,
    StubProvider,
    Token,
    open_provider,
)
from voucher.access.provider import bounded, discovery
from voucher.access.provider.client import Proof, Provider, Way
from voucher.access.provider.discovery import ProviderDown, Registration
from voucher.access.provider.rules import Identity
from voucher.access.provider.tokens import FalseAnswer

WAY = Way(redirect_uri="http://127.0.0.1:8000/retour", nonce="n" * 43, verifier="v" * 86)
STATE = "s" * 43


@pytest.fixture(scope="module")
def opened() -> Iterator[StubProvider]:
    with open_provider() as stub:
        yield stub


@pytest.fixture
def stub(opened: StubProvider) -> StubProvider:
    """The provider of this file, honest and awake."""
    opened.lies, opened.somebody, opened.algorithm = Lies(), Somebody(), "ES256"
    opened.asked.clear()
    return opened


def client_of(stub: StubProvider) -> Provider:
    """Return a client that knows nothing yet."""
    return Provider(Registration(CLIENT_ID, CLIENT_SECRET, stub.settings["provider_discovery_url"]))


def prove(stub: StubProvider, client: Provider | None = None, way: Way = WAY, **at: datetime) -> Proof:
    """Go there and back, and take the proof."""
    client = client or client_of(stub)
    back = said(at_provider(client.way_there(WAY, STATE)))
    client.check_issuer(back.get("iss"))
    now = at.get("now", datetime.now(UTC))
    return client.proof(back["code"], way, begun_at=at.get("begun_at", now), now=now)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_an_honest_provider_proves_who_somebody_is(stub: StubProvider, algorithm: str) -> None:
    stub.algorithm = algorithm
    proof = prove(stub)
    assert proof.identity == Identity(stub.issuer, MAIN_IDP, "sub-de-camille")
    assert proof.level == "eidas1"
    assert proof.proved_at is not None


def test_the_same_sub_at_another_identity_provider_is_somebody_else(stub: StubProvider) -> None:
    first = prove(stub).identity
    stub.somebody = Somebody(idp_id="un autre fournisseur d’identité")
    assert prove(stub).identity != first
    stub.somebody = Somebody(idp_id=None)
    assert prove(stub).identity == Identity(stub.issuer, "", "sub-de-camille")


def claim(name: str, value: object) -> Callable[[Token, Token], None]:
    """Say something else in a token; None leaves it out."""

    def lie(_: Token, claims: Token) -> None:
        if value is None:
            claims.pop(name, None)
        else:
            claims[name] = value(claims.get(name)) if callable(value) else value

    return lie


def header(**changes: object) -> Callable[[Token, Token], None]:
    return lambda said, _: said.update(changes)


def several_readers(**also: object) -> Callable[[Token, Token], None]:
    return lambda _, claims: claims.update({"aud": [CLIENT_ID, "un-autre-service"], **also})


ID_TOKENS: dict[str, tuple[Callable[[Token, Token], None], str]] = {
    "another nonce": (claim("nonce", "autre" * 9), "nonce"),
    "no nonce": (claim("nonce", None), "nonce"),
    "another issuer": (claim("iss", "https://autre.example/api/v2"), "iss"),
    "no issuer": (claim("iss", None), "iss"),
    "another audience": (claim("aud", "un-autre-service"), "aud"),
    "no audience": (claim("aud", None), "aud"),
    "an audience that is ours and another's": (several_readers(azp=CLIENT_ID), "aud"),
    "several readers and no authorised party": (several_readers(), "azp"),
    "an authorised party that we are not": (claim("azp", "un-autre-service"), "azp"),
    "expired": (claim("exp", lambda at: at - 60 - 61), "expired_token"),
    "no end": (claim("exp", None), "exp"),
    "an end that is no number": (claim("exp", "demain"), "exp"),
    "an end that no number reaches": (claim("exp", float("nan")), "exp"),
    "made two hours from now": (claim("iat", lambda at: at + 7200), "iat"),
    "made two hours before this way was begun": (claim("iat", lambda at: at - 7200), "iat"),
    "no hour": (claim("iat", None), "iat"),
    "not good yet": (claim("nbf", lambda _: time.time() + 7200), "nbf"),
    "the hash of another access token": (claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), "at_hash"),
    "nobody": (claim("sub", None), "sub"),
    "nobody's name": (claim("sub", ""), "sub"),
    "a number for a person": (claim("sub", 12), "sub"),
    "a sub that no column holds": (claim("sub", "a" * 301), "sub"),
    "methods that are no list": (claim("amr", "mfa"), "amr"),
    "an hour of proof that is no hour": (claim("auth_time", [1]), "auth_time"),
    "an hour of proof beyond all years": (claim("auth_time", 10**18), "auth_time"),
    "no signature": (header(alg="none"), "unsupported_algorithm"),
    "an algorithm in another case": (header(alg="NoNe"), "unsupported_algorithm"),
    "a key that is not published": (header(kid="inconnue"), "kid"),
    "the other kind of key": (header(alg="RS256"), "invalid_key_type"),
    "an extension that must be understood": (header(crit=["b64"], b64=False), ""),
}


@pytest.mark.parametrize("lie", ID_TOKENS)
def test_a_false_id_token_proves_nothing(stub: StubProvider, lie: str) -> None:
    stub.lies.id_token, check = ID_TOKENS[lie]
    if lie in ("an algorithm in another case", "the other kind of key", "an extension that must be understood"):
        # What the library of the tests would not sign is put together by hand.
        stub.lies.by_hand = True
    with pytest.raises(FalseAnswer) as refused:
        prove(stub)
    assert check in refused.value.check


@pytest.mark.parametrize(
    "key",
    [ECKey.generate_key("P-256"), CLIENT_SECRET.encode()],
    ids=["a foreign key under a published name", "the secret that we share (HS256)"],
)
@pytest.mark.parametrize("which", ["signing_key", "userinfo_key"])
def test_another_key_proves_nothing(stub: StubProvider, key: Any, which: str) -> None:
    setattr(stub.lies, which, key)
    with pytest.raises(FalseAnswer):
        prove(stub)


def test_the_public_key_taken_for_a_secret_proves_nothing(stub: StubProvider) -> None:
    """The oldest trick of all: HS256 keyed with what everybody can read."""
    stub.algorithm = "RS256"
    stub.lies.signing_key = stub.key().as_pem(private=False)
    with pytest.raises(FalseAnswer, match="unsupported_algorithm"):
        prove(stub)


USERINFO: dict[str, tuple[Callable[[Token, Token], None], str]] = {
    "somebody else": (claim("sub", "sub-de-luce"), "userinfo sub"),
    "nobody": (claim("sub", None), "userinfo sub"),
    "another issuer": (claim("iss", "https://autre.example"), "userinfo iss"),
    "no issuer": (claim("iss", None), "userinfo iss"),
    "another audience": (claim("aud", "un-autre-service"), "userinfo aud"),
    "no audience": (claim("aud", None), "userinfo aud"),
    "other readers beside us": (several_readers(), "aud"),
    "expired": (claim("exp", lambda _: time.time() - 120), "userinfo expired_token"),
    "made two hours from now": (claim("iat", lambda at: at + 7200), "userinfo iat"),
    "an identity provider that is no text": (claim("idp_id", {"id": 1}), "idp_id"),
    "an empty identity provider": (claim("idp_id", ""), "idp_id"),
    "no signature": (header(alg="none"), "unsupported_algorithm"),
}


@pytest.mark.parametrize("lie", USERINFO)
def test_a_false_userinfo_proves_nothing(stub: StubProvider, lie: str) -> None:
    stub.lies.userinfo, check = USERINFO[lie]
    with pytest.raises(FalseAnswer) as refused:
        prove(stub)
    assert check in refused.value.check


def test_a_userinfo_that_nobody_signed_proves_nothing(stub: StubProvider) -> None:
    stub.lies.userinfo_in_clear = True
    with pytest.raises(FalseAnswer, match="userinfo"):
        prove(stub)


def test_a_code_is_taken_once_and_by_who_began(stub: StubProvider) -> None:
    client = client_of(stub)
    now = datetime.now(UTC)
    back = said(at_provider(client.way_there(WAY, STATE)))
    with pytest.raises(FalseAnswer, match="code"):
        client.proof(back["code"], replace(WAY, verifier="w" * 86), begun_at=now, now=now)
    back = said(at_provider(client.way_there(WAY, STATE)))
    client.proof(back["code"], WAY, begun_at=now, now=now)
    with pytest.raises(FalseAnswer, match="code"):
        client.proof(back["code"], WAY, begun_at=now, now=now)


def test_a_clock_two_hours_off_proves_nothing_and_one_minute_is_forgiven(stub: StubProvider) -> None:
    now = datetime.now(UTC)
    for off in (timedelta(hours=2), timedelta(hours=-2)):
        with pytest.raises(FalseAnswer):
            prove(stub, now=now + off, begun_at=now + off)
    for off in (timedelta(seconds=50), timedelta(seconds=-50)):
        prove(stub, now=now + off, begun_at=now + off)


# ------------------------------------------------------------------------------------------------------ what it says of itself


@pytest.mark.parametrize(
    "lie",
    [
        {"issuer": "https://autre.example/api/v2"},
        {"issuer": None},
        {"authorization_endpoint": "http://autre.example/authorize"},
        {"token_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": None},
        {"jwks_uri": ["https://autre.example"]},
        {"end_session_endpoint": "http://autre.example/fin"},
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": None},
    ],
)
def test_a_provider_that_is_no_such_one_is_not_used(stub: StubProvider, lie: Token) -> None:
    stub.lies.metadata = lambda said: said.update(lie)
    with pytest.raises(ProviderDown):
        client_of(stub).way_there(WAY, STATE)


def test_a_way_back_that_names_another_provider_is_not_taken(stub: StubProvider) -> None:
    client = client_of(stub)
    client.check_issuer(stub.issuer)
    for named in ("https://autre.example", "", None):
        with pytest.raises(FalseAnswer, match="iss"):
            client.check_issuer(named)
    stub.lies.metadata = lambda said: said.pop("authorization_response_iss_parameter_supported")
    older = client_of(stub)
    older.check_issuer(None)
    with pytest.raises(FalseAnswer, match="iss"):
        older.check_issuer("https://autre.example")


def test_our_secret_goes_where_the_provider_takes_it(stub: StubProvider) -> None:
    prove(stub)
    assert stub.last("/token")["client_secret"] == CLIENT_SECRET
    stub.lies.metadata = lambda said: said.pop("token_endpoint_auth_methods_supported")
    with pytest.raises(FalseAnswer, match="code"):  # the stub reads it in the body alone
        prove(stub)
    assert "client_secret" not in stub.last("/token")


# ----------------------------------------------------------------------------------------------------------------- keys


def test_what_the_provider_says_of_itself_is_asked_once(stub: StubProvider) -> None:
    client = client_of(stub)
    for _ in range(3):
        prove(stub, client)
    assert (stub.count("/.well-known/openid-configuration"), stub.count("/jwks")) == (1, 1)


def test_keys_that_changed_are_asked_again_and_no_more_often_than_may(
    stub: StubProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(stub)
    prove(stub, client)
    stub.rotate()
    with pytest.raises(FalseAnswer, match="kid"):  # they were asked a moment ago
        prove(stub, client)
    assert stub.count("/jwks") == 1
    monkeypatch.setattr(discovery, "KEYS_AGAIN_SECONDS", 0.0)
    prove(stub, client)
    assert stub.count("/jwks") == 2
    monkeypatch.setattr(discovery, "KEYS_AGAIN_SECONDS", 30.0)
    stub.lies.id_token = header(kid="inconnue")
    for _ in range(3):
        with pytest.raises(FalseAnswer, match="kid"):
            prove(stub, client)
    assert stub.count("/jwks") == 2


@pytest.mark.parametrize("keys", [[], {}, {"keys": []}, {"keys": [{"kty": "EC"}]}, {"keys": [7]}, {"keys": None}])
def test_keys_that_cannot_be_read_are_no_keys(stub: StubProvider, keys: object) -> None:
    stub.lies.keys_answer = keys
    with pytest.raises(ProviderDown):
        prove(stub)


# -------------------------------------------------------------------------------------------------------- slow, down, odd


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/userinfo", "/jwks"])
def test_a_provider_that_does_not_answer_holds_nobody(
    stub: StubProvider, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "SILENCE_SECONDS", 0.15)
    stub.lies.seconds_asleep = {path: 0.5}
    began = time.monotonic()
    with pytest.raises(ProviderDown):
        prove(stub)
    assert time.monotonic() - began < 0.5
    stub.lies = Lies(is_down={path})
    with pytest.raises(ProviderDown):
        prove(stub)
    stub.lies = Lies(bytes_endless={path})
    with pytest.raises(ProviderDown):
        prove(stub)


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/userinfo", "/jwks"])
def test_a_provider_sends_us_nowhere_else(stub: StubProvider, path: str) -> None:
    """Whoever could answer in its place would have us open addresses inside our own network."""
    stub.lies.sends_to = {path: f"{stub.issuer}/elsewhere"}
    with pytest.raises(ProviderDown):
        prove(stub)
    assert stub.count("/elsewhere") == 0


def test_an_answer_that_trickles_is_left(stub: StubProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(bounded, "ANSWER_BYTES_MAX", 10**12)
    stub.lies.bytes_endless = {"/jwks"}
    began = time.monotonic()
    with pytest.raises(ProviderDown):
        prove(stub)
    assert time.monotonic() - began < 5


def test_a_provider_that_was_down_is_not_asked_at_once_again(
    stub: StubProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(stub)
    stub.lies.is_down = {"/.well-known/openid-configuration"}
    for _ in range(3):
        with pytest.raises(ProviderDown):
            client.reach()
    assert stub.count("/.well-known/openid-configuration") == 1
    stub.lies = Lies()
    monkeypatch.setattr(client._discovery, "_down_until", 0.0)
    client.reach()


def test_nobody_listens_there(stub: StubProvider) -> None:
    url = "http://127.0.0.1:9/.well-known/openid-configuration"
    with pytest.raises(ProviderDown):
        Provider(Registration(CLIENT_ID, CLIENT_SECRET, url)).reach()


@pytest.mark.parametrize(
    ("status", "kind", "body", "error"),
    [
        (200, "application/json", b"[]", ProviderDown),
        (200, "application/json", b"\xff\xfe", ProviderDown),
        (200, "text/html", b"<p>Bonjour</p>", ProviderDown),
        (302, "text/html", b"", ProviderDown),
        (500, "application/json", b"{}", ProviderDown),
        (200, "application/json", b"{}", FalseAnswer),
        (200, "application/json", b'{"access_token": 3, "id_token": "a.b.c", "token_type": "Bearer"}', FalseAnswer),
        (200, "application/json", b'{"access_token": "a", "id_token": "a.b.c", "token_type": "mac"}', FalseAnswer),
        (200, "application/json", b'{"access_token": "a", "id_token": "\\u00e9", "token_type": "Bearer"}', Exception),
        (400, "application/json", b'{"error": "invalid_grant"}', FalseAnswer),
    ],
)
def test_an_odd_answer_to_a_code_proves_nothing(
    stub: StubProvider, status: int, kind: str, body: bytes, error: type[Exception]
) -> None:
    stub.lies.token_answer = (status, kind, body)
    with pytest.raises((ProviderDown, FalseAnswer)) as refused:
        prove(stub)
    assert isinstance(refused.value, error)
