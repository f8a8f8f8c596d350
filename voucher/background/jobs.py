"""Work that nobody asks for: what the worker does again and again, each job safe to run twice (ledger.md §4).

`voucher work` runs these in their order; so does the demonstration beside its pages.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from voucher.access.links import make_path
from voucher.access.role_ends import end_roles
from voucher.access.unused_accounts import close_unused
from voucher.accounting.match_up import match_up_job
from voucher.distribution.lapse import lapse
from voucher.funding.publish import publish_backing
from voucher.issuing.resume import resume_makings
from voucher.issuing.wrong_code_alarm import watch_wrong_codes
from voucher.kernel.database import Database, whole_turn
from voucher.kernel.money import format_euros
from voucher.kernel.settings import Settings
from voucher.kernel.time_limits import at_length
from voucher.mail.send import send_waiting
from voucher.programme.end_share import run_share_endings
from voucher.proof.sealing import seal_daily
from voucher.redemption.period import close_ended_periods

log = logging.getLogger(__name__)

EVERY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Job:
    """A job: its key, which names its lock and never changes; its French label; what it does to a database at an instant.

    `run` returns a line to show, empty when nothing was due.
    """

    key: str
    label: str
    run: Callable[[Database, Settings, datetime], str]

    @property
    def turn(self) -> str:
        """The turn that a worker holds while it does this job (kernel.database.whole_turn)."""
        return f"job {self.key}"


def _close_periods(database: Database, _settings: Settings, now: datetime) -> str:
    count = close_ended_periods(database, now)
    return f"{count} période(s) close(s) : leur mois est fini" if count else ""


def _lapse(database: Database, _settings: Settings, now: datetime) -> str:
    lapsed = lapse(database, by=None, now=now)
    count = sum(one.stock_count + one.held_count for one in lapsed)
    cents = sum(one.released_cents for one in lapsed)
    return (
        f"{len(lapsed)} commande(s) au bout de leur validité, {count} chèques caducs, {format_euros(cents)} rendus aux conventions"
        if lapsed
        else ""
    )


def _end_roles(database: Database, _settings: Settings, now: datetime) -> str:
    done = end_roles(database, now)
    parts = [f"{done.told_count} personne(s) prévenue(s)"] if done.told_count else []
    parts += [f"{done.ended_count} rôle(s) au bout de leur dernier jour"] if done.ended_count else []
    return ", ".join(parts)


def _close_unused(database: Database, _settings: Settings, now: datetime) -> str:
    done = close_unused(database, now)
    parts = [f"{done.told_count} personne(s) prévenue(s)"] if done.told_count else []
    parts += [f"{done.closed_count} compte(s) fermé(s), sans connexion depuis un an"] if done.closed_count else []
    return ", ".join(parts)


def _send_mail(database: Database, settings: Settings, now: datetime) -> str:
    return send_waiting(database, settings, now, make_path).line


JOBS: Sequence[Job] = (
    Job("periods", "périodes", _close_periods),
    Job("share_endings", "parts", run_share_endings),
    Job("making", "fabrication", resume_makings),
    Job("lapse", "caducité", _lapse),
    Job("backing", "fonds", publish_backing),
    Job("letters", "lettrage", match_up_job),
    Job("role_ends", "rôles", _end_roles),
    Job("unused_accounts", "comptes", _close_unused),
    Job("mail", "messages", _send_mail),
    Job("tries", "essais", watch_wrong_codes),
    Job("seal", "scellement", seal_daily),
)
"""Every job, in the order of a turn. A text that says that a job does something names its key: "job `lapse`"; a test holds it."""


def run_jobs(
    database: Database, settings: Settings, clock: Callable[[], datetime], jobs: Sequence[Job] | None = None
) -> Iterator[str]:
    """Run each job once, in order; give a line for each that did something or failed. One that fails stops no other.

    A job that another worker is doing is passed over.
    """
    for job in JOBS if jobs is None else jobs:
        try:
            with at_length(), whole_turn(database, job.turn) as is_ours:
                line = job.run(database, settings, clock()) if is_ours else ""
        except Exception as error:
            log.exception("the job %s failed", job.key)
            line = f"échec ({type(error).__name__}), nouvel essai au prochain tour"
        if line:
            yield f"{job.label} : {line}"


def work_until(
    stop: threading.Event,
    database: Database,
    settings: Settings,
    clock: Callable[[], datetime],
    every_seconds: float,
    say: Callable[[str], None],
) -> None:
    """Run the jobs again and again until `stop` is set; a job under way is finished first."""
    while not stop.is_set():
        for line in run_jobs(database, settings, clock):
            say(line)
            if stop.is_set():
                return
        stop.wait(every_seconds)
