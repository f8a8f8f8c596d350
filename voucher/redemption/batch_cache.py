"""What never changes of an issue batch: its range of serials, its value, its dates, its funders. Read once a process."""

from bisect import bisect_right, insort
from dataclasses import dataclass
from threading import Lock
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import bindparam, select

from voucher.issuing.model import IssueBatch
from voucher.issuing.shares import FunderShares, shares_of_batch
from voucher.kernel.calendar import ThreeDates
from voucher.kernel.database import Database
from voucher.programme.model import Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFacts:
    """The immutable facts that redeeming needs; with them, a voucher's booklet, value and shares follow from its serial."""

    batch_id: UUID
    agreement_id: UUID
    issuer_id: UUID
    key_id: int
    first_serial: int
    voucher_count: int
    first_booklet_number: int
    booklet_size: int
    face_value_cents: int
    dates: ThreeDates
    is_handover_required: bool
    shares: FunderShares

    def booklet_index(self, serial: int) -> int:
        """Return which booklet of the batch, from 0, a voucher belongs to."""
        return (serial - self.first_serial) // self.booklet_size

    def booklet_number(self, serial: int) -> int:
        """Return the number of a voucher's booklet."""
        return self.first_booklet_number + self.booklet_index(serial)

    def booklet_first_serial(self, serial: int) -> int:
        """Return the serial of the first voucher of a voucher's booklet."""
        return self.first_serial + self.booklet_index(serial) * self.booklet_size

    def amounts_of(self, serials: tuple[int, ...]) -> dict[UUID, int]:
        """Return what each funder pays, in cents, of these vouchers."""
        return self.shares.amounts_of(serial - self.first_serial for serial in serials)


class _BatchCache:
    """The batches one process knows of one database, by first serial."""

    def __init__(self) -> None:
        self.first_serials: list[int] = []
        self.batches: dict[int, BatchFacts] = {}
        self.lock = Lock()

    def find(self, serial: int) -> BatchFacts | None:
        at = bisect_right(self.first_serials, serial) - 1
        if at < 0:
            return None
        batch = self.batches[self.first_serials[at]]
        return batch if serial < batch.first_serial + batch.voucher_count else None

    def keep(self, batch: BatchFacts) -> None:
        with self.lock:
            if batch.first_serial not in self.batches:
                self.batches[batch.first_serial] = batch
                insort(self.first_serials, batch.first_serial)


_shelves: WeakKeyDictionary[Database, _BatchCache] = WeakKeyDictionary()

_BATCH = (
    select(
        IssueBatch.id,
        IssueBatch.agreement_id,
        Agreement.issuer_id,
        IssueBatch.key_id,
        IssueBatch.first_serial,
        IssueBatch.voucher_count,
        IssueBatch.first_booklet_number,
        IssueBatch.booklet_size,
        IssueBatch.face_value_cents,
        IssueBatch.use_by,
        IssueBatch.grace_until,
        IssueBatch.present_by,
        IssueBatch.is_handover_required,
    )
    .join(Agreement, Agreement.id == IssueBatch.agreement_id)
    .where(IssueBatch.first_serial <= bindparam("serial"))
    .where(IssueBatch.first_serial + IssueBatch.voucher_count > bindparam("serial"))
)


def find_batch(database: Database, serial: int) -> BatchFacts | None:
    """Return the batch that holds a serial, or None. One query the first time; none for its other vouchers."""
    shelf = _shelves.get(database)
    if shelf is None:
        shelf = _shelves.setdefault(database, _BatchCache())
    if (known := shelf.find(serial)) is not None:
        return known
    with database.read() as session:
        row = session.execute(_BATCH, {"serial": serial}).one_or_none()
        if row is None:
            return None
        shares = shares_of_batch(session, row.id)
    batch = BatchFacts(
        batch_id=row.id,
        agreement_id=row.agreement_id,
        issuer_id=row.issuer_id,
        key_id=row.key_id,
        first_serial=row.first_serial,
        voucher_count=row.voucher_count,
        first_booklet_number=row.first_booklet_number,
        booklet_size=row.booklet_size,
        face_value_cents=row.face_value_cents,
        dates=ThreeDates(row.use_by, row.grace_until, row.present_by),
        is_handover_required=row.is_handover_required,
        shares=shares,
    )
    shelf.keep(batch)
    return batch
