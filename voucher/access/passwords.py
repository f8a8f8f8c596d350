"""Passwords are kept as argon2id hashes (RFC 9106, the library's low-memory profile)."""

from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    """Return a hash at the present cost: what a password is compared with where there is no account."""
    return hasher.hash("nobody has this password")


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password, salted."""
    return hasher.hash(password)


def is_password(stored_hash: str | None, password: str) -> bool:
    """Say whether a password is the stored one; takes as long where there is no account, so that none is guessed."""
    try:
        hasher.verify(stored_hash or _nobodys_hash(), password)
    except (VerificationError, InvalidHashError):
        return False
    return stored_hash is not None
