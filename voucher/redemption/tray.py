"""Read what was laid on the counter: codes scanned or typed, checked before any voucher is looked at.

A scanned code is believed when its issuer's key signed it, so a forged one costs no query. A typed one carries no signature: it is
believed when its secret tag is the voucher's, and wrong ones are counted.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from voucher.issuing.code import Kind, UnreadableCode
from voucher.issuing.recognise_code import Distrust, DistrustedCode, Recognised, recognise
from voucher.kernel.database import Database
from voucher.redemption.batch_cache import BatchFacts, find_batch
from voucher.redemption.rules import VOUCHERS_MAX, CounterRefusal, Refusal

CODE_CHARACTERS_MAX = 300
_DISTRUST = {
    Distrust.UNKNOWN_KEY: CounterRefusal.FOREIGN,
    Distrust.FORGED: CounterRefusal.FORGED,
    Distrust.REVOKED_KEY: CounterRefusal.REVOKED_KEY,
    Distrust.UNKNOWN_CODE: CounterRefusal.WRONG_CODE,
}


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


def read_tray(database: Database, texts: Iterable[str]) -> Tray | Refusal:
    """Read the vouchers laid down together. The same voucher twice counts once."""
    codes: dict[int, Recognised] = {}
    for count, text in enumerate(texts, 1):
        if count > VOUCHERS_MAX:
            return Refusal(CounterRefusal.TOO_MANY)
        code = read_any_code(database, text)
        if isinstance(code, Refusal):
            return code
        if code.kind is Kind.BOOKLET:
            return Refusal(CounterRefusal.BOOKLET_COVER)
        codes[code.serial] = code
    if not codes:
        return Refusal(CounterRefusal.NO_CODE)
    batch: BatchFacts | None = None
    booklet_number = None
    for code in codes.values():
        batch = find_batch(database, code.serial)
        if batch is None:
            reason = CounterRefusal.UNKNOWN_VOUCHER if code.is_signed else CounterRefusal.WRONG_CODE
            return Refusal(reason, code.serial, len(codes) > 1)
        if booklet_number not in (None, batch.booklet_number(code.serial)):
            return Refusal(CounterRefusal.SEVERAL_BOOKLETS)
        booklet_number = batch.booklet_number(code.serial)
    assert batch is not None
    return Tray(batch, tuple(codes[serial] for serial in sorted(codes)))
