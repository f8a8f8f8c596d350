"""Crockford's Base32: the 32 characters of what people type from paper. No I, L, O or U: none is taken for another."""

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKS_LIKE = str.maketrans("OIL", "011")


def as_printed(characters: str) -> str:
    """Return typed characters as they are printed: capitals, O for zero, I and L for one; what is not ASCII is left as it is.

    Some letters outside ASCII have an ASCII capital (ı, ſ): they are not ours.
    """
    return characters.upper().translate(_LOOKS_LIKE) if characters.isascii() else characters
