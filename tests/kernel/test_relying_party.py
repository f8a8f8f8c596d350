"""For whom passkeys are made: the host of the pages or a domain that holds it, never an IP address."""

import pytest

from voucher.kernel.relying_party import RelyingParty, relying_party


@pytest.mark.parametrize(
    "base_url, wanted, party_id, origin",
    [
        ("https://pass.example", None, "pass.example", "https://pass.example"),
        ("HTTPS://Pass.Example:443/", None, "pass.example", "https://pass.example"),
        ("https://pass.ville.example", "ville.example", "ville.example", "https://pass.ville.example"),
        ("https://pass.example:8443", "PASS.example", "pass.example", "https://pass.example:8443"),
        ("http://localhost:8000", None, "localhost", "http://localhost:8000"),
        ("http://127.0.0.1:8000", None, "localhost", "http://localhost:8000"),
        ("http://127.0.0.1:80", "localhost", "localhost", "http://localhost"),
    ],
)
def test_passkeys_are_made_for_the_host_of_the_pages(
    base_url: str, wanted: str | None, party_id: str, origin: str
) -> None:
    assert relying_party(base_url, wanted) == RelyingParty(party_id, origin)


@pytest.mark.parametrize("wanted", ["192.0.2.7", "127.0.0.1", "::1", "[2001:db8::1]"])
def test_an_ip_address_is_refused_and_says_what_to_write(wanted: str) -> None:
    with pytest.raises(ValueError, match="adresse IP : écrivez le nom de serveur"):
        relying_party("https://pass.example", wanted)


@pytest.mark.parametrize("wanted", ["", "example", "autre.example", "ass.example", "www.pass.example", ".example"])
def test_a_name_that_does_not_hold_the_host_is_refused(wanted: str) -> None:
    with pytest.raises(ValueError, match="ou un domaine qui le contient"):
        relying_party("https://pass.example", wanted)


def test_pages_under_the_name_may_ask_and_those_of_a_look_alike_may_not() -> None:
    party = RelyingParty("ville.example", "https://pass.ville.example")
    assert [party.serves(host) for host in ("ville.example", "pass.ville.example", "autreville.example", "127.0.0.1")] == [
        True, True, False, False,
    ]  # fmt: skip
