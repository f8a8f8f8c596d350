"""Addresses that settings hold, each with one rule: where the pages are, where the database is, who takes the mail, who sends it, who
knows people (the identity provider).

Every function raises ValueError with a French sentence that says what to write, and never what was written: it may be a password.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

CODE_PATH = "/V/"
# The address before a code's 128 characters: with it the whole text fills a QR code of version 6 at level M, and not one more.
CODE_PREFIX_CHARACTERS_MAX = 26
DISCOVERY_PATH = "/.well-known/openid-configuration"
SMTP_PORTS = {"smtp": 587, "smtps": 465}

_BASE_URL = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", re.IGNORECASE | re.ASCII)
_MAILBOX = re.compile(r"[^\s@<>,;|\"]+@[^\s@<>,;|\"]+")
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_DRIVERS = ("sqlite", "postgresql", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server: `smtps` speaks TLS from the first byte. User and password are empty where the address holds none."""

    scheme: str
    host: str
    port: int
    user: str
    password: str


def code_prefix(base_url: str) -> str:
    """Return the upper-case address that stands before every code, such as `HTTPS://PASS.FR/V/`."""
    base = base_url.removesuffix("/")
    if not _BASE_URL.fullmatch(base):
        raise ValueError(
            "écrivez https:// (ou http://), un nom de serveur en lettres, chiffres, points et traits d’union, et au besoin un "
            "port, sans chemin"
        )
    prefix = base.upper() + CODE_PATH
    if len(prefix) > CODE_PREFIX_CHARACTERS_MAX:
        room = CODE_PREFIX_CHARACTERS_MAX - len(CODE_PATH)
        raise ValueError(f"trop long pour tenir dans un code : choisissez une adresse de {room} signes au plus")
    return prefix


def discovery_address(url: str) -> str:
    """Return the address where an identity provider says what it is (OpenID Connect Discovery 1.0 §4)."""
    if not url.endswith(DISCOVERY_PATH) or not is_private_way(url) or not url.isascii() or not url.isprintable():
        raise ValueError(f"écrivez une adresse https:// qui finit par {DISCOVERY_PATH}, sans mot de passe")
    return url


def is_private_way(url: str) -> bool:
    """Say whether what is sent to an address is read by its server alone: TLS, or this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _THIS_MACHINE)


def database_address(url: str) -> str:
    """Return the address of a database that we know how to speak to."""
    sentence = "écrivez sqlite:///dossier/fichier.sqlite3 ou postgresql://utilisateur@serveur/base"
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):  # its words may hold a piece of the password
        raise ValueError(sentence) from None
    if parts.drivername not in _DRIVERS or not parts.database or parts.database == ":memory:":
        raise ValueError(sentence)
    return url


def smtp_server(url: str) -> SmtpServer:
    """Return the mail server that an address names."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or SMTP_PORTS.get(parts.scheme, 0)
    except ValueError:  # its words hold what stands where a port should: a piece of the password
        raise ValueError(
            "le port ne se lit pas ; dans un mot de passe, écrivez / sous la forme %2F, et # sous la forme %23"
        ) from None
    if parts.scheme not in SMTP_PORTS or not host:
        raise ValueError("écrivez smtp:// ou smtps://, puis un serveur : smtp://utilisateur:motdepasse@serveur:587")
    return SmtpServer(parts.scheme, host, port, unquote(parts.username or ""), unquote(parts.password or ""))


def mailbox(text: str) -> str:
    """Return the address of a sender of e-mails."""
    if not _MAILBOX.fullmatch(text):
        raise ValueError("écrivez une adresse électronique, comme ne-pas-repondre@pass.example")
    return text
