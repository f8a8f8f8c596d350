"""Redeem over HTTP: gunicorn, PostgreSQL, 1, 4 and 16 clients; beside the same SQL, statement by statement, under pgbench."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import make_url

from benchmarks.table import Row
from tests.builders import MASTER_SECRET, NOW, SOMEONE, Issued, a_counter, an_agreement
from tests.clients import MASTER_KEY, a_person, app_for, csrf_token, sign_in
from tests.engines import postgresql_binaries
from voucher.access.rules import Role
from voucher.issuing.make_batch import make_batch
from voucher.issuing.order import order_vouchers
from voucher.issuing.recognise_code import stored_codes
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.redemption.answers import Counter
from voucher.redemption.batch_cache import find_batch
from voucher.redemption.period import period_lock_key

CLIENTS = (1, 4, 16)
SECONDS = 6.0
WARM_UP = 300
BOOKLETS = 40_000
BOOKLET_SIZE = 10
HTTP_SHARE = 8  # one voucher in so many is redeemed over HTTP; pgbench is faster and takes the rest
WORKERS, THREADS = 2, 8
START_SECONDS = 20.0
WORKSHOP = "everyday_digital_tools"


def run(postgres_url: str) -> list[Row]:
    """Measure each number of clients over HTTP, then under pgbench, on vouchers never used before."""
    database = Database(postgres_url)
    issued = _seed(database)
    counter = a_counter(database)
    job = _job(database, issued, counter)
    first_free = issued.first_serial + issued.voucher_count // HTTP_SHARE
    rows = []
    with tempfile.TemporaryDirectory() as folder, _gunicorn(postgres_url, Path(folder)) as path:
        bodies = iter(job["bodies"])
        _http(path, 4, 2.0, job, [next(bodies) for _ in range(WARM_UP)])
        for clients in CLIENTS:
            share = len(job["bodies"]) // (len(CLIENTS) + 1)
            http = _http(path, clients, SECONDS, job, [body for body, _ in zip(bodies, range(share), strict=False)])
            raw_per_second, used = _pgbench(database, postgres_url, counter, first_free, clients, Path(folder))
            first_free += used
            ratio = http["per_second"] / raw_per_second
            rows.append(
                Row(
                    f"redeem over HTTP, {clients} client{'s' if clients > 1 else ''}",
                    f"{http['per_second']:.0f} requests/s, p50 {http['p50_ms']:.1f} ms, p99 {http['p99_ms']:.1f} ms",
                    f"{raw_per_second:,.0f} transactions/s",
                    f"{ratio:.3f}",
                    f"gunicorn, {WORKERS} workers of {THREADS} threads; pgbench -M prepared, same statements"
                    + (f"; {http['refused']} refused" if http["refused"] else ""),
                )
            )
    database.dispose()
    return rows


def _seed(database: Database) -> Issued:
    """Issue booklets by the use case, then hand all of them over by two statements."""
    agreed = an_agreement(database, committed_cents=900_000_000, ceiling_cents=900_000_000, booklet_size=BOOKLET_SIZE)
    order = order_vouchers(database, new_id(), agreed.agreement_id, BOOKLETS, by=SOMEONE, now=NOW)
    make_batch(database, order.batch_id, master_secret=MASTER_SECRET, now=NOW)
    with database.write() as session:
        session.execute(text("UPDATE booklet SET state = 'handed_over'"))
        session.execute(text("UPDATE voucher SET state = 'handed_over'"))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return Issued(
        agreed, order.batch_id, order.first_serial, order.first_booklet_number, order.booklet_count, order.voucher_count
    )


def _job(database: Database, issued: Issued, counter: Counter) -> dict[str, Any]:
    """Sign a mediator in, choose the place, and prepare one request a voucher."""
    app = app_for(database)
    client = sign_in(app, database, a_person(database, Role.MEDIATOR, counter.structure_id))
    client.get("/comptoir/lieux")
    token = csrf_token(client.get("/comptoir/").text)
    cookies = "; ".join(
        f"{name}={cookie.value}" for name in ("pass_session", "pass_form") if (cookie := client.get_cookie(name))
    )
    with database.read() as session:
        booklets = stored_codes(session, issued.first_booklet_number, BOOKLETS // HTTP_SHARE)
    codes = [code.to_url("http://127.0.0.1:8000") for booklet in booklets for code in booklet.vouchers]
    app.extensions["services"].database.dispose()
    return {
        "path": "/comptoir/api/redeem",
        "headers": {
            "Host": "127.0.0.1",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Cookie": cookies,
            "X-CSRFToken": token,
        },
        "bodies": [
            json.dumps({"place": str(counter.place_id), "id": str(new_id()), "codes": [code], "service": WORKSHOP})
            for code in codes
        ],
    }


@contextmanager
def _gunicorn(postgres_url: str, folder: Path) -> Iterator[str]:
    """Serve the application on a unix socket, as production does."""
    path = str(folder / "gunicorn.sock")
    environment = os.environ | {
        "PASS_DATABASE_URL": postgres_url,
        "PASS_SECRET_KEY": "a secret for tests alone, thirty-two bytes",
        "PASS_MASTER_KEY": MASTER_KEY,
    }
    command = [
        sys.executable, "-m", "gunicorn", "--bind", f"unix:{path}", "--workers", str(WORKERS), "--worker-class", "gthread",
        "--threads", str(THREADS), "--keep-alive", "30", "--log-level", "warning",
        "--logger-class", "voucher.web.logs.CodeFreeLogger", "wsgi:create_app()",
    ]  # fmt: skip
    server = subprocess.Popen(command, env=environment)
    try:
        _wait_for(path)
        yield path
    finally:
        server.terminate()
        server.wait(START_SECONDS)


def _wait_for(path: str) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(path)
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def _http(path: str, clients: int, seconds: float, job: dict[str, Any], bodies: list[str]) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.redeem_client", path, str(clients), str(seconds)]
    done = subprocess.run(
        command, input=json.dumps({**job, "bodies": bodies}), capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _pgbench(
    database: Database, postgres_url: str, counter: Counter, first_serial: int, clients: int, folder: Path
) -> tuple[float, int]:
    """Return the transactions a second of the bare SQL, and how many serials were set aside for it."""
    script = folder / "redeem.sql"
    script.write_text(_transaction(database, counter, first_serial))
    address = make_url(postgres_url)
    each = BOOKLETS * BOOKLET_SIZE * (HTTP_SHARE - 1) // HTTP_SHARE // len(CLIENTS) // clients
    command = [
        _pgbench_program(), "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2)), "-T", str(int(SECONDS)),
        "-D", "n=0", "-D", f"each={each}", "-D", f"first={first_serial}", "-f", str(script),
        "-h", str(address.query.get("host") or address.host), "-U", str(address.username), str(address.database),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found is not None, done.stdout
    return float(found[1]), each * clients


def _pgbench_program() -> str:
    beside = postgresql_binaries() / "pgbench"
    found = str(beside) if beside.exists() else shutil.which("pgbench")
    if found is None:
        raise RuntimeError("pgbench was not found: install the Debian package postgresql")
    return found


def _transaction(database: Database, counter: Counter, serial: int) -> str:
    """Return the statements of one redemption, as the application sends them, for one voucher of two funders."""
    batch = find_batch(database, serial)
    assert batch is not None
    with database.read() as session:
        accounts = session.execute(
            text("SELECT code, funder_id, id FROM account WHERE code IN ('8050', '8045', '4430', '4670')")
        ).all()
    by_code: dict[str, list[int]] = {}
    for code, _, number in sorted(accounts, key=lambda row: (row[0], str(row[1]))):
        by_code.setdefault(code, []).append(number)
    part = batch.face_value_cents // 2
    moves = [
        f"(md5('e' || :serial)::uuid, {rank}, '{book}', {debit}, {credit}, {part})"
        for rank, (book, debit, credit) in enumerate(
            [
                *(("budget", debit, credit) for debit, credit in zip(by_code["8050"], by_code["8045"], strict=True)),
                *(("general", debit, by_code["4670"][0]) for debit in by_code["4430"]),
            ],
            1,
        )
    ]
    place, structure, someone = counter.place_id, counter.structure_id, UUID(int=1)
    booklet = f"({batch.first_booklet_number} + (:serial - {batch.first_serial}) / {batch.booklet_size})"
    return f"""\\set n :n + 1
