"""Passwords are kept as argon2id hashes (RFC 9106, the library's low-memory profile).

What is hashed is the text as RFC 8265 prepares it (`OpaqueString`): an é is the same whether one key or two made it, a space is a space.
A hash made before this rule opens to who chose a text that the rule leaves as it is, which is nearly everybody.
"""

from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY
from precis_i18n import get_profile

hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


TYPED_LENGTH_MAX = 1024
"""How much of what is typed is read: preparing takes a time that grows with it."""

_OPAQUE = get_profile("OpaqueString")


def prepared(typed: str) -> str | None:
    """Return a password as it is measured, hashed and compared (RFC 8265, 4.2), or None for what cannot be one: empty, far too
    long, or with signs that nobody sees.
    """
    if len(typed) > TYPED_LENGTH_MAX:
        return None
    try:
        return str(_OPAQUE.enforce(typed))
    except UnicodeEncodeError:
        return None


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    """Return a hash at the present cost: what a password is compared with where there is no account."""
    return hasher.hash("nobody has this password")


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password, salted. Raises ValueError for what `prepared` refuses: no rule let it through."""
    text = prepared(password)
    if text is None:
        raise ValueError("this is no password")
    return hasher.hash(text)


def is_password(stored_hash: str | None, password: str) -> bool:
    """Say whether a password is the stored one; takes as long where there is no account, so that none is guessed."""
    text = prepared(password)
    try:
        hasher.verify(stored_hash or _nobodys_hash(), text or "")
    except (VerificationError, InvalidHashError):
        return False
    return stored_hash is not None and text is not None


def at_present_cost(stored_hash: str, password: str) -> str | None:
    """Return a new hash of a password that was just right, where the stored one was made at another cost; else None.

    A hash of another cost takes another time, which would tell an account from none.
    """
    return hash_password(password) if hasher.check_needs_rehash(stored_hash) else None
