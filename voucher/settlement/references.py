"""Names that banks carry: each is derived from the batch, so that a file made again after a crash is the same file."""

import hashlib
import re
from uuid import UUID

# Crockford's alphabet: what a person reads out on the telephone is not misheard (no I, L, O, U).
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUPS, _GROUP = 4, 4


def end_to_end_id(batch_id: UUID, structure_id: UUID) -> str:
    """Return the reference of one structure's payment, « PN-7KQ4-M2XW-9TBD-03FA »: 80 bits that say nothing of anybody."""
    digest = int.from_bytes(hashlib.sha256(b"advice" + batch_id.bytes + structure_id.bytes).digest()[:10])
    letters = "".join(_ALPHABET[digest >> 5 * place & 31] for place in range(_GROUPS * _GROUP))
    return "-".join(["PN", *(letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP))])


def message_id(batch_id: UUID) -> str:
    """Return the identifier of a batch's payment file (MsgId): the batch's own, on 32 characters."""
    return batch_id.hex


def payment_information_id(batch_id: UUID) -> str:
    """Return the identifier of the one payment block of a batch's file (PmtInfId)."""
    return f"{batch_id.hex}-1"


def batch_of_message(text: str) -> UUID | None:
    """Return the batch whose file has this identifier, or None when the file is not one of ours."""
    try:
        found = UUID(hex=text)
    except ValueError:
        return None
    return found if message_id(found) == text else None


def file_stem(batch_number: str) -> str:
    """Return a batch's number as file names hold it: « 2026-33-01/04 » is `2026-33-01-04`."""
    return re.sub(r"[^A-Za-z0-9]+", "-", batch_number).strip("-")
