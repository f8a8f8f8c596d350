"""Whose key signs the journal at each size: the programme's, and before a take-over that of the operator before.

Keys follow one another by the notes of hand-overs (`handover`). One key that is known from outside proves the whole chain: back
from it, since the one who took over signed; forward from it, since the operator before signed. Who owns the database has no
such signature to give.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.ledger.checkpoint import BadNote, Checkpoint
from voucher.ledger.operator_change import is_signed_by, read_handover
from voucher.ledger.seal_model import SealHandover


@dataclass(frozen=True, slots=True)
class JournalKeys:
    """The keys in force: `before` are those of operators before, each up to a size; `current` is today's, None if unknown.

    `faults` says what is wrong of the hand-over at a size; `sealed` is what each hand-over says of the journal.
    """

    before: tuple[tuple[int, bytes], ...]
    current: bytes | None
    faults: tuple[tuple[int, str], ...] = ()
    sealed: tuple[Checkpoint, ...] = ()

    @property
    def since(self) -> int:
        """The size at which today's operator took over; 0 for the first one."""
        return self.before[-1][0] if self.before else 0

    def of(self, size: int) -> bytes | None:
        """Return the key that signs a checkpoint of that size."""
        return next((key for until, key in self.before if size <= until), self.current)


def journal_keys(session: Session, trusted: bytes | None) -> JournalKeys:
    """Return the journal's keys. `trusted` is one that is known from outside, of today's operator or of one before."""
    rows = session.execute(select(SealHandover.__table__).order_by(SealHandover.size)).all()
    if not rows:
        return JournalKeys((), trusted)
    chain = [rows[0].previous_public_key, *(row.public_key for row in rows)]
    place = chain.index(trusted) if trusted in chain else len(rows)
    faults, sealed = [], []
    for number, row in enumerate(rows):
        faults += [(row.size, why) for why in _faults(row, chain[number], is_after_trusted=number >= place)]
        try:
            handover = read_handover(row.note)
        except BadNote:
            continue  # named among the faults
        sealed.append(Checkpoint("", handover.size, handover.root))
    if trusted and trusted not in chain:
        faults.append((rows[-1].size, "elle ne mène ni à la clé connue, ni depuis elle"))
    before = tuple((row.size, row.previous_public_key) for row in rows)
    return JournalKeys(before, trusted if trusted and trusted not in chain else chain[-1], tuple(faults), tuple(sealed))


def _faults(row: Any, previous: bytes, *, is_after_trusted: bool) -> Iterator[str]:
    """Say what a hand-over lacks to be believed; from the trusted key on, the operator before must have signed it."""
    try:
        said = read_handover(row.note)
    except BadNote as bad:
        yield str(bad)
        return
    if (said.size, said.previous_key, said.next_key) != (row.size, row.previous_public_key, row.public_key):
        yield "sa note dit une autre taille ou d’autres clés"
    if row.previous_public_key != previous:
        yield "elle ne part pas de la clé d’avant"
    if not is_signed_by(row.note, said.next):
        yield "celui qui reprend ne l’a pas signée"
    if is_after_trusted and not is_signed_by(row.note, said.previous):
        yield "l’opérateur d’avant ne l’a pas signée"
