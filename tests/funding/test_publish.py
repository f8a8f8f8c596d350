"""The published figure: once a day, signed, never changed, computed again by anybody; and what `voucher verify` finds."""

import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import insert, text

from tests.builders import MASTER_SECRET
from tests.clients import settings_for
from tests.funding.money import a_funded_town, wrong_funds
from tests.settlement.town import NOW
from voucher.funding.backing import Backing
from voucher.funding.model import BackingFigure, BackingLine
from voucher.funding.publish import (
    FORMAT_FIRST,
    UntrustedFigure,
    canonical_text,
    figures_at,
    first_published_on,
    publish_backing,
    published_days,
    published_figure,
    verify_file,
)
from voucher.kernel.calendar import end_of_day
from voucher.kernel.database import Database
from voucher.programme.programme_key import programme_key

SUMS = ("held", "undrawn", "outstanding", "payable")
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "backing.md"
PUBLIC_KEY = programme_key(MASTER_SECRET).public_key()


def publish(database: Database, now=NOW) -> str:
    return publish_backing(database, settings_for(database), now)


def test_a_day_is_published_once_and_never_changes(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem(now=NOW - timedelta(days=1))
    yesterday = NOW.date() - timedelta(days=1)
    assert yesterday.isoformat() in publish(database)
    first = published_figure(database)
    assert first is not None
    assert (first.day, first.payable_cents, len(first.lines)) == (yesterday, 10_000, 1)
    town.redeem(now=NOW + timedelta(days=2))
    assert publish(database) == ""
    assert published_figure(database, yesterday) == first
    assert wrong_funds(database) == []


def test_nothing_is_published_of_a_day_before_it_is_well_over(database: Database) -> None:
    a_funded_town(database)
    midnight = end_of_day(NOW.date())
    assert publish(database, midnight + timedelta(minutes=59)).endswith((NOW.date() - timedelta(days=1)).isoformat())
    assert publish(database, midnight + timedelta(minutes=61)).endswith(NOW.date().isoformat())


def test_days_that_no_worker_saw_are_made_up_for(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem()
    publish(database, NOW)
    publish(database, NOW + timedelta(days=3))
    days = [figure.day for figure in published_days(database, 10)]
    assert days == [NOW.date() + timedelta(days=2 - rank) for rank in range(4)]
    assert first_published_on(database) == days[-1]
    assert [figure.payable_cents for figure in published_days(database, 10)] == [10_000, 10_000, 10_000, 0]
    assert wrong_funds(database) == []


def test_a_figure_holds_what_was_posted_before_its_day_ended_and_nothing_else(database: Database) -> None:
    town = a_funded_town(database)
    midnight = end_of_day(NOW.date())
    town.redeem(voucher_count=2, now=midnight - timedelta(seconds=1))
    town.redeem(voucher_count=3, now=midnight)
    publish(database, midnight + timedelta(hours=2))
    figure = published_figure(database, NOW.date())
    assert figure is not None
    assert figure.payable_cents == 2_000


def test_a_file_that_was_changed_is_not_trusted(database: Database) -> None:
    a_funded_town(database)
    publish(database)
    figure = published_figure(database)
    assert figure is not None
    key = PUBLIC_KEY.public_bytes_raw()
    said = verify_file(figure.file, key)
    assert said.startswith("pass-numerique/fonds/2\n")
    total = "total: held=0 undrawn=0 overdue=0 outstanding=0 payable=0 free=10000000 in_bank=0 covered=0"
    assert total in said.splitlines()
    for wrong in (
        figure.file.replace(b"held=0", b"held=9", 1),
        figure.file[:-20],
        b"",
        b"signature: AAAA\n",
        b"\xff" * 90,
    ):
        with pytest.raises(UntrustedFigure):
            verify_file(wrong, key)
    with pytest.raises(UntrustedFigure):
        verify_file(figure.file, programme_key(b"another secret of thirty-two byt").public_key().public_bytes_raw())


def publish_in_the_first_format(database: Database, day: date) -> None:
    """Publish a day as it was before free credit was left out."""
    key, taken_at = programme_key(MASTER_SECRET), end_of_day(day)
    with database.write() as session:
        found, total, numbers = figures_at(session, taken_at, day)
        agreements = [(numbers[one], found[one]) for one in found]
        said = canonical_text(day, taken_at, "https://pass.example", total, agreements, FORMAT_FIRST)

        def sums(backing: Backing) -> dict[str, int]:
            undrawn = backing.undrawn_cents + backing.free_cents
            cents = (backing.held_cents, undrawn, backing.outstanding_cents, backing.payable_cents)
            return {f"{name}_cents": one for name, one in zip(SUMS, cents, strict=True)}

        row = {
            "day": day,
            "taken_at": taken_at,
            "text": said,
            "signature": key.sign(said.encode()),
            "published_at": NOW,
        }
        row |= {"public_key": key.public_key().public_bytes_raw(), **sums(total.backing)}
        session.execute(insert(BackingFigure).values(**row))
        lines = [{"day": day, "agreement_id": one, **sums(backing)} for one, backing in found.items()]
        session.execute(insert(BackingLine), lines)


def test_days_published_in_the_first_format_are_still_verified(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem(voucher_count=4)
    first_day, second_day = NOW.date(), NOW.date() + timedelta(days=1)
    publish_in_the_first_format(database, first_day)
    publish(database, NOW + timedelta(days=2))
    old, new = published_figure(database, first_day), published_figure(database, second_day)
    assert old is not None
    assert new is not None
    text_of_old = verify_file(old.file, PUBLIC_KEY.public_bytes_raw())
    assert text_of_old.startswith("pass-numerique/fonds/1\n")
    assert "total: held=0 undrawn=10000000 outstanding=6000 payable=4000" in text_of_old.splitlines()
    assert (old.is_first_format, old.coverage_basis_points, old.cash_basis_points) == (True, None, None)
    assert (new.is_first_format, new.coverage_basis_points, new.cash_basis_points) == (False, 10_000, 0)
    assert (new.undrawn_cents, new.free_cents, new.unpaid_cents) == (10_000, 9_990_000, 4_000)
    assert wrong_funds(database) == []


def test_the_commands_of_the_documentation_check_a_file(sqlite_database: Database, tmp_path: Path) -> None:
    a_funded_town(sqlite_database)
    publish(sqlite_database)
    figure = published_figure(sqlite_database)
    assert figure is not None
    (tmp_path / "2026-11-21.txt").write_bytes(figure.file)
    (tmp_path / "programme.pem").write_bytes(PUBLIC_KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    python, shell = re.findall(r"```(?:python|sh)\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", python, "2026-11-21.txt", "programme.pem"], cwd=tmp_path, capture_output=True, check=True
    )
    assert done.stdout == b"good\n"
    checked = subprocess.run(["sh", "-e", "-c", shell], cwd=tmp_path, capture_output=True, check=False)
    assert b"Verified Successfully" in checked.stdout, checked.stderr


def test_published_rows_cannot_be_changed(database: Database) -> None:
    a_funded_town(database)
    publish(database)
    for statement in ("UPDATE backing_figure SET held_cents = 1", "DELETE FROM backing_line"):
        with pytest.raises(Exception, match="only grows"), database.engine.begin() as connection:
            connection.execute(text(statement))
    assert date(2026, 11, 22) == NOW.date() - timedelta(days=1)
