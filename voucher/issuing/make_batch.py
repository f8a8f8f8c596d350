"""Make the booklets and vouchers that an order promised: signed in parallel, stored chunk by chunk.

Each chunk is one transaction that also says how far the making went, so a kill leaves whole chunks: running again
continues with the next one, without a gap and without a double, whoever else is at work on the same batch. Whoever makes
holds the batch's turn, by which the worker sees that somebody is at it (job `making`).
"""

import multiprocessing
import struct
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from voucher.issuing.code import Algorithm
from voucher.issuing.model import Booklet, BookletState, IssueBatch, IssuerKey, Voucher, VoucherState
from voucher.issuing.sign_many import (
    SignedBooklets,
    Signer,
    SigningPlan,
    opened_key,
    sign_in_process,
    start_process,
)
from voucher.kernel.database import Database, changed, whole_turn
from voucher.kernel.refusals import Refused

CODES_PER_CHUNK = 11_000  # a transaction of about a tenth of a second: 1,000 booklets of ten
CHUNKS_WORTH_PROCESSES = 4  # starting processes costs half a second, about what signing three chunks takes
AHEAD = 2  # chunks signed and not stored yet, for each process: it bounds the memory


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the making of a batch went, in booklets and vouchers."""

    made_booklet_count: int
    booklet_count: int
    booklet_size: int

    @property
    def is_finished(self) -> bool:
        """Say whether all that was ordered is made."""
        return self.made_booklet_count == self.booklet_count

    @property
    def made_voucher_count(self) -> int:
        """Count the vouchers made."""
        return self.made_booklet_count * self.booklet_size


@dataclass(frozen=True, slots=True)
class _Work:
    batch_id: UUID
    first_booklet_number: int
    plan: SigningPlan
    sealed_private_key: bytes
    progress: Progress


def make_batch(
    database: Database,
    batch_id: UUID,
    *,
    master_secret: bytes,
    now: datetime,
    processes: int = 2,
    codes_per_chunk: int = CODES_PER_CHUNK,
    on_progress: Callable[[Progress], None] | None = None,
) -> Progress:
    """Make what remains of a batch; a finished one is left as it is. `on_progress` hears of each chunk stored.

    Run it again after a kill, or beside another run: each chunk is stored once. A batch whose key was revoked since is made
    all the same, so that it can be destroyed whole and its credit given back; nobody prints it or hands it over. Raises
    Refused for an unknown batch, and SealBroken when `master_secret` is not the one that sealed the issuer's key.
    """
    with whole_turn(database, turn_of(batch_id)):
        return _make(
            database,
            batch_id,
            master_secret=master_secret,
            now=now,
            processes=processes,
            codes_per_chunk=codes_per_chunk,
            on_progress=on_progress,
        )


def turn_of(batch_id: UUID) -> str:
    """Name the turn that is held while a batch is being made (kernel.database.whole_turn)."""
    return f"making {batch_id}"


def is_being_made(database: Database, batch_id: UUID) -> bool:
    """Say whether somebody is making this batch now: a page, a command or the job `making` (on SQLite, in this process)."""
    with whole_turn(database, turn_of(batch_id)) as is_free:
        return not is_free


def _make(
    database: Database,
    batch_id: UUID,
    *,
    master_secret: bytes,
    now: datetime,
    processes: int,
    codes_per_chunk: int,
    on_progress: Callable[[Progress], None] | None,
) -> Progress:
    while True:
        work = _remaining(database, batch_id)
        progress = work.progress
        if on_progress:
            on_progress(progress)
        if progress.is_finished:
            return progress
        with closing(_signed(work, master_secret, processes, codes_per_chunk)) as chunks:
            for chunk in chunks:
                if not _store(database, work, chunk, now):
                    break  # another run stored it first: look again at what remains
                progress = Progress(chunk.first + chunk.count, progress.booklet_count, progress.booklet_size)
                if on_progress:
                    on_progress(progress)


def unfinished_batches(database: Database) -> list[UUID]:
    """Return the batches that are ordered and not made yet, the oldest first."""
    with database.read() as session:
        return list(
            session.scalars(
                select(IssueBatch.id).where(IssueBatch.finished_at.is_(None)).order_by(IssueBatch.first_serial)
            )
        )


def _remaining(database: Database, batch_id: UUID) -> _Work:
    with database.read() as session:
        found = session.execute(
            select(IssueBatch, IssuerKey)
            .join(IssuerKey, IssuerKey.id == IssueBatch.key_id)
            .where(IssueBatch.id == batch_id)
        ).one_or_none()
        if found is None:
            raise Refused("batch_unknown", "Cette commande n’existe pas. Choisissez-la dans la liste.")
        batch, key = found
        progress = Progress(batch.made_booklet_count, batch.booklet_count, batch.booklet_size)
        plan = SigningPlan(
            key_id=key.id,
            algorithm=Algorithm(key.algorithm),
            first_serial=batch.first_serial,
            booklet_size=batch.booklet_size,
            use_by=batch.use_by,
            face_value_cents=batch.face_value_cents,
        )
        return _Work(batch.id, batch.first_booklet_number, plan, key.sealed_private_key, progress)


def _chunks(progress: Progress, codes_per_chunk: int) -> list[tuple[int, int]]:
    """Cut what remains into (first booklet, count), the first counted from 0 in the batch."""
    size = max(1, codes_per_chunk // (progress.booklet_size + 1))
    starts = range(progress.made_booklet_count, progress.booklet_count, size)
    return [(first, min(size, progress.booklet_count - first)) for first in starts]


def _signed(
    work: _Work, master_secret: bytes, processes: int, codes_per_chunk: int
) -> Generator[SignedBooklets, None, None]:
    """Give the chunks in order, signed here when there are few, else by processes that stay a little ahead."""
    chunks = _chunks(work.progress, codes_per_chunk)
    if processes == 1 or len(chunks) < CHUNKS_WORTH_PROCESSES:
        signer = Signer(work.plan, opened_key(work.plan, work.sealed_private_key, master_secret))
        for first, count in chunks:
            yield signer.sign_booklets(first, count)
        return
    opened_key(work.plan, work.sealed_private_key, master_secret)  # a wrong secret is said here, not in a process
    pool = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),  # never forked: the caller may run threads
        initializer=start_process,
        initargs=(work.plan, work.sealed_private_key, master_secret),
    )
    try:
        waiting: deque[Future[SignedBooklets]] = deque()
        for first, count in chunks:
            waiting.append(pool.submit(sign_in_process, first, count))
            if len(waiting) > processes * AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _store(database: Database, work: _Work, chunk: SignedBooklets, now: datetime) -> bool:
    """Write a chunk in one transaction; return False, writing nothing, when it stands already."""
    made = chunk.first + chunk.count
    step = (
        update(IssueBatch)
        .where(IssueBatch.id == work.batch_id, IssueBatch.made_booklet_count == chunk.first)
        .values(made_booklet_count=made, finished_at=now if made == work.progress.booklet_count else None)
    )
    with database.write() as session:
        if changed(session, step) == 0:
            return False
        if database.is_postgresql:
            _copy(session, work, chunk)
        else:
            booklets, vouchers = _rows(work, chunk)
            session.execute(insert(Booklet), booklets)
            session.execute(insert(Voucher), vouchers)
    return True


def _rows(work: _Work, chunk: SignedBooklets) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    booklets: list[dict[str, object]] = []
    vouchers: list[dict[str, object]] = []
    for number, first_serial, codes in _codes(work, chunk):
        (tag, signature), *of_vouchers = codes
        booklets.append(
            {
                "number": number,
                "batch_id": work.batch_id,
                "first_serial": first_serial,
                "size": work.plan.booklet_size,
                "tag": tag,
                "signature": signature,
                "state": BookletState.ISSUED,
            }
        )
        vouchers += [
            {
                "serial": serial,
                "booklet_number": number,
                "state": VoucherState.ISSUED,
                "tag": tag,
                "signature": signature,
            }
            for serial, (tag, signature) in enumerate(of_vouchers, first_serial)
        ]
    return booklets, vouchers


def _codes(work: _Work, chunk: SignedBooklets) -> Iterator[tuple[int, int, list[tuple[int, bytes]]]]:
    """Give each booklet of a chunk as its number, its first serial and its codes, the cover's first."""
    size = work.plan.booklet_size
    for index in range(chunk.count):
        rank = chunk.first + index
        codes = [chunk.code(index * (size + 1) + offset) for offset in range(size + 1)]
        yield work.first_booklet_number + rank, work.plan.first_serial + rank * size, codes


