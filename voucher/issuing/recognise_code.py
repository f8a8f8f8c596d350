"""From what was scanned or typed to a booklet or a voucher that stands: signature first, database after.

A forged code costs no query on vouchers: its signature is checked with the ring of public keys. A typed code has no
signature; its secret tag is compared with the stored one, and whoever calls counts the wrong ones.
"""

import hmac
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.issuing.code import Algorithm, Kind, Payload, SignedCode, Unreadable, UnreadableCode, read_code
from voucher.issuing.keyboard import meant
from voucher.issuing.keys import find_key
from voucher.issuing.model import Booklet, IssueBatch, IssuerKey, Voucher
from voucher.issuing.signing import is_authentic
from voucher.issuing.typing_code import CHARACTERS, read_typing_code
from voucher.kernel.database import Database

TYPED_CHARACTERS_MAX = 2 * CHARACTERS  # with its letter, spaces and dashes; anything longer was scanned
TAG_BYTES = 3


class Distrust(StrEnum):
    """Why a code that can be read is not believed. Each reason has a French `sentence` that says what to do next."""

    UNKNOWN_KEY = "unknown_key"
    FORGED = "forged"
    REVOKED_KEY = "revoked_key"
    UNKNOWN_CODE = "unknown_code"

    @property
    def sentence(self) -> str:
        """The French sentence for the person who holds the code."""
        return _SENTENCES[self]


_SENTENCES = {
    Distrust.UNKNOWN_KEY: "Ce code n’est pas celui d’un chèque du programme. N’acceptez pas ce papier et prévenez-nous.",
    Distrust.FORGED: "Ce code est faux. N’acceptez pas ce papier et prévenez le programme.",
    Distrust.REVOKED_KEY: "Ce code n’est plus accepté, car sa clé a été révoquée. Demandez un autre carnet à l’émetteur.",
    Distrust.UNKNOWN_CODE: "Ce code n’existe pas. Comparez avec le code imprimé et tapez-le de nouveau.",
}


class DistrustedCode(ValueError):
    """A code of ours by its shape, not by its signature or tag; `reason` says why."""

    def __init__(self, reason: Distrust) -> None:
        super().__init__(reason.sentence)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a scanned or typed code points at. `is_signed` says that its signature was checked; the tag is not, yet."""

    kind: Kind
    serial: int
    tag: int
    is_signed: bool


@dataclass(frozen=True, slots=True)
class FoundCode:
    """The booklet, or the voucher and its booklet, that a code stands for."""

    kind: Kind
    serial: int
    booklet_number: int
    batch_id: UUID


def is_typed(text: str) -> bool:
    """Say whether a text is read as a typing code, which has no signature: whoever takes one limits wrong guesses."""
    text = meant(text)
    return len(text) <= TYPED_CHARACTERS_MAX and "/" not in text


def recognise(database: Database, text: str) -> Recognised:
    """Read a scanned address, its 128 characters or a typing code, and check the signature where there is one.

    What a scanner wrote on a keyboard of another layout is read as it was meant. Raises UnreadableCode when it is no code, DistrustedCode when its key is unknown or revoked or its signature wrong.
    Touches no table but the keys, and those are kept in memory.
    """
    text = meant(text)
    if is_typed(text):
        typed = read_typing_code(text)
        return Recognised(typed.kind, typed.serial, typed.tag, is_signed=False)
    code = read_code(text)
    payload = code.payload
    key = find_key(database, payload.key_id)
    if key is None or key.algorithm is not payload.algorithm:
        raise DistrustedCode(Distrust.UNKNOWN_KEY)
    if not is_authentic(key.public_key, code):
        raise DistrustedCode(Distrust.FORGED)
    if key.is_revoked:
        raise DistrustedCode(Distrust.REVOKED_KEY)
    return Recognised(payload.kind, payload.serial, payload.tag, is_signed=True)


def find_code(session: Session, recognised: Recognised) -> FoundCode | None:
    """Return what a code stands for, or None when nothing has its serial and its tag (compared in constant time)."""
    statement = select(Booklet.number, Booklet.batch_id, Booklet.tag)
    if recognised.kind is Kind.BOOKLET:
        statement = statement.where(Booklet.first_serial == recognised.serial)
    else:
        statement = (
            select(Booklet.number, Booklet.batch_id, Voucher.tag)
            .join(Booklet, Booklet.number == Voucher.booklet_number)
            .where(Voucher.serial == recognised.serial)
        )
    row = session.execute(statement).one_or_none()
    stored = row.tag if row is not None else recognised.tag ^ 1
    is_same = hmac.compare_digest(stored.to_bytes(TAG_BYTES), recognised.tag.to_bytes(TAG_BYTES))
    if row is None or not is_same:
        return None
    return FoundCode(recognised.kind, recognised.serial, row.number, row.batch_id)


def key_is_revoked(session: Session, batch_id: UUID) -> bool:
    """Say whether the key of a batch is revoked: a typed code carries no signature, yet it is refused like a scanned one."""
    state = session.scalar(
        select(IssuerKey.state).join(IssueBatch, IssueBatch.key_id == IssuerKey.id).where(IssueBatch.id == batch_id)
    )
    return state == "revoked"


@dataclass(frozen=True, slots=True)
class StoredCodes:
    """A booklet with its signed codes: its cover's and its vouchers', in order. They are bearer secrets: never log them."""

    number: int
    cover: SignedCode
    vouchers: tuple[SignedCode, ...]


def stored_codes(session: Session, first_booklet_number: int, booklet_count: int) -> list[StoredCodes]:
    """Return the codes of the booklets of a range that are made, in order."""
    booklets = session.execute(
        select(
            Booklet.number,
            Booklet.first_serial,
            Booklet.size,
            Booklet.tag,
            Booklet.signature,
            IssueBatch,
            IssuerKey.algorithm,
        )
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
        .join(IssuerKey, IssuerKey.id == IssueBatch.key_id)
        .where(Booklet.number.between(first_booklet_number, first_booklet_number + booklet_count - 1))
        .order_by(Booklet.number)
    ).all()
    if not booklets:
        return []
    last = booklets[-1]
    vouchers = session.execute(
        select(Voucher.serial, Voucher.tag, Voucher.signature)
        .where(Voucher.serial.between(booklets[0].first_serial, last.first_serial + last.size - 1))
        .order_by(Voucher.serial)
    ).all()
    by_serial = {row.serial: row for row in vouchers}
    return [
        StoredCodes(
            row.number,
            _signed(row.IssueBatch, row.algorithm, Kind.BOOKLET, row.first_serial, row.tag, row.signature),
            tuple(
                _signed(
                    row.IssueBatch,
                    row.algorithm,
                    Kind.VOUCHER,
                    serial,
                    by_serial[serial].tag,
                    by_serial[serial].signature,
                )
                for serial in range(row.first_serial, row.first_serial + row.size)
            ),
        )
        for row in booklets
    ]


def _signed(batch: IssueBatch, algorithm: int, kind: Kind, serial: int, tag: int, signature: bytes) -> SignedCode:
    payload = Payload(
        kind=kind,
        booklet_size=batch.booklet_size,
        key_id=batch.key_id,
        serial=serial,
        use_by=batch.use_by,
        face_value_cents=batch.face_value_cents,
        tag=tag,
        algorithm=Algorithm(algorithm),
    )
    return SignedCode(payload, signature)


def refusal_sentence(problem: UnreadableCode | DistrustedCode) -> str:
    """Return the French sentence of a code that is not taken."""
    reason: Unreadable | Distrust = problem.reason
    return reason.sentence
