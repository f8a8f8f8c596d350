"""For whom passkeys are made (WebAuthn's « relying party »): a host name, and the one address whose pages may ask for them.

A passkey is made for a name, never for an IP address: where the pages have only that, as the demonstration, it is made for
`localhost`, and works on the machine that serves them.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

LOCAL = "localhost"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """`id`: the name that passkeys are made for. `origin`: scheme, host and port of the pages, as browsers write them."""

    id: str
    origin: str

    def serves(self, host: str) -> bool:
        """Say whether pages shown under a host name may ask for passkeys."""
        return host == self.id or host.endswith("." + self.id)


def relying_party(base_url: str, wanted: str | None) -> RelyingParty:
    """Return who asks for passkeys at `base_url`: its host, or `wanted`, a domain that holds it.

    Raises ValueError with a French sentence that says what to write instead of `wanted`.
    """
    parts = urlsplit(base_url)
    host, scheme, port = (parts.hostname or "").lower(), parts.scheme.lower(), parts.port
    if _is_ip(host):
        host = LOCAL
    is_default = port is None or port == _DEFAULT_PORTS.get(scheme)
    origin = f"{scheme}://{host}" if is_default else f"{scheme}://{host}:{port}"
    party_id = host if wanted is None else wanted.lower()
    if _is_ip(party_id):
        raise ValueError(
            "une clé d’accès ne se fait pas pour une adresse IP : écrivez le nom de serveur de PASS_BASE_URL"
        )
    party = RelyingParty(party_id, origin)
    # A name without a dot that is not the host itself would be a whole country's: no browser takes it.
    if not party.serves(host) or (party_id != host and "." not in party_id):
        raise ValueError("écrivez le nom de serveur de PASS_BASE_URL, ou un domaine qui le contient")
    return party


def _is_ip(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
