"""Search entries: words, amount, days, journal, event, account code, third party. Each filter uses an index of its own."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, false, or_, select, union

from voucher.kernel.number_labels import booklet_label
from voucher.kernel.search import contains
from voucher.kernel.typed_days import WrongDay, parse_day, wrong_days
from voucher.kernel.typed_numbers import WrongNumber, parse_euros, parse_serial
from voucher.ledger.chart import CHART, Journal
from voucher.ledger.model import Account, Entry, Movement

ENTRY = (
    Entry.id,
    Entry.posted_at,
    Entry.effective_on,
    Entry.journal,
    Entry.event_type,
    Entry.narration,
    Entry.total_cents,
    Entry.movement_count,
)


def unreadable(filters: Mapping[str, str]) -> str:
    """Return the sentence that says which amount or day of a search cannot be read, or that its days are in the wrong order; else empty."""
    for name in ("amount", "at_least", "at_most"):
        try:
            parse_euros(filters.get(name) or "0", may_be_zero=True)
        except WrongNumber as wrong:
            return str(wrong)
    return wrong_days(filters.get("day"), None) or wrong_days(filters.get("since"), filters.get("until"))


def search(filters: Mapping[str, str]) -> Select[*tuple[Any, ...]]:
    """Return the statement of the entries that every filter keeps. Amounts are an entry's total, or one of its movements.

    Filters: `event` (its type), `text` (words, or an id), `day`, `since` and `until`, `journal`, `amount` (to the cent), `at_least`
    and `at_most`, `account` (its code), `third` (id of a structure or a funder). What cannot be read finds nothing: a wrong filter
    never widens a search.
    """
    query: Select[*tuple[Any, ...]] = select(*ENTRY)
    if event_type := filters.get("event"):
        query = query.where(Entry.event_type == event_type)
    if text := filters.get("text"):
        query = query.where(_words(text))
    if journal := filters.get("journal"):
        query = query.where(Entry.journal == journal)
    for name, compare in (("day", "__eq__"), ("since", "__ge__"), ("until", "__le__")):
        if text := filters.get(name):
            query = query.where(*_day(text, compare))
    for name, compare in (("amount", "__eq__"), ("at_least", "__ge__"), ("at_most", "__le__")):
        if text := filters.get(name):
            query = query.where(_amount(text, compare))
    if accounts := _accounts(filters):
        wanted = select(Account.id).where(*accounts)
        query = query.where(
            Entry.id.in_(
                union(
                    select(Movement.entry_id).where(Movement.debit_account_id.in_(wanted)),
                    select(Movement.entry_id).where(Movement.credit_account_id.in_(wanted)),
                )
            )
        )
    return query


def _words(text: str) -> ColumnElement[bool]:
    """Return where a narration holds a text, or a booklet's number typed without its spaces; or an id."""
    texts = {text}
    with suppress(WrongNumber):
        texts.add(booklet_label(parse_serial(text)))
    kept: list[ColumnElement[bool]] = [contains(Entry.narration, text) for text in sorted(texts)]
    with suppress(ValueError):
        asked = UUID(text)
        kept += [Entry.id == asked, Entry.event_id == asked]
    return or_(*kept)


def _day(text: str, compare: str) -> list[ColumnElement[bool]]:
    day = _read_day(text)
    if day is None:
        return [false()]
    # Every journal is named so that their index finds the days.
    return [Entry.journal.in_([str(one) for one in Journal]), getattr(Entry.effective_on, compare)(day)]


def _read_day(text: str) -> date | None:
    try:
        return parse_day(text)
    except WrongDay:
        return None


def _cents(text: str) -> int | None:
    try:
        return parse_euros(text, may_be_zero=True)
    except WrongNumber:
        return None


def _amount(text: str, compare: str) -> ColumnElement[bool]:
    cents = _cents(text)
    if cents is None:
        return false()
    total: ColumnElement[bool] = getattr(Entry.total_cents, compare)(cents)
    if compare != "__eq__":
        return total
    return or_(total, Entry.id.in_(select(Movement.entry_id).where(Movement.amount_cents == cents)))


def _accounts(filters: Mapping[str, str]) -> list[ColumnElement[bool]]:
    kept: list[ColumnElement[bool]] = []
    if code := filters.get("account"):
        kept.append(Account.code == code if code in CHART else false())
    if third := filters.get("third"):
        try:
            asked = UUID(third)
        except ValueError:
            return [false()]
        kept.append(or_(Account.structure_id == asked, Account.funder_id == asked))
    return kept
