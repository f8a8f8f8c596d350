"""Work that nobody asks for: what the worker does again and again, each job safe to run twice (ledger.md §5).

`voucher work` runs these in their order; so does the demonstration beside its pages.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from voucher.funding.publish import publish_backing
from voucher.kernel.database import Database
from voucher.kernel.settings import Settings
from voucher.proof.sealing import seal_daily


@dataclass(frozen=True, slots=True)
class Job:
    """A job: its name, and what it does to a database at an instant; it returns a line to show, empty when nothing was due."""

    name: str
    run: Callable[[Database, Settings, datetime], str]


JOBS: Sequence[Job] = (Job("fonds", publish_backing), Job("scellement", seal_daily))
