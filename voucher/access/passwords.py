"""Passwords are kept as argon2id hashes (RFC 9106, the library's low-memory profile)."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_nobody = _hasher.hash("nobody has this password")


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password, salted."""
    return _hasher.hash(password)


def is_password(stored_hash: str | None, password: str) -> bool:
    """Say whether a password is the stored one; takes as long where there is no account, so that none is guessed."""
    try:
        _hasher.verify(stored_hash or _nobody, password)
    except (VerificationError, InvalidHashError):
        return False
    return stored_hash is not None
