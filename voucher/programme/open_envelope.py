"""A funder opens an envelope: an amount for a year, posted to the ledger as available."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voucher.kernel.clean_input import required_text
from voucher.kernel.database import Database
from voucher.kernel.idempotency import insert_once
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import EventType
from voucher.ledger.post import Event, post_event
from voucher.programme.model import Envelope, Funder
from voucher.programme.rules import refuse_bad_amount

FISCAL_YEAR_MIN, FISCAL_YEAR_MAX = 2019, 2099


@dataclass(frozen=True, slots=True)
class NewEnvelope:
    """An amount in cents that a funder gives for a fiscal year."""

    id: UUID
    funder_id: UUID
    name: str
    fiscal_year: int
    amount_cents: int


def open_envelope(database: Database, envelope: NewEnvelope, *, by: UUID, now: datetime) -> UUID:
    """Open an envelope and return its id; the same command again changes nothing. Raises Refused (funder, year, amount, name)."""
    refuse_bad_amount(envelope.amount_cents, "amount_cents")
    if not FISCAL_YEAR_MIN <= envelope.fiscal_year <= FISCAL_YEAR_MAX:
        raise Refused(
            "year_out_of_range",
            f"Le programme a commencé en {FISCAL_YEAR_MIN}. Écrivez une année entre {FISCAL_YEAR_MIN} et {FISCAL_YEAR_MAX}.",
            "fiscal_year",
        )
    row: dict[str, object] = {
        "id": envelope.id,
        "funder_id": envelope.funder_id,
        "name": required_text(envelope.name, "name", 120),
        "fiscal_year": envelope.fiscal_year,
        "amount_cents": envelope.amount_cents,
    }
    taken = Refused("envelope_exists", "Ce financeur a déjà une enveloppe de ce nom. Choisissez un autre nom.", "name")
    with database.write() as session:
        if session.get(Funder, envelope.funder_id) is None:
            raise Refused("unknown_funder", "Choisissez un financeur de la liste.", "funder_id")
        if insert_once(session, Envelope, row, {"allocated_cents": 0, "opened_at": now}, taken):
            event = Event(EventType.ENVELOPE_OPENED, envelope.id, now, f"Enveloppe {row['name']}", by)
            post_event(session, event, {}, {envelope.funder_id: envelope.amount_cents})
    return envelope.id
