"""Write the FEC (art. A.47 A-1 LPF) of who holds paying accounts under one SIREN, for a year of the general book.

For agreements paid by a mandated operator: a collectivité's own accounts are its accountant's. Lines are streamed in the order
in which entries were validated: that of their seals, then, for those that wait for a seal, that of their posting, and the file
says that it is provisional. Entries are numbered without a gap in each journal of the file. What accounts opened the year with
stands in the journal AN, where the year before was closed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from voucher.accounting.balance import CHARGE_CLASSES, sums_by_account
from voucher.accounting.fec_format import COLUMNS, amount, cell, day, encoded, letters
from voucher.accounting.letters import USES, live_periods, undone_letters
from voucher.accounting.model import LetteredMovement, MatchingLetter
from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.kernel.money import sum_cents
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Book, Journal
from voucher.ledger.chart_file import CARRIED_FORWARD, Numbered, Numbering
from voucher.ledger.close_year import YEAR_MAX, YEAR_MIN
from voucher.ledger.model import Account, Entry, FiscalYear, Movement
from voucher.ledger.seal_model import CheckpointRow, Seal
from voucher.network.model import Structure
from voucher.programme.model import Agreement, Funder, PayingAccount, SettlementChannel
from voucher.redemption.model import Redemption

JOURNAL_NAMES: Mapping[str, str] = {
    "AN": "À nouveaux",
    Journal.BUDGET: "Budget",
    Journal.VOUCHERS: "Chèques",
    Journal.SETTLEMENT: "Règlements",
    Journal.FUNDING: "Financements",
    Journal.BANK: "Banque",
}
ROWS_AT_ONCE = 5_000
CHUNK_LINES = 2_000


@dataclass(frozen=True, slots=True)
class FecFile:
    """A FEC to be written: its name, whether it may still change, its bytes piece by piece (read them once)."""

    name: str
    is_provisional: bool
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Holder:
    """Who must produce a FEC: the holder of paying accounts of mandated operators. `siren` is None where nobody gave it."""

    siren: str | None
    name: str
    account_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Shown:
    """An account as the file shows it."""

    number: str
    name: str
    auxiliary: str
    auxiliary_name: str


@dataclass
class _Counters:
    """The last number given in each journal, and the last day of validation."""

    numbers: dict[str, int] = field(default_factory=dict)
    valid_on: date = date.min

    def next(self, journal: str) -> int:
        self.numbers[journal] = self.numbers.get(journal, 0) + 1
        return self.numbers[journal]


def holders(database: Database) -> list[Holder]:
    """Return who must produce a FEC, by SIREN; those without one come first."""
    with database.read() as session:
        rows = session.execute(
            select(PayingAccount.siren, PayingAccount.holder_name, PayingAccount.name)
            .where(PayingAccount.channel == SettlementChannel.MANDATED_OPERATOR)
            .order_by(PayingAccount.siren, PayingAccount.name)
        ).all()
    found: dict[str, Holder] = {}
    for row in rows:
        key = row.siren or f" {row.name}"
        before = found.get(key)
        names = (*(before.account_names if before else ()), row.name)
        found[key] = Holder(row.siren, before.name if before else row.holder_name, names)
    return [found[key] for key in sorted(found)]


def fec_file(
    database: Database, siren: str, year: int, *, numbers: Numbering, now: datetime, encoding: str = "utf-8"
) -> FecFile:
    """Return the FEC of a holder for a year. Raises Refused: no such holder, nothing to write, a movement shared with another.

    `encoding` is « utf-8 » or « iso8859-15 », the two that the rule takes; the name of the second says it.
    """
    if not YEAR_MIN <= year <= YEAR_MAX:
        raise Refused("unknown_year", "Cet exercice n’existe pas. Choisissez-le dans la liste.")
    with database.read() as session:
        if not session.scalar(select(exists().where(*_held_by(siren)))):
            raise Refused(
                "unknown_siren",
                "Aucun compte payeur d’opérateur ne porte ce SIREN. Faites-le compléter dans la fiche du compte payeur.",
            )
        if not _has_entries(session, siren, year):
            raise Refused(
                "no_entries",
                f"Ce titulaire n’a aucune écriture en {year} : il n’y a pas de FEC. Choisissez une autre année.",
            )
        _refuse_shared(session, siren, year)
        closed_at = session.scalar(select(FiscalYear.closed_at).where(FiscalYear.year == year))
        waits = _movements(siren, year).outerjoin(Seal, Seal.entry_id == Entry.id).where(Seal.leaf.is_(None))
        is_provisional = closed_at is None or bool(session.scalar(select(waits.exists())))
    # The lawful name is the final file's in UTF-8; another must never be taken for it, nor written over it.
    suffix = ("-provisoire" if is_provisional else "") + ("" if encoding == "utf-8" else f"-{encoding}")
    name = f"{siren}FEC{year}1231{suffix}.txt"
    return FecFile(name, is_provisional, _chunks(database, siren, year, numbers, now, encoding))


def years_with_entries(database: Database, siren: str, years: Iterable[int]) -> set[int]:
    """Return those of some years for which a holder has a FEC: something moved, or was open at their beginning."""
    with database.read() as session:
        return {year for year in years if _has_entries(session, siren, year)}


def _has_entries(session: Session, siren: str, year: int) -> bool:
    if session.scalar(select(_movements(siren, year).exists())):
        return True
    opened = sums_by_account(session, year, date(year, 1, 1), [Account.id.in_(_accounts_of(siren))])
    return bool(session.scalar(select(exists().where(opened.c.opening != 0))))


def _held_by(siren: str) -> tuple[Any, ...]:
    return (PayingAccount.siren == siren, PayingAccount.channel == SettlementChannel.MANDATED_OPERATOR)


def _accounts_of(siren: str) -> Select[int]:
    """Return the ids of the accounts of the general book that a holder answers for."""
    paying = select(PayingAccount.id).where(*_held_by(siren))
    agreements = select(Agreement.id).where(Agreement.paying_account_id.in_(paying))
    return select(Account.id).where(
        Account.book == Book.GENERAL, or_(Account.bank_account_id.in_(paying), Account.agreement_id.in_(agreements))
    )


def _movements(siren: str, year: int) -> Select[Any]:
    accounts = _accounts_of(siren)
    return (
        select(Movement.entry_id)
        .join(Entry, Entry.id == Movement.entry_id)
        .where(
            Movement.book == Book.GENERAL,
            Entry.effective_on >= date(year, 1, 1),
            Entry.effective_on <= date(year, 12, 31),
            or_(Movement.debit_account_id.in_(accounts), Movement.credit_account_id.in_(accounts)),
        )
    )


def _refuse_shared(session: Session, siren: str, year: int) -> None:
    accounts = _accounts_of(siren)
    shared = _movements(siren, year).where(
        or_(Movement.debit_account_id.not_in(accounts), Movement.credit_account_id.not_in(accounts))
    )
    if (entry_id := session.scalar(shared.limit(1))) is not None:
        raise Refused(
            "shared_movement",
            f"L’écriture {entry_id} passe d’un titulaire à un autre : aucun FEC ne peut la porter. "
            "Corrigez le rapprochement de cette ligne de banque, puis recommencez.",
        )


def _chunks(
    database: Database, siren: str, year: int, numbers: Numbering, now: datetime, encoding: str
) -> Iterator[bytes]:
    waiting = ["\t".join(COLUMNS)]
    with database.read() as session:
        for line in _lines(session, siren, year, numbers, now):
            waiting.append("\t".join(line))
            if len(waiting) >= CHUNK_LINES:
                yield encoded(waiting, encoding)
                waiting.clear()
    if waiting:
        yield encoded(waiting, encoding)


def _lines(session: Session, siren: str, year: int, numbers: Numbering, now: datetime) -> Iterator[tuple[str, ...]]:
    shown = _shown_accounts(session, siren, numbers)
    counters = _Counters()
    opening = _opening(session, siren, year, shown, numbers)
    closed_at = session.scalar(select(FiscalYear.closed_at).where(FiscalYear.year == year - 1))
    opened_on = max(paris_day(closed_at), date(year, 1, 1)) if closed_at else min(paris_day(now), date(year, 12, 31))
    entries = _entries(session, siren, year)
    for valid_on, rows in entries:
        counters.valid_on = max(counters.valid_on, valid_on)
        if opening and counters.valid_on >= opened_on:
            yield from _opening_lines(opening, year, opened_on, counters)
            opening = []
        yield from _entry_lines(rows, shown, counters)
    if opening:
        yield from _opening_lines(opening, year, max(opened_on, counters.valid_on), counters)


def _shown_accounts(session: Session, siren: str, numbers: Numbering) -> dict[int, _Shown]:
    rows = session.execute(
        select(
            Account.id, Account.code, Structure.pivot, Structure.name.label("structure_name"),
            Funder.id.label("funder_id"), Funder.siren, Funder.name.label("funder_name"),
        )
        .outerjoin(Structure, Structure.id == Account.structure_id)
        .outerjoin(Funder, Funder.id == Account.funder_id)
        .where(Account.id.in_(_accounts_of(siren)))
    )  # fmt: skip
    found = {}
    for row in rows:
        line = numbers[row.code]
        third, name = (
            (row.pivot, row.structure_name)
            if row.pivot
            else (_funder_number(row.siren, row.funder_id), row.funder_name)
        )
        has_third = bool(line.auxiliary and third)
        found[row.id] = _Shown(
            line.number,
            cell(line.name),
            f"{line.auxiliary}{third}" if has_third else "",
            cell(name) if has_third else "",
        )
    return found


def _funder_number(siren: str | None, funder_id: UUID | None) -> str:
    return siren or (funder_id.hex[-10:].upper() if funder_id else "")


def _opening(
    session: Session, siren: str, year: int, shown: Mapping[int, _Shown], numbers: Numbering
) -> list[tuple[_Shown, int]]:
    """Return what accounts open the year with; charges of earlier years stand together, carried forward."""
    moved = sums_by_account(session, year, date(year, 1, 1), [Account.id.in_(_accounts_of(siren))])
    rows = session.execute(
        select(Account.id, Account.code, moved.c.opening).join(moved, moved.c.id == Account.id).order_by(Account.key)
    ).all()
    sums: dict[_Shown, int] = {}
    forward = numbers[CARRIED_FORWARD.code]
    for row in rows:
        is_charge = row.code[0] in CHARGE_CLASSES
        account = _plain(forward) if is_charge else shown[row.id]
        sums[account] = sums.get(account, 0) + sum_cents(row.opening)
    return [(account, cents) for account, cents in sums.items() if cents]


def _plain(line: Numbered) -> _Shown:
    return _Shown(line.number, cell(line.name), "", "")


def _opening_lines(
    opening: Iterable[tuple[_Shown, int]], year: int, valid_on: date, counters: _Counters
) -> Iterator[tuple[str, ...]]:
    number, first = counters.next("AN"), date(year, 1, 1)
    counters.valid_on = max(counters.valid_on, valid_on)
    for account, cents in opening:
        debit, credit = (cents, 0) if cents > 0 else (0, -cents)
        yield (
            "AN", JOURNAL_NAMES["AN"], str(number), day(first), account.number, account.name, account.auxiliary,
            account.auxiliary_name, f"AN{year}", day(first), f"Solde à l’ouverture de {year}", amount(debit), amount(credit),
            "", "", day(counters.valid_on), "", "",
        )  # fmt: skip


def _entries(session: Session, siren: str, year: int) -> Iterator[tuple[date, list[Any]]]:
    """Give each entry's rows with the day of its validation: those sealed in their order, then those that wait."""
    by_debit, by_credit = aliased(LetteredMovement), aliased(LetteredMovement)
    debit_letter, credit_letter = aliased(MatchingLetter), aliased(MatchingLetter)

    def under(lettered: Any, side: str) -> Any:
        same = and_(lettered.entry_id == Movement.entry_id, lettered.rank == Movement.rank, lettered.side == side)
        return and_(same, lettered.letter_id.not_in(undone_letters()))

    query = _movements(siren, year).with_only_columns(
        Entry.id, Entry.journal, Entry.effective_on, Entry.posted_at, Entry.event_id, Entry.narration,
        Movement.debit_account_id, Movement.credit_account_id, Movement.amount_cents, Redemption.period_id,
        debit_letter.number.label("debit_number"), debit_letter.lettered_on.label("debit_on"),
        credit_letter.number.label("credit_number"), credit_letter.lettered_on.label("credit_on"), Seal.leaf,
    )  # fmt: skip
    query = (
        query.outerjoin(Seal, Seal.entry_id == Entry.id)
        .outerjoin(Redemption, and_(Redemption.id == Entry.event_id, Entry.event_type.in_(USES)))
        .outerjoin(by_debit, under(by_debit, "debit"))
        .outerjoin(debit_letter, debit_letter.id == by_debit.letter_id)
        .outerjoin(by_credit, under(by_credit, "credit"))
        .outerjoin(credit_letter, credit_letter.id == by_credit.letter_id)
    )
    checkpoints = [
        (row.size, row.sealed_on)
        for row in session.execute(select(CheckpointRow.size, CheckpointRow.sealed_on).order_by(CheckpointRow.size))
    ]
    periods = {
        (row.account_id, row.period_id): (row.number, row.lettered_on) for row in session.execute(live_periods())
    }
    place = 0
    sealed = query.where(Seal.leaf.is_not(None)).order_by(Seal.leaf, Movement.rank)
    for rows in _by_entry(session, sealed, periods):
        while place < len(checkpoints) and checkpoints[place][0] <= rows[0].leaf:
            place += 1
        yield checkpoints[place][1] if place < len(checkpoints) else paris_day(rows[0].posted_at), rows
    waiting = query.where(Seal.leaf.is_(None)).order_by(Entry.posted_at, Entry.id, Movement.rank)
    for rows in _by_entry(session, waiting, periods):
        yield paris_day(rows[0].posted_at), rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A movement of the file, with the letter of each of its sides."""

    id: UUID
    journal: str
    effective_on: date
    posted_at: datetime
    event_id: UUID
    narration: str
    debit_account_id: int
    credit_account_id: int
    amount_cents: int
    debit_letter: tuple[int, date] | None
    credit_letter: tuple[int, date] | None
    leaf: int | None


def _by_entry(
    session: Session, query: Select[*tuple[Any, ...]], periods: Mapping[tuple[int, UUID], tuple[int, date]]
) -> Iterator[list[Any]]:
    rows: list[_Row] = []
    for row in session.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}):
        if rows and rows[0].id != row.id:
            yield rows
            rows = []
        debit = (row.debit_number, row.debit_on) if row.debit_number is not None else None
        credit = (row.credit_number, row.credit_on) if row.credit_number is not None else None
        if row.period_id is not None:
            debit = debit or periods.get((row.debit_account_id, row.period_id))
            credit = credit or periods.get((row.credit_account_id, row.period_id))
        rows.append(
            _Row(
                id=row.id,
                journal=row.journal,
                effective_on=row.effective_on,
                posted_at=row.posted_at,
                event_id=row.event_id,
                narration=row.narration,
                debit_account_id=row.debit_account_id,
                credit_account_id=row.credit_account_id,
                amount_cents=row.amount_cents,
                debit_letter=debit,
                credit_letter=credit,
                leaf=row.leaf,
            )
        )
    if rows:
        yield rows


def _entry_lines(rows: list[_Row], shown: Mapping[int, _Shown], counters: _Counters) -> Iterator[tuple[str, ...]]:
    first = rows[0]
    number, on = str(counters.next(first.journal)), day(first.effective_on)
    piece, words, valid = first.event_id.hex.upper(), cell(first.narration), day(counters.valid_on)
    for row in rows:
        for account_id, letter, debit, credit in (
            (row.debit_account_id, row.debit_letter, row.amount_cents, 0),
            (row.credit_account_id, row.credit_letter, 0, row.amount_cents),
        ):
            account = shown[account_id]
            yield (
                first.journal, JOURNAL_NAMES[first.journal], number, on, account.number, account.name, account.auxiliary,
                account.auxiliary_name, piece, on, words, amount(debit), amount(credit),
                letters(letter[0]) if letter else "", day(letter[1]) if letter else "", valid, "", "",
            )  # fmt: skip
