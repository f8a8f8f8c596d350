"""What the demonstration prints when it is ready."""

import pytest

from tests.clients import MASTER_KEY
from voucher.cli.demo import _tell
from voucher.kernel.settings import Settings


def test_it_says_where_a_passkey_may_be_tried_since_no_browser_makes_one_for_an_ip_address(
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = Settings(  # type: ignore[call-arg]  # pydantic fills the rest
        secret_key="a secret for tests alone, thirty-two bytes", master_key=MASTER_KEY, base_url="http://127.0.0.1:8100"
    )
    _tell(settings)
    said = capsys.readouterr().out
    assert "Personnel            http://127.0.0.1:8100/personnes/connexion" in said
    assert "Avec une clé d’accès http://localhost:8100/personnes/connexion" in said
