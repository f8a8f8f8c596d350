"""Sign many booklets fast: what a signing process runs. It knows codes and keys, nothing of any database."""

import os
from dataclasses import dataclass
from datetime import date

from voucher.issuing.code import SIGNATURE_BYTES, Algorithm, Kind, Payload
from voucher.issuing.signing import PrivateKey, open_private_key, signature_of

_TAG_BYTES = 3
_SERIAL, _AFTER, _TAG = 4, 8, 13  # where the serial begins and ends, and the tag begins (voucher.issuing.code)


@dataclass(frozen=True, slots=True)
class SigningPlan:
    """What all the codes of a batch share."""

    key_id: int
    algorithm: Algorithm
    first_serial: int
    booklet_size: int
    use_by: date
    face_value_cents: int


@dataclass(frozen=True, slots=True)
class SignedBooklets:
    """Booklets `first` to `first + count - 1` of a batch (counted from 0), each as its cover then its vouchers.

    `tags` holds three bytes and `signatures` sixty-four bytes for each code.
    """

    first: int
    count: int
    tags: bytes
    signatures: bytes

    def code(self, index: int) -> tuple[int, bytes]:
        """Return the tag and the signature of the code at `index`, counted over covers and vouchers."""
        tag = int.from_bytes(self.tags[index * _TAG_BYTES : (index + 1) * _TAG_BYTES])
        return tag, self.signatures[index * SIGNATURE_BYTES : (index + 1) * SIGNATURE_BYTES]


class Signer:
    """A plan with its private key open."""

    def __init__(self, plan: SigningPlan, private_key: PrivateKey) -> None:
        self._plan = plan
        self._key = private_key
        # All codes of a plan differ by their kind, serial and tag alone: the rest is written once.
        self._cover, self._voucher = (self._payload(kind) for kind in (Kind.BOOKLET, Kind.VOUCHER))

    def sign_booklets(self, first: int, count: int) -> SignedBooklets:
        """Draw fresh tags and sign the codes of `count` booklets."""
        size, key = self._plan.booklet_size, self._key
        tags = os.urandom(count * (size + 1) * _TAG_BYTES)
        signatures = []
        at = 0
        for booklet in range(first, first + count):
            first_serial = self._plan.first_serial + booklet * size
            for serial, payload in (
                (first_serial, self._cover),
                *((first_serial + i, self._voucher) for i in range(size)),
            ):
                tag = tags[at : at + _TAG_BYTES]
                at += _TAG_BYTES
                signatures.append(
                    signature_of(key, payload[:_SERIAL] + serial.to_bytes(4) + payload[_AFTER:_TAG] + tag)
                )
        return SignedBooklets(first, count, tags, b"".join(signatures))

    def _payload(self, kind: Kind) -> bytes:
        plan = self._plan
        return Payload(
            kind=kind,
            booklet_size=plan.booklet_size,
            key_id=plan.key_id,
            serial=plan.first_serial,
            use_by=plan.use_by,
            face_value_cents=plan.face_value_cents,
            tag=0,
            algorithm=plan.algorithm,
        ).encode()


_signer: Signer | None = None


def start_process(plan: SigningPlan, sealed_private_key: bytes, master_secret: bytes) -> None:
    """Open the key once in a signing process."""
    global _signer  # a process signs for one plan, from its start to its end
    _signer = Signer(plan, opened_key(plan, sealed_private_key, master_secret))


def sign_in_process(first: int, count: int) -> SignedBooklets:
    """Sign booklets in a process that `start_process` prepared."""
    assert _signer is not None
    return _signer.sign_booklets(first, count)


def opened_key(plan: SigningPlan, sealed_private_key: bytes, master_secret: bytes) -> PrivateKey:
    """Open the plan's private key. Raises SealBroken with the wrong master secret."""
    return open_private_key(
        sealed_private_key, key_id=plan.key_id, algorithm=plan.algorithm, master_secret=master_secret
    )
