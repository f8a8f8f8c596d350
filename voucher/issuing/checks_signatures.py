"""What `voucher verify` proves of codes: each carries the signature of its batch's key. A part of them each day, or all at once.

The part is another one each day: of a batch whose numbers are cut in `n` classes, day `d` reads class `d mod n`, so that after `n`
days in a row every code was read. A signature is checked in 80 µs: a million in a minute and a half.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.issuing.code import Algorithm, Kind, Payload, SignedCode
from voucher.issuing.model import Booklet, IssueBatch, IssuerKey, Voucher
from voucher.issuing.signing import is_authentic
from voucher.kernel.checks import Check, Violation

CODES_OF_A_BATCH = 200
ROWS_MAX = 100
_ROWS_AT_ONCE = 5_000
_SAMPLE = "sample of signatures"
_FRENCH = {Kind.VOUCHER: "chèque", Kind.BOOKLET: "couverture du carnet"}


@dataclass(frozen=True, slots=True)
class Sample:
    """Which codes are read: those of a day's class (`day`, a proleptic ordinal), or all of them (None)."""

    day: int | None = 0

    def step(self, count: int) -> int:
        """Return in how many classes `count` numbers are cut."""
        return 1 if self.day is None else max(1, count // CODES_OF_A_BATCH)


def draw_sample(session: Session, sample: Sample) -> None:
    """Let the check of signatures of this session read these codes."""
    session.info[_SAMPLE] = sample


def check_signatures_are_good(session: Session) -> list[Violation]:
    """Les codes des chèques et des carnets portent la signature de leur clé : une part chaque jour, jamais la même, ou tous."""
    sample = session.info.get(_SAMPLE, Sample())
    found = []
    batches = session.execute(select(IssueBatch, IssuerKey).join(IssuerKey, IssuerKey.id == IssueBatch.key_id))
    for batch, key in batches.all():
        for kind, name, serial, tag, signature in _codes(session, batch, sample):
            if not _is_good(batch, key, kind, serial, tag, signature):
                detail = f"sa signature n’est pas celle de la clé {key.id} sur ce numéro et cette marque ({tag})"
                found.append(Violation("signatures_are_good", f"{_FRENCH[kind]} {name}", detail))
        if len(found) >= ROWS_MAX:
            break
    return found[:ROWS_MAX]


def _codes(session: Session, batch: IssueBatch, sample: Sample) -> Iterator[tuple[Kind, int, int, int, bytes]]:
    """Give each code that is read: what it is of, its name (a serial, a booklet's number), its serial, tag and signature."""
    serials = Voucher.serial.between(batch.first_serial, batch.first_serial + batch.voucher_count - 1)
    booklets = select(Booklet.number, Booklet.first_serial, Booklet.tag, Booklet.signature).where(
        Booklet.batch_id == batch.id
    )
    vouchers = select(Voucher.serial, Voucher.serial, Voucher.tag, Voucher.signature).where(serials)
    for kind, query, number, count in (
        (Kind.BOOKLET, booklets, Booklet.number, batch.booklet_count),
        (Kind.VOUCHER, vouchers, Voucher.serial, batch.voucher_count),
    ):
        step = sample.step(count)
        if step > 1:
            query = query.where(number % step == (sample.day or 0) % step)
        for row in session.execute(query.order_by(number).execution_options(yield_per=_ROWS_AT_ONCE)):
            yield kind, row[0], row[1], row[2], row[3]


def _is_good(batch: IssueBatch, key: IssuerKey, kind: Kind, serial: int, tag: int, signature: bytes) -> bool:
    try:
        payload = Payload(
            kind=kind,
            booklet_size=batch.booklet_size,
            key_id=key.id,
            serial=serial,
            use_by=batch.use_by,
            face_value_cents=batch.face_value_cents,
            tag=tag,
            algorithm=Algorithm(key.algorithm),
        )
        return is_authentic(key.public_key, SignedCode(payload, signature))
    except ValueError:
        return False


CHECKS: tuple[Check, ...] = (check_signatures_are_good,)
