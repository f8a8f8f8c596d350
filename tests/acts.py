"""What processes that are killed do, where a use case alone cannot be sent to them: bytes to produce, a turn of the worker."""

import io
from collections.abc import Sequence
from datetime import datetime

from tests.builders import MASTER_SECRET, SOMEONE
from tests.clients import settings_for
from voucher.accounting.fec import fec_file
from voucher.background.jobs import run_jobs
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.ledger.chart_file import OWN_NUMBERS
from voucher.ledger.checkpoint import origin_of
from voucher.mail.send import send_waiting
from voucher.programme.parties import NewFunder, register_funder
from voucher.programme.programme_key import programme_key
from voucher.proof.export_audit import export_audit
from voucher.trail.seal import Sealed, seal

ORIGIN = origin_of("http://127.0.0.1:8000")


def fec_bytes(database: Database, siren: str, year: int, *, now: datetime) -> bytes:
    """Produce a FEC."""
    return b"".join(fec_file(database, siren, year, numbers=OWN_NUMBERS, now=now).chunks)


def audit_bytes(database: Database) -> bytes:
    """Produce an audit archive."""
    out = io.BytesIO()
    export_audit(database, out, origin=ORIGIN, key=programme_key(MASTER_SECRET))
    return out.getvalue()


def seal_entries(database: Database, *, now: datetime) -> Sealed | None:
    """Seal what waits."""
    return seal(database, origin=ORIGIN, key=programme_key(MASTER_SECRET), now=now)


def one_turn(database: Database, *, now: datetime) -> Sequence[str]:
    """Do what the worker does in a turn."""
    return list(run_jobs(database, settings_for(database), lambda: now))


def send_mail(database: Database, smtp_url: str, *, now: datetime) -> int:
    """Send what waits; return how many were sent."""
    return send_waiting(database, settings_for(database, smtp_url=smtp_url), now).sent_count


def two_funders(database: Database, *, now: datetime) -> None:
    """Do what no command may: two transactions that do not know whether they were made before."""
    for rank in range(2):
        register_funder(database, NewFunder(new_id(), f"Financeur {rank} {new_id()}", "state"), by=SOMEONE, now=now)
