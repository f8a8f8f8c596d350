"""Write an entry and its movements, inside the transaction of the state change it tells."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from voucher.kernel.calendar import paris_day
from voucher.kernel.identifiers import new_id
from voucher.ledger import model
from voucher.ledger.chart import CHART, RULES, AccountKey, Dimension, EventType, Movement, movements_of

# Accounts seen committed, by engine: they never change nor go, so that a redemption need not ask for them again.
_known: WeakKeyDictionary[Engine, set[int]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Event:
    """What happened: its type, the id of the fact it tells (posted once), when, by whom, in words."""

    event_type: EventType
    event_id: UUID
    at: datetime
    narration: str
    by: UUID | None = None


def open_accounts(session: Session, keys: Iterable[AccountKey]) -> None:
    """Make sure that these accounts exist; those that stand already are left as they are."""
    engine = session.get_bind()
    assert isinstance(engine, Engine)
    known = _known.setdefault(engine, set())
    wanted = {key.id: key for key in keys}
    unknown = [number for number in wanted if number not in known]
    if not unknown:
        return
    standing: set[int] = set()
    for start in range(0, len(unknown), 500):
        part = unknown[start : start + 500]
        standing.update(session.scalars(select(model.Account.id).where(model.Account.id.in_(part))))
    known |= standing
    rows = [_account_row(wanted[number]) for number in sorted(unknown) if number not in standing]
    if rows:
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        session.execute(dialect.insert(model.Account).on_conflict_do_nothing(), rows)


def _account_row(key: AccountKey) -> dict[str, object]:
    return {
        "id": key.id,
        "key": key.key,
        "code": key.code,
        "book": CHART[key.code].book,
        "funder_id": key.funder_id,
        "agreement_id": key.agreement_id,
        "structure_id": key.structure_id,
        "bank_account_id": key.bank_account_id,
    }


def post(session: Session, event: Event, movements: Sequence[Movement]) -> UUID:
    """Write one entry with its movements; return its id. Raises IntegrityError when the event was posted before."""
    open_accounts(session, (key for movement in movements for key in (movement.debit, movement.credit)))
    entry_id = new_id()
    session.execute(
        insert(model.Movement),
        [
            {
                "entry_id": entry_id,
                "rank": rank,
                "book": CHART[movement.debit.code].book,
                "debit_account_id": movement.debit.id,
                "credit_account_id": movement.credit.id,
                "amount_cents": movement.amount_cents,
            }
            for rank, movement in enumerate(movements, 1)
        ],
    )
    close_entry(session, event, entry_id, len(movements), sum(movement.amount_cents for movement in movements))
    return entry_id


def close_entry(
    session: Session,
    event: Event,
    entry_id: UUID,
    movement_count: int,
    total_cents: int,
    reverses_id: UUID | None = None,
) -> None:
    """Write the entry of movements that stand already: what a set-based statement wrote. The database checks the sums."""
    session.execute(
        insert(model.Entry).values(
            id=entry_id,
            event_type=event.event_type,
            event_id=event.event_id,
            journal=RULES[event.event_type].journal,
            posted_at=event.at,
            posted_by=event.by,
            effective_on=paris_day(event.at),
            narration=event.narration,
            movement_count=movement_count,
            total_cents=total_cents,
            reverses_id=reverses_id,
        )
    )


def post_event(
    session: Session, event: Event, dimensions: Mapping[Dimension, UUID], amounts_cents: Mapping[UUID, int]
) -> UUID:
    """Post an event as the chart's table says; `amounts_cents` gives each funder's part, in cents."""
    return post(session, event, movements_of(event.event_type, dimensions, amounts_cents))


def reverse(session: Session, event: Event, entry_id: UUID) -> UUID:
    """Post the contrary of an entry, movement by movement. Raises IntegrityError when it was reversed before."""
    moves = session.execute(
        select(
            model.Movement.rank,
            model.Movement.book,
            model.Movement.debit_account_id,
            model.Movement.credit_account_id,
            model.Movement.amount_cents,
        ).where(model.Movement.entry_id == entry_id)
    ).all()
    reversal_id = new_id()
    session.execute(
        insert(model.Movement),
        [
            {
                "entry_id": reversal_id,
                "rank": move.rank,
                "book": move.book,
                "debit_account_id": move.credit_account_id,
                "credit_account_id": move.debit_account_id,
                "amount_cents": move.amount_cents,
            }
            for move in moves
        ],
    )
    close_entry(session, event, reversal_id, len(moves), sum(move.amount_cents for move in moves), entry_id)
    return reversal_id


def entry_of(session: Session, event_type: EventType, event_id: UUID) -> UUID:
    """Return the entry that tells an event. Raises NoResultFound."""
    return session.execute(
        select(model.Entry.id).where(model.Entry.event_type == event_type, model.Entry.event_id == event_id)
    ).scalar_one()