\\set serial :first + :client_id * :each + :n
BEGIN;
SELECT pg_advisory_xact_lock_shared({period_lock_key(batch.agreement_id)}), pg_advisory_xact_lock(:serial + 1000000000000);
UPDATE voucher SET state = 'redeemed' WHERE serial = :serial AND tag = tag AND state = 'handed_over' AND NOT EXISTS (SELECT * FROM refused_attempt WHERE id = md5('r' || :serial)::uuid) AND EXISTS (SELECT * FROM issuer_key WHERE id = {batch.key_id} AND state != 'revoked') AND EXISTS (SELECT * FROM place, structure WHERE place.id = '{place}' AND place.structure_id = '{structure}' AND is_open AND structure.id = place.structure_id AND structure.state = 'qualified');
INSERT INTO redemption (id, fingerprint, booklet_number, agreement_id, structure_id, place_id, service, mediator_id, redeemed_at, voucher_count, amount_cents, period_id, remaining_count, state) SELECT md5('r' || :serial)::uuid, '\\x00', {booklet}, '{batch.agreement_id}', '{structure}', '{place}', '{WORKSHOP}', '{someone}', now(), 1, {batch.face_value_cents}, period.id, (SELECT count(*) FROM voucher WHERE serial BETWEEN :serial - 5 AND :serial + 4 AND (state = 'handed_over' OR state = 'handed_over')), 'confirmed' FROM period WHERE agreement_id = '{batch.agreement_id}' AND closed_at IS NULL RETURNING remaining_count;
INSERT INTO redeemed_voucher (redemption_id, serial, is_live) VALUES (md5('r' || :serial)::uuid, :serial, true);
INSERT INTO movement (entry_id, rank, book, debit_account_id, credit_account_id, amount_cents) VALUES {", ".join(moves)};
INSERT INTO entry (id, event_type, event_id, journal, posted_at, posted_by, effective_on, narration, movement_count, total_cents) VALUES (md5('e' || :serial)::uuid, 'vouchers_redeemed', md5('r' || :serial)::uuid, 'CH', now(), '{someone}', current_date, 'Carnet : 1 chèque(s)', {len(moves)}, {part * len(moves)});
COMMIT;
"""
