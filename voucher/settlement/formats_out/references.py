"""Names that banks carry: each is derived from the batch, so that a file made again after a crash is the same file."""

import hashlib
import re
from uuid import UUID

from voucher.kernel.base32 import ALPHABET
from voucher.kernel.number_labels import fours

_GROUPS, _GROUP = 4, 4
_MESSAGE = re.compile(r"(?P<batch>[0-9a-f]{32})(?P<part>[0-9]{3})?")

PARTS_MAX = 999
"""A part is told by three figures: with the batch's 32 characters they fill the 35 of an identifier."""


def end_to_end_id(batch_id: UUID, structure_id: UUID) -> str:
    """Return the reference of one structure's payment, « PN-7KQ4-M2XW-9TBD-03FA »: 80 bits that say nothing of anybody."""
    return _reference("PN", b"advice" + batch_id.bytes + structure_id.bytes)


def refund_reference(refund_id: UUID) -> str:
    """Return the reference of money sent back to its sender, « RV-7KQ4-M2XW-9TBD-03FA »."""
    return _reference("RV", b"refund" + refund_id.bytes)


def _reference(head: str, named: bytes) -> str:
    digest = int.from_bytes(hashlib.sha256(named).digest()[:10])
    letters = "".join(ALPHABET[digest >> 5 * place & 31] for place in range(_GROUPS * _GROUP))
    return "-".join([head, *fours(letters)])


def message_id(batch_id: UUID, part: int = 1) -> str:
    """Return the identifier of a part of a batch's payment files (MsgId): the batch's own, on 32 characters, then the part from the second."""
    return batch_id.hex if part == 1 else f"{batch_id.hex}{part:03d}"


def payment_information_id(batch_id: UUID, part: int = 1) -> str:
    """Return the identifier of the one payment block of a file (PmtInfId)."""
    return f"{batch_id.hex}-1" if part == 1 else f"{batch_id.hex}{part:03d}"


def part_of_message(text: str) -> tuple[UUID, int] | None:
    """Return the batch and the part whose file has this identifier, or None when the file is not one of ours."""
    found = _MESSAGE.fullmatch(text)
    if found is None:
        return None
    batch_id, part = UUID(hex=found["batch"]), int(found["part"] or 1)
    return (batch_id, part) if message_id(batch_id, part) == text else None


def file_stem(batch_number: str) -> str:
    """Return a batch's number as file names hold it: « 2026-33-01/04 » is `2026-33-01-04`."""
    return re.sub(r"[^A-Za-z0-9]+", "-", batch_number).strip("-")
