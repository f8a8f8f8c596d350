"""What tests of several doors share."""

from collections.abc import Iterator

import pytest

from tests.access.provided import NOW
from tests.stub_provider import StubProvider, open_provider


@pytest.fixture
def provider() -> Iterator[StubProvider]:
    """A provider whose clock is ours."""
    with open_provider(NOW.timestamp) as opened:
        yield opened
