"""What a take-over carries: every table has its place or its reason, every column its form and its meaning."""

from pathlib import Path

import pytest
from sqlalchemy import Column, Interval, MetaData, Table, select
from sqlalchemy import func as sql

from voucher.access import model as access
from voucher.kernel.database import Database
from voucher.mail import model as mail
from voucher.models import Base
from voucher.takeover.cells import kind_of
from voucher.takeover.document import document
from voucher.takeover.tables import CARRIED, KEPT_BACK, LEFT_OUT, ROOMS_LEFT_OUT, SEEDED, carried_tables, columns_of
from voucher.takeover.words import meaning_of
from voucher.trail import model as trail

PAGE = Path(__file__).resolve().parents[2] / "docs" / "takeover.md"
TABLES = set(Base.metadata.tables)


def test_every_table_is_carried_or_left_out_with_its_reason() -> None:
    homeless = TABLES - set(CARRIED) - set(LEFT_OUT)
    assert not homeless, (
        f"new tables: {sorted(homeless)}. In voucher/takeover/tables.py, write each under CARRIED if another operator needs it to "
        "honour a voucher, pay a debt, match a bank line or answer for the books, else under LEFT_OUT with why. Then run "
        "`python -m voucher.takeover.document > docs/takeover.md`."
    )
    gone = (set(CARRIED) | set(LEFT_OUT)) - TABLES
    assert not gone, f"tables that are no more: {sorted(gone)}. Take them out of voucher/takeover/tables.py."
    assert not set(CARRIED) & set(LEFT_OUT)


def test_every_column_has_a_form_and_a_meaning() -> None:
    columns = [column for table in carried_tables() for column in columns_of(table)]
    for column in columns:
        kind_of(column)
    silent = sorted({f"{column.table.name}.{column.name}" for column in columns if not meaning_of(column)})
    assert not silent, f"say in voucher/takeover/words.py what these columns mean: {silent}"


def test_the_page_of_the_format_is_that_of_the_tables() -> None:
    assert PAGE.read_text(encoding="utf-8") == document(), (
        "run `python -m voucher.takeover.document > docs/takeover.md`"
    )


def test_each_table_comes_after_those_it_refers_to_and_movements_before_their_entries() -> None:
    names = [table.name for table in carried_tables()]
    assert names.index("movement") < names.index("entry")
    for table in carried_tables():
        for key in table.foreign_keys:
            other = key.column.table.name
            if other != table.name and (table.name, other) != ("movement", "entry"):
                assert names.index(other) < names.index(table.name), f"{table.name} before {other}"


def test_no_person_of_the_staff_and_no_private_key_is_carried() -> None:
    assert {"staff_account", "role_grant", "staff_session", "audit_line"} <= set(LEFT_OUT)
    assert "sealed_private_key" in KEPT_BACK["issuer_key"]
    names = {f"{table.name}.{column.name}" for table in carried_tables() for column in columns_of(table)}
    assert not {name for name in names if "password" in name or "private" in name or "token" in name}


def test_a_form_is_asked_for_where_a_column_has_none() -> None:
    odd = Table("odd", MetaData(), Column("colour", Interval))
    with pytest.raises(TypeError, match=r"odd\.colour.*cells\.py"):
        kind_of(odd.c.colour)


def test_a_new_database_has_rows_only_where_an_import_expects_them(database: Database) -> None:
    with database.read() as session:
        filled = {table.name for table in carried_tables() if session.scalar(select(sql.count()).select_from(table))}
    assert filled == SEEDED


def test_rooms_whose_checks_are_left_aside_carry_nothing() -> None:
    of_room = {name: list(vars(room).values()) for name, room in (("access", access), ("trail", trail), ("mail", mail))}
    assert set(of_room) == ROOMS_LEFT_OUT
    for name, values in of_room.items():
        tables = {
            one.__tablename__ for one in values if isinstance(one, type) and issubclass(one, Base) and one is not Base
        }
        assert tables, name
        assert not tables & set(CARRIED), name
