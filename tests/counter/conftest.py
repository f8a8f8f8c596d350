"""A counter, a booklet that was handed over, and the application that serves them."""

from collections.abc import Iterator

import pytest

from tests.browser import serve
from tests.builders import Issued, a_counter, handed_over_booklets
from tests.clients import app_for
from voucher.kernel.database import Database
from voucher.redemption.answers import Counter


@pytest.fixture
def issued(sqlite_database: Database) -> Issued:
    """A booklet that may be used."""
    return handed_over_booklets(sqlite_database)


@pytest.fixture
def counter(sqlite_database: Database) -> Counter:
    """A place that may redeem."""
    return a_counter(sqlite_database)


@pytest.fixture
def address(sqlite_database: Database) -> Iterator[str]:
    """The address of the application over this test's database."""
    with serve(app_for(sqlite_database)) as found:
        yield found
