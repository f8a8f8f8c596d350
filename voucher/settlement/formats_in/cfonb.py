"""Bank files in: CFONB 120, the fixed-width statement of French banks, read as one stream and checked as a camt.053 is.

Layout of the « relevé de compte sur support informatique » published by the CFONB: records of 120 characters, 01 old balance, 04
movement, 05 complement of the movement before, 07 new balance. An amount bears its sign on its last digit: `{`, A to I for a credit, `}`, J
to R for a debit (é and è where a French set of characters replaced the braces). Lines end in any way, or not at all.

The account is given by bank, branch and number: its IBAN is computed. The bank's numbers of a movement are no reference that two files
share: it is told apart by what it says and by the balance before its day, as a camt entry without a reference is.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import IO

from voucher.kernel.money import format_euros
from voucher.kernel.sepa import french_iban
from voucher.settlement.formats_in.bank_stages import Counted, FileError, Ignored, IsOurs, Stage, Statement, not_ours
from voucher.settlement.formats_in.camt_fields import WrongEntry
from voucher.settlement.formats_in.camt_lines import BankEntry
from voucher.settlement.formats_in.cfonb_lines import line_of_movement
from voucher.settlement.formats_in.cfonb_records import Record, WrongRecord, records
from voucher.settlement.words.states import LineOrigin

_REFERENCE_PREFIX = "~cfonb:"
"""How the reference of a movement begins: it was told by this format, and its day is not told again by another one."""

_ERRORS_MAX = 50
_OLD, _MOVEMENT, _COMPLEMENT, _NEW = "01", "04", "05", "07"
_ACCOUNT = re.compile(r"\d{10}[0-9A-Z]{11}", re.ASCII)
_AGAIN = "Demandez un autre fichier à la banque."


@dataclass(slots=True, kw_only=True)
class _Open:
    """The statement being read; `movement` is the last one, with its complements, not given yet."""

    statement: Statement
    account: str
    complements: list[Record] = field(default_factory=list)
    movement: Record | None = None
    alike: Counter[str] = field(default_factory=Counter)
    cents_of_day: Counter[date] = field(default_factory=Counter)
    credit_cents: int = 0
    debit_cents: int = 0
    entry_count: int = 0
    is_sound: bool = True


class CfonbReading:
    """One pass over a file, after its new balances were looked up; see `bank_stages.StatementFile`."""

    def __init__(self, file: IO[bytes], is_ours: IsOurs) -> None:
        self.errors: list[FileError] = []
        self._file = file
        self._is_ours = is_ours
        self._rank = 0
        self._passed_over: str | None = None  # the account whose records are not looked at
        self._told: set[str] = set()
        self._now: _Open | None = None

    def __iter__(self) -> Iterator[Stage]:
        closings = self._closings()
        self._file.seek(0)
        try:
            for record in records(self._file):
                if record.code == _OLD:
                    yield from self._end(None)
                    yield from self._old_balance(record, closings)
                elif record.code == _NEW:
                    if self._now is None:
                        self._expect(record, f"Un nouveau solde (07) vient sans son ancien solde (01). {_AGAIN}")
                    yield from self._end(record)
                elif record.code == _MOVEMENT:
                    if self._now is None:
                        self._expect(record, f"Un mouvement (04) vient hors d’un relevé. {_AGAIN}")
                    else:
                        yield from self._movement(self._now)
                        self._now.movement = record
                elif record.code != _COMPLEMENT:
                    yield from self._unknown(record)
                elif self._now is not None:
                    self._now.complements.append(record)
        except WrongRecord as wrong:
            self._fault(wrong.line, str(wrong))
        yield from self._end(None)

    def _expect(self, record: Record, reason: str) -> None:
        """Note a record outside a statement, unless it is of an account that is passed over."""
        if record.account != self._passed_over:
            self._fault(record.line, reason)

    def _unknown(self, record: Record) -> Iterator[Ignored]:
        """Tell once the records that the layout does not know."""
        if record.code not in self._told:
            self._told.add(record.code)
            yield Ignored(record.line, f"Enregistrements « {record.code} » : ils ne sont ni un solde ni un mouvement.")

    def _old_balance(self, record: Record, closings: dict[int, Record]) -> Iterator[Statement | Ignored]:
        try:
            self._now = self._begin(record, closings)
            yield self._now.statement
        except _PassedOver as passed:
            self._passed_over = record.account
            yield Ignored(record.line, str(passed))
        except WrongRecord as wrong:
            self._passed_over = record.account
            self._fault(wrong.line, str(wrong))

    def _closings(self) -> dict[int, Record]:
        """Return the new balance of each old one, by the line of the old one: a statement is kept with both."""
        self._file.seek(0)
        found: dict[int, Record] = {}
        opened: Record | None = None
        try:
            for record in records(self._file):
                if record.code == _OLD:
                    opened = record
                elif record.code == _NEW and opened is not None:
                    found[opened.line] = record
                    opened = None
        except WrongRecord:
            pass  # told by the second look, at its line
        return found

    def _fault(self, line: int, reason: str) -> None:
        if len(self.errors) < _ERRORS_MAX and all(error.reason != reason for error in self.errors):
            self.errors.append(FileError(line, reason))

    def _begin(self, old: Record, closings: dict[int, Record]) -> _Open:
        iban = self._account(old)
        closing = closings.get(old.line)
        if closing is None:
            raise WrongRecord(
                old.line, f"Le relevé n’a pas de nouveau solde (07) : rien ne prouve qu’il est complet. {_AGAIN}"
            )
        if closing.account != old.account:
            raise WrongRecord(closing.line, f"Le nouveau solde (07) n’est pas du compte de l’ancien (01). {_AGAIN}")
        closed_on, opened_on = closing.day(34), old.day_or_none(34)
        self._rank += 1
        opening_cents = old.cents()
        statement = Statement(
            rank=self._rank,
            # The format gives a statement no name: two of an account differ by the day and the balance from which they start.
            statement_id=f"CFONB {old.account[10:]} {old.text[34:40]} {opening_cents}",
            number=None,
            account_iban=iban,
            opened_on=min(opened_on or closed_on, closed_on),
            closed_on=closed_on,
            opening_cents=opening_cents,
            closing_cents=closing.cents(),
            line=old.line,
        )
        self._passed_over = None
        return _Open(statement=statement, account=old.account)

    def _account(self, old: Record) -> str:
        """Return the IBAN of an account of ours, in euros; Monaco's banks number theirs alike."""
        if not _ACCOUNT.fullmatch(old.account):
            raise _PassedOver(
                "Un relevé ne donne pas un numéro de compte lisible. Demandez un autre fichier à la banque."
            )
        ibans = [french_iban(old.account[:5], old.account[5:10], old.account[10:], country) for country in ("FR", "MC")]
        if old.currency != "EUR":
            raise _PassedOver(
                f"Le compte {ibans[0]} est en « {old.currency or 'devise absente'} » : ses lignes ne sont comptées nulle part. "
                "Exportez le relevé d’un compte en euros."
            )
        ours = next((iban for iban in ibans if self._is_ours(iban)), None)
        if ours is None:
            raise _PassedOver(not_ours(ibans[0]))
        return ours

    def _movement(self, now: _Open) -> Iterator[BankEntry]:
        """Give the movement that its complements follow no more."""
        record, complements = now.movement, tuple(now.complements)
        now.movement = None
        now.complements.clear()
        if record is None:
            return
        try:
            yield from self._entry(now, record, complements)
        except WrongRecord as wrong:
            now.is_sound = False
            self._fault(wrong.line, str(wrong))

    def _entry(self, now: _Open, record: Record, complements: tuple[Record, ...]) -> Iterator[BankEntry]:
        if record.account != now.account or record.currency != "EUR":
            raise WrongRecord(record.line, f"Un mouvement (04) n’est pas du compte en euros de son relevé. {_AGAIN}")
        signed_cents, booked_on = record.cents(), record.day(34)
        now.entry_count += 1
        if signed_cents > 0:
            now.credit_cents += signed_cents
        else:
            now.debit_cents -= signed_cents
        assert now.statement.opening_cents is not None
        earlier = sum(cents for day, cents in now.cents_of_day.items() if day < booked_on)
        now.cents_of_day[booked_on] += signed_cents
        if not signed_cents:
            return
        told = "".join(f"{len(one)}:{one}" for one in (record.said(), *(each.said() for each in complements)))
        reference = f"{_REFERENCE_PREFIX}{hashlib.sha256(told.encode()).hexdigest()[:32]}"
        now.alike[reference] += 1
        yield BankEntry(
            statement_rank=now.statement.rank,
            account_iban=now.statement.account_iban,
            reference=reference,
            origin=LineOrigin.CFONB,
            rank=now.alike[reference],
            anchor_cents=now.statement.opening_cents + earlier,
            amount_cents=abs(signed_cents),
            is_credit=signed_cents > 0,
            booked_on=booked_on,
            valued_on=record.day_or_none(42),
            line=record.line,
            lines=(line_of_movement(record, complements, signed_cents),),
        )

    def _end(self, new: Record | None) -> Iterator[Stage]:
        """Give the last movement and the totals; prove the new balance."""
        now, self._now = self._now, None
        if now is None:
            return
        yield from self._movement(now)
        statement = now.statement
        assert statement.opening_cents is not None
        computed = statement.opening_cents + now.credit_cents - now.debit_cents
        if now.is_sound and new is not None and computed != statement.closing_cents:
            self._fault(
                statement.line,
                f"Le nouveau solde est {format_euros(statement.closing_cents or 0)}, mais l’ancien solde et les mouvements font "
                f"{format_euros(computed)}. Il manque sans doute une ligne : demandez le relevé complet à la banque.",
            )
        yield Counted(statement.rank, now.entry_count, now.credit_cents, now.debit_cents, 0)


class _PassedOver(WrongEntry):
    """An account that is not looked at: the French sentence that sets it aside."""
