"""Read what was laid on the counter: codes scanned or typed, checked before any voucher is looked at.

A scanned code is believed when its issuer's key signed it, so a forged one costs no query. A typed one carries no signature: it is
believed when its secret tag is the voucher's, and wrong ones are counted.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from voucher.issuing.code import Kind, UnreadableCode
from voucher.issuing.model import Voucher
from voucher.issuing.recognise_code import Distrust, DistrustedCode, Recognised, find_code, recognise
from voucher.kernel.database import Database
from voucher.redemption.batch_cache import BatchFacts, find_batch
from voucher.redemption.rules import VOUCHERS_MAX, CounterRefusal, Refusal

CODE_CHARACTERS_MAX = 300
_NOT_OF_THIS_BOOKLET = "Ces chèques ne sont pas ceux de ce carnet. Scannez à nouveau sa couverture."
_DISTRUST = {
    Distrust.UNKNOWN_KEY: CounterRefusal.FOREIGN,
    Distrust.FORGED: CounterRefusal.FORGED,
    Distrust.REVOKED_KEY: CounterRefusal.REVOKED_KEY,
    Distrust.UNKNOWN_CODE: CounterRefusal.WRONG_CODE,
}


@dataclass(frozen=True, slots=True)
class CoverPart:
    """Vouchers of a booklet, laid by its cover: the cover's code, and their ranks in the booklet, from 1."""

    code: str
    ranks: tuple[int, ...]

    def __str__(self) -> str:
        """Say the whole part in one text, the same whatever the order of the ranks."""
        return f"{self.code}*{','.join(str(rank) for rank in sorted(set(self.ranks)))}"


Laid = str | CoverPart
"""What is laid on the counter: a voucher's code, as scanned or typed, or a part of a booklet by its cover."""


@dataclass(frozen=True, slots=True)
class Tray:
    """Vouchers of one booklet, each once, in the order of their serials."""

    batch: BatchFacts
    codes: tuple[Recognised, ...]

    @property
    def serials(self) -> tuple[int, ...]:
        """The vouchers' serials."""
        return tuple(code.serial for code in self.codes)

    @property
    def booklet_number(self) -> int:
        """The booklet they all come from."""
        return self.batch.booklet_number(self.codes[0].serial)

    @property
    def is_typed(self) -> bool:
        """Say whether a code was typed: then wrong ones are counted."""
        return not all(code.is_signed for code in self.codes)


def read_any_code(database: Database, text: str) -> Recognised | Refusal:
    """Read one code, voucher or booklet cover, whichever way it came; check its signature when it has one."""
    try:
        return recognise(database, text[:CODE_CHARACTERS_MAX])
    except UnreadableCode as unreadable:
        return Refusal(CounterRefusal.UNREADABLE, detail=unreadable.reason.sentence)
    except DistrustedCode as distrusted:
        return Refusal(_DISTRUST[distrusted.reason])


def read_tray(database: Database, laid: Iterable[Laid]) -> Tray | Refusal:
    """Read the vouchers laid down together. The same voucher twice counts once."""
    codes: dict[int, Recognised] = {}
    for count, one in enumerate(laid, 1):
        if count > VOUCHERS_MAX:
            return Refusal(CounterRefusal.TOO_MANY)
        read = _vouchers_of_cover(database, one) if isinstance(one, CoverPart) else _voucher(database, one)
        if isinstance(read, Refusal):
            return read
        codes.update((code.serial, code) for code in read)
    if not codes:
        return Refusal(CounterRefusal.NO_CODE)
    batch: BatchFacts | None = None
    booklet_number = None
    for code in codes.values():
        batch = find_batch(database, code.serial)
        if batch is None:
            return _unknown(code, is_one_of_several=len(codes) > 1)
        if booklet_number not in (None, batch.booklet_number(code.serial)):
            return Refusal(CounterRefusal.SEVERAL_BOOKLETS)
        booklet_number = batch.booklet_number(code.serial)
    assert batch is not None
    return Tray(batch, tuple(codes[serial] for serial in sorted(codes)))


def _voucher(database: Database, text: str) -> tuple[Recognised] | Refusal:
    code = read_any_code(database, text)
    if isinstance(code, Refusal):
        return code
    return Refusal(CounterRefusal.BOOKLET_COVER) if code.kind is Kind.BOOKLET else (code,)


def _vouchers_of_cover(database: Database, part: CoverPart) -> tuple[Recognised, ...] | Refusal:
    """Read the vouchers that a cover stands for: whoever holds the cover holds the booklet."""
    cover = read_any_code(database, part.code)
    if isinstance(cover, Refusal):
        return cover
    batch = find_batch(database, cover.serial)
    if cover.kind is not Kind.BOOKLET or (
        batch is not None and not all(1 <= rank <= batch.booklet_size for rank in part.ranks)
    ):
        return Refusal(CounterRefusal.UNREADABLE, detail=_NOT_OF_THIS_BOOKLET)
    with database.read() as session:
        if batch is None or find_code(session, cover) is None:
            return _unknown(cover)
        serials = [cover.serial + rank - 1 for rank in part.ranks]
        rows = session.execute(select(Voucher.serial, Voucher.tag).where(Voucher.serial.in_(serials))).all()
    return tuple(Recognised(Kind.VOUCHER, row.serial, row.tag, is_signed=cover.is_signed) for row in rows)


def _unknown(code: Recognised, *, is_one_of_several: bool = False) -> Refusal:
    reason = CounterRefusal.UNKNOWN_VOUCHER if code.is_signed else CounterRefusal.WRONG_CODE
    return Refusal(reason, code.serial, is_one_of_several)
