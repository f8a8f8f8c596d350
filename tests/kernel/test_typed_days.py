"""Days as people and spreadsheets write them: one reading, wherever they come in."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from tests.clients import app_for
from voucher.kernel.database import Database
from voucher.kernel.typed_days import WrongDay, asked_day, parse_day
from voucher.ledger.search import unreadable
from voucher.network.lieux_cells import BadCell, day_of
from voucher.settlement.formats_in.accountant_file import UnreadableReturn, read_return
from voucher.web.forms import DateField, HouseForm

DAY = date(2026, 12, 31)
READ = (
    "31/12/2026", "31-12-2026", "31.12.2026", "31 12 2026", "2026-12-31", "31/12/2026 00:00", "31/12/2026 00:00:00", "2026-12-31 00:00:00",
    "2026-12-31T00:00:00.000", "\u200b31/12/2026\u00a0", "３１/１２/２０２６", "31/12/2026 14h05",
)  # fmt: skip
REFUSED = {
    "demain": "n’est pas une date",
    "": "par exemple 31/12/2026",
    "31/02/2026": "n’existe pas",
    "12/31/2026": "n’existe pas",
    "31/12-2026": "n’est pas une date",
    "31/12/26": "deux chiffres",
    "46387": "tableur",
    "46387,5": "tableur",
    "20261231": "n’est pas une date",
    "2026-W53-4": "n’est pas une date",
    "31/12/0026": "n’est pas possible",
    "2026-12-31T00:00:00Z": "n’est pas une date",
}


@pytest.mark.parametrize("text", READ)
def test_a_day_is_read_as_people_and_spreadsheets_write_it(text: str) -> None:
    assert parse_day(text) == DAY
    assert asked_day(text) == DAY


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_day_is_said_with_how_to_write_it(text: str) -> None:
    with pytest.raises(WrongDay, match=REFUSED[text]):
        parse_day(text)
    assert asked_day(text) is None


@given(st.dates(date(1900, 1, 1), date(2199, 12, 31)))
def test_what_the_house_and_spreadsheets_write_is_read_back(day: date) -> None:
    for written in (day.isoformat(), f"{day:%d/%m/%Y}", f"{day:%d/%m/%Y %H:%M}", f"{day.day}/{day.month}/{day.year}"):
        assert parse_day(written) == day


class OneDay(HouseForm):
    class Meta(HouseForm.Meta):
        csrf = False

    day = DateField("Jour")


@pytest.mark.parametrize("text", [*READ, *(text for text in REFUSED if text)])
def test_every_reader_of_days_says_the_same(text: str, sqlite_database: Database) -> None:
    """A form, the accountant's file, the places' file and a filter: what one takes, all take."""
    with app_for(sqlite_database).test_request_context(method="POST"):
        form = OneDay(formdata=MultiDict({"day": text}))
        form.validate()
    found = [form.day.data]
    try:
        found.append(read_return(f"Référence;Montant;Statut;Date\nA;5;payé;{text}".encode())[0].on)
    except UnreadableReturn:
        found.append(None)
    try:
        found.append(day_of(text))
    except BadCell:
        found.append(None)
    found.append(None if unreadable({"day": text}) else asked_day(text))
    assert set(found) == {asked_day(text)}
