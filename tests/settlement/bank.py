"""A bank to test against: mock-bank on a free port of the loopback, with our account and a clock that tests move."""

import json
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import date
from types import TracebackType
from typing import Any, Self

from mockbank import Config, make_server  # type: ignore[import-untyped]  # it ships no types

OUR_IBAN = "FR7630006000011234567890189"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the bank: its ISO name, such as `pain.002.001.10`, and its bytes."""

    type: str
    content: bytes


class Bank:
    """`with Bank(today=date(2026, 11, 23)) as bank:`: holds our account (by default 1 M€), speaks pain and camt.

    Amounts are cents. Bank days end at midnight in Paris; `advance_to(day)` moves there and issues the statements of the
    business days it crosses. `send` gives the bank's answers, `messages("camt.053")` what it has said since the last call.
    """

    def __init__(self, *, today: date, iban: str = OUR_IBAN, balance_cents: int = 100_000_000) -> None:
        self._config = Config(
            port=0, quiet=True, timezone="Europe/Paris", clock=f"{today.isoformat()}T09:00", db_path=":memory:"
        )
        self._iban = iban
        self._balance_cents = balance_cents
        self._accounts = 0

    def __enter__(self) -> Self:
        self._server = make_server(self._config)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self._base = f"http://127.0.0.1:{self._server.server_address[1]}"
        for account in self._call("GET", "/_mock/accounts"):
            # Only our own account issues statements.
            self._call("PATCH", f"/_mock/accounts/{account['id']}", {"closed": 1})
        self._call(
            "POST",
            "/_mock/accounts",
            {"id": "OURS", "name": "Pass numerique", "iban": self._iban, "balance": self._balance_cents},
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _call(self, method: str, path: str, body: Any = None, raw: bytes | None = None) -> Any:
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        kind = "application/xml" if raw is not None else "application/json"
        request = urllib.request.Request(self._base + path, data=data, method=method, headers={"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as refused:
            with refused:
                answer = json.load(refused)
            if refused.code != 422:  # a refused payment file is an answer, told in the pain.002
                raise AssertionError(f"{method} {path}: {answer}") from None
            return answer

    def behave(self, behaviour: str, **parameters: object) -> None:
        """Change what the bank does with our account: `silent`, `reject-file`, `statement-gap`, `return-later`, `accept`…"""
        self._call("PATCH", "/_mock/accounts/OURS", {"behaviour": behaviour, "parameters": parameters})

    def return_later(self, end_to_end_id: str, *, days: int = 3, reason: str = "AC04") -> None:
        """Settle that transfer, then send it back some business days later."""
        self.behave("return-later", end_to_end_id=end_to_end_id, days=days, reason=reason)

    def close_account(self, iban: str) -> None:
        """Have the account of a structure closed at this very bank: transfers to it are rejected with AC04."""
        self._accounts += 1
        account = {
            "id": f"S{self._accounts}",
            "name": "Structure",
            "iban": iban,
            "closed": 1,
            "behaviour": "closed-account",
        }
        self._call("POST", "/_mock/accounts", account)

    def receive_credit(self, amount_cents: int, *, name: str, note: str = "") -> None:
        """Have someone pay money into our account."""
        body = {"account": "OURS", "amount": amount_cents, "note": note, "debtor": {"name": name}}
        self._call("POST", "/_mock/credits", body)

    def send(self, pain001: bytes) -> list[Message]:
        """Give the bank a payment file and return what it answers at once (its pain.002, and what books today)."""
        self._call("POST", "/payments", raw=pain001)
        return self.messages()

    def answer(self, pain001: bytes) -> bytes:
        """Give the bank a payment file and return its report on it (pain.002)."""
        (report,) = [message.content for message in self.send(pain001) if message.type.startswith("pain.002")]
        return report

    def advance_to(self, day: date) -> None:
        """Move the bank's clock to the beginning of a day."""
        self._call("POST", f"/_mock/advance?to={day.isoformat()}")

    def messages(self, kind: str = "") -> list[Message]:
        """Collect the messages not yet collected, oldest first, of one kind or of all."""
        found = self._call("GET", f"/_mock/mailbox?type={kind}")
        return [Message(message["type"], message["body"].encode()) for message in found]

    def statements(self) -> list[bytes]:
        """Collect the camt.053 statements not yet collected, oldest first."""
        return [message.content for message in self.messages("camt.053")]
