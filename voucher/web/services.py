"""What every view needs of its application: the database, the settings, the hour."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import current_app

from voucher.kernel.database import Database
from voucher.kernel.settings import Settings


def utc_now() -> datetime:
    """Return the present instant: the only place where pages read the clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Services:
    """The application's parts, put together once by the composition root."""

    database: Database
    settings: Settings
    now: Callable[[], datetime] = utc_now


def services() -> Services:
    """Return the house of the application that answers this request."""
    found = current_app.extensions["services"]
    assert isinstance(found, Services)
    return found
