"""The collector of cycles passes less often in each process that starts: the pages' and the commands'."""

import gc
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from voucher.cli.main import main
from voucher.kernel.collector import NEW_OBJECTS
from wsgi import create_app


@pytest.fixture(autouse=True)
def _pythons_own() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def test_in_the_process_of_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASS_PROXY_COUNT", "dix")
    with pytest.raises(SystemExit):
        create_app()
    assert gc.get_threshold()[0] == NEW_OBJECTS


def test_in_the_process_of_a_command() -> None:
    CliRunner().invoke(main, ["chart", "check"])
    assert gc.get_threshold()[0] == NEW_OBJECTS