# PostgreSQL's binary COPY: a header, then for each row its number of fields, then each field behind its length in bytes.
_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_COPY_END = struct.pack(">h", -1)
_STATE = str(VoucherState.ISSUED).encode()
_COPY_BOOKLET = struct.Struct(f">h iq i16s iq ii ii i64s i{len(_STATE)}s")
_COPY_VOUCHER = struct.Struct(f">h iq iq i{len(_STATE)}s ii i64s")


def _copy(session: Session, work: _Work, chunk: SignedBooklets) -> None:
    """Write a chunk by COPY, ten times as fast as INSERT."""
    booklets, vouchers = bytearray(_COPY_HEADER), bytearray(_COPY_HEADER)
    batch, size = work.batch_id.bytes, work.plan.booklet_size
    for number, first_serial, codes in _codes(work, chunk):
        (tag, signature), *of_vouchers = codes
        booklets += _COPY_BOOKLET.pack(
            7, 8, number, 16, batch, 8, first_serial, 4, size, 4, tag, 64, signature, len(_STATE), _STATE
        )
        for serial, (tag, signature) in enumerate(of_vouchers, first_serial):
            vouchers += _COPY_VOUCHER.pack(5, 8, serial, 8, number, len(_STATE), _STATE, 4, tag, 64, signature)
    connection = session.connection().connection.dbapi_connection
    assert isinstance(connection, psycopg.Connection)
    with connection.cursor() as cursor:
        for table, columns, rows in (
            ("booklet", "number, batch_id, first_serial, size, tag, signature, state", booklets),
            ("voucher", "serial, booklet_number, state, tag, signature", vouchers),
        ):
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(rows + _COPY_END)
