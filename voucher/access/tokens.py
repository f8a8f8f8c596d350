"""Random tokens that a browser holds. Only their SHA-256 is stored: who reads the database signs in as nobody."""

import hashlib
import secrets

TOKEN_BYTES = 32


def new_token() -> str:
    """Return a token that nobody guesses: 256 bits, in the letters of an address."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()
