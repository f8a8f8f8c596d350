"""Time what a stranger is answered at the sign-in and at « mot de passe oublié »: nothing must tell whose address has an account.

Each case is tried as often, in turns, from as many networks, so that nothing waits and what the machine does beside falls on all alike.
What is given is the share of pairs in which one case took longer than the other: 50 % tells nothing, and `spread` is how far chance leads.
"""

import math
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count
from statistics import median

from sqlalchemy import update

from benchmarks.table import Row
from tests.clients import a_person, app_for
from voucher.access.model import StaffAccount
from voucher.access.rules import Role
from voucher.kernel.database import Database

TRIES = 200
FORGOTTEN = 60
WRONG = "ce n’est pas le bon mot de passe"
NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)


def run(postgres_url: str) -> list[Row]:
    """Try addresses of four kinds, with passwords hashed at their real cost."""
    database = Database(postgres_url)
    app = app_for(database, NOW)
    app.config.update(WTF_CSRF_ENABLED=False)
    client, networks = app.test_client(), count()

    def post(path: str, **data: str) -> float:
        number = next(networks)
        environ = {"REMOTE_ADDR": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"}
        started = time.perf_counter()
        answer = client.post(path, data=data, environ_base=environ)
        took = time.perf_counter() - started
        assert answer.status_code in (200, 302), answer.status_code
        return took

    def sign_in(email: str) -> float:
        return post("/personnes/connexion", email=email, password=WRONG)

    def forget(email: str) -> float:
        return post("/personnes/mot-de-passe-oublie", email=email)

    kinds = ("wrong password", "unknown address", "closed account", "invited, no password yet")
    signed = _timed({kind: _addresses(database, kind, TRIES) for kind in kinds}, sign_in)
    forgotten = _timed(
        {kind: _addresses(database, kind, FORGOTTEN, "oubli") for kind in ("wrong password", "unknown address")}, forget
    )
    database.dispose()
    rows = [_row(f"sign in, {kind}", signed["wrong password"], signed[kind]) for kind in kinds[1:]]
    return [*rows, _row("« mot de passe oublié », unknown address", *forgotten.values())]


def _addresses(database: Database, kind: str, number: int, tag: str = "") -> list[str]:
    """Return as many addresses of a kind, each tried once."""
    emails = [f"{kind.split()[0].strip(',')}{tag}{rank}@lieu.example" for rank in range(number)]
    if kind != "unknown address":
        ids = [a_person(database, Role.AUDITOR, now=NOW, email=email) for email in emails]
        theirs = update(StaffAccount).where(StaffAccount.id.in_(ids))
        with database.write() as session:
            if kind == "closed account":
                session.execute(theirs.values(closed_at=NOW))
            elif kind == "invited, no password yet":
                session.execute(theirs.values(password_hash=None))
    return emails


def _timed(addresses: dict[str, list[str]], ask: Callable[[str], float]) -> dict[str, list[float]]:
    asked = [(kind, email) for kind, emails in addresses.items() for email in emails]
    random.Random(39).shuffle(asked)
    ask("premier@lieu.example")
    seconds: dict[str, list[float]] = {kind: [] for kind in addresses}
    for kind, email in asked:
        seconds[kind].append(ask(email))
    return seconds


def _row(job: str, known: Sequence[float], other: Sequence[float]) -> Row:
    longer = sum((a > b) + (a == b) / 2 for a in other for b in known) / (len(known) * len(other))
    spread = 2 * math.sqrt((len(known) + len(other) + 1) / (12 * len(known) * len(other)))
    return Row(
        job,
        f"p50 {median(other) * 1000:.1f} ms; longer than a known one in {longer:.1%} of pairs",
        f"p50 {median(known) * 1000:.1f} ms; 50 %",
        f"{longer / 0.5:.2f}",
        f"{len(other)} tries each, in turns; chance alone leads within ±{spread:.1%}",
    )
