"""Two fiscal years of three agreements and five funders, told by dice: rejects, returns, disputes, claw-backs, a lapsed balance, a
take-over by another operator on the other engine. At the end the books, the archive's own verifier and the bank agree."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.clients import settings_for
from tests.simulation.finance import (
    Desk,
    close_fiscal_year,
    close_month,
    end_agreements,
    mend_bank_details,
    open_desk,
    seal_journal,
)
from tests.simulation.months import last_day_of, live
from tests.simulation.world import HOLDER_SIREN, open_world
from voucher.access.rules import Role
from voucher.accounting.fec import fec_file, holders
from voucher.accounting.fec_checker import check_fec
from voucher.demonstration.story import Story
from voucher.issuing.keys import forget_keys
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.ledger.chart import CHART
from voucher.ledger.chart_file import OWN_NUMBERS
from voucher.ledger.checkpoint import origin_of, verifier_key
from voucher.ledger.read import balances
from voucher.programme.programme_key import programme_key
from voucher.proof.export_audit import export_audit
from voucher.reporting.verify import verify
from voucher.takeover.export import export_takeover
from voucher.takeover.importing import import_takeover

SEEDS = range(1, 1 + int(os.environ.get("PASS_SIMULATE_SEEDS", "1")))
FIRST_MONTH, TAKE_OVER, END = date(2025, 3, 1), date(2026, 5, 1), date(2027, 3, 1)
FIRST_SECRET, SECOND_SECRET = bytes.fromhex("0f" * 32), bytes.fromhex("2e" * 32)
BOOKLETS, VISITS = 30, 4  # for an agreement; for an agreement and a month


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("engine", "other"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_two_years_of_finance_and_a_take_over_leave_books_that_three_readers_agree_on(
    open_database: Callable[[str], AbstractContextManager[Database]], engine: str, other: str, seed: int, tmp_path: Path
) -> None:
    with open_database(engine) as first, open_database(other) as second:
        by = {str(role): new_id() for role in Role}
        dice = random.Random(seed)
        story = Story(first, datetime(2027, 3, 10, tzinfo=UTC), FIRST_SECRET, "http://127.0.0.1:8000", dice, by)
        desk = open_desk(open_world(story, BOOKLETS))
        month = FIRST_MONTH
        while month < END:
            if month == TAKE_OVER:
                _take_over(desk, second, tmp_path / "reprise.zip", month)
            done = [one for agreed in desk.world.agreements for one in live(desk.world, agreed, month, VISITS)]
            close_month(desk, month, done)
            month = last_day_of(month) + timedelta(days=1)
            mend_bank_details(desk, month)
            if month.month == 3:
                assert _violations(story.database) == []
                close_fiscal_year(desk, month.year - 1)
                end_agreements(desk, month.year - 1)
                seal_journal(desk, date(month.year, 3, 7))
        assert story.database is second
        assert _violations(second) == []
        _everything_happened(desk)
        _the_bank_agrees(desk)
        _the_archive_agrees(desk, tmp_path)
        _the_fecs_pass(second)


def _violations(database: Database) -> list[object]:
    return [violation for result in verify(database) for violation in result.violations]


def _take_over(desk: Desk, other: Database, path: Path, day: date) -> None:
    """Let another operator take everything over: its own database, its own secrets; then tell the story on."""
    story, now = desk.story, datetime(day.year, day.month, day.day, 4, tzinfo=UTC)
    before = _balances(story.database)
    export_takeover(story.database, path, settings=settings_for(story.database), now=now)
    import_takeover(other, path, origin=origin_of(story.base_url), master_secret=SECOND_SECRET, now=now)
    story.database, story.master_secret = other, SECOND_SECRET
    forget_keys(other)
    assert _balances(other) == before
    assert _violations(other) == []


def _balances(database: Database) -> dict[int, int]:
    return {one.id: one.balance_cents for one in balances(database)}


def _everything_happened(desk: Desk) -> None:
    """The dice must have thrown what the simulation is for."""
    needed = ("rejected", "returned", "upheld", "dismissed", "lapsed cents", "final balances", "calls paid")
    assert [what for what in needed if not desk.counts.get(what)] == []
    codes = {one.code for one in balances(desk.story.database) if one.debit_cents or one.credit_cents}
    assert codes >= set(CHART) - {"6540"}  # nothing was written off


def _the_bank_agrees(desk: Desk) -> None:
    """What the bank booked, by its own books, is what the ledger says of each account."""
    held = {one.bank_account_id: one.balance_cents for one in balances(desk.story.database) if one.code == "5120"}
    by_bank = []
    for agreed in desk.world.agreements:
        account = desk.accounts[agreed.plan.number]
        by_bank.append(account.received_cents - account.paid_cents - account.charged_cents)
        if agreed.plan.channel == "mandated_operator":
            assert account.balance_cents == by_bank[-1]
    assert sorted(held.values()) == sorted(by_bank)


def _the_archive_agrees(desk: Desk, folder: Path) -> None:
    """The archive's own verifier, run alone, finds nothing wrong."""
    story, path, verifier = desk.story, folder / "audit.zip", folder / "verify.py"
    key, origin = programme_key(story.master_secret), origin_of(story.base_url)
    with path.open("wb") as out:
        export_audit(story.database, out, origin=origin, key=key)
    with ZipFile(path) as archive:
        verifier.write_bytes(archive.read("audit/verify.py"))
    trusted = verifier_key(origin, key.public_key().public_bytes_raw())
    done = subprocess.run(
        [sys.executable, "-I", verifier, path, "--key", trusted], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def _the_fecs_pass(database: Database) -> None:
    """Every holder's file of both years passes a checker that was written from the rule."""
    assert [one.siren for one in holders(database)] == [HOLDER_SIREN]
    for year in (2025, 2026):
        found = fec_file(database, HOLDER_SIREN, year, numbers=OWN_NUMBERS, now=datetime(2027, 3, 10, tzinfo=UTC))
        assert not found.is_provisional
        lines = b"".join(found.chunks).splitlines(keepends=True)
        assert [str(one) for one in check_fec(lines, name=found.name)] == []
