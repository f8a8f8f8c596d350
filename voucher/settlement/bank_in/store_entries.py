"""Keep the booked entries of a file, each once whatever file brings it: in pieces, inside the transaction of the import.

An entry is the same when the bank's reference, the amount, the side and the day are the same. One that the bank does not name
is told apart by its content, and among those alike of one day by the balance before them (in a statement) or by how many were
known (in a report or a notification, which prove nothing).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Row, String, cast, literal, select, update
from sqlalchemy.orm import Session

from voucher.kernel.bulk import copy_rows
from voucher.kernel.chunks import chunks
from voucher.kernel.database import among
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import format_euros
from voucher.programme.model import Agreement
from voucher.settlement.bank_in.accountant_then_bank import left_to_store
from voucher.settlement.bank_in.one_way_a_day import OneWay
from voucher.settlement.formats_in.bank_stages import FileError
from voucher.settlement.formats_in.camt_lines import BankEntry
from voucher.settlement.formats_in.camt_lines import BankLine as ReadLine
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.payable.possible_double_payments import debited_again
from voucher.settlement.reconciliation.rules import AFTER, KIND, WHY, Expected, Verdict, decide
from voucher.settlement.reconciliation.withdraw_rejections import lock_rejected
from voucher.settlement.words.states import AdviceState

CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands: the paying account, the statement that proves it (None: only announced)."""

    account_id: UUID
    statement_id: UUID | None


@dataclass(slots=True)
class _Advice:
    id: UUID
    account_id: UUID
    expected: Expected


@dataclass(slots=True)
class Stored:
    """What a file brought: how many lines, how many new, what they are; what a person or a second look must settle."""

    line_count: int = 0
    new_count: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    debited_again: dict[UUID, date] = field(default_factory=dict)  # advices the bank had rejected, and debits: when
    details: list[tuple[UUID, BankEntry]] = field(default_factory=list)  # of lines known as a whole only
    errors: list[FileError] = field(default_factory=list)


class EntryStore:
    """Takes the entries of one file one by one; `flush` at the end of each statement, then read `stored`."""

    def __init__(self, session: Session, bank_file: str, *, by: UUID, now: datetime) -> None:
        self.stored = Stored()
        self._session = session
        self._bank_file = bank_file
        self._by, self._now = by, now
        self._one_way = OneWay(session, bank_file)
        self._waiting: list[tuple[BankEntry, Place]] = []
        self._nameless: Counter[tuple[UUID, str]] = (
            Counter()
        )  # entries without a reference or a balance, met in this file
        self._met: Counter[str] = Counter()  # references of the statement being read
        self._doubtful: list[tuple[BankEntry, int]] = []  # a known reference with another amount
        self._states: dict[UUID, AdviceState] = {}  # of the advices that this file changed already

    def add(self, entry: BankEntry, place: Place) -> None:
        """Take one entry."""
        if (fault := self._one_way.fault(entry, place.account_id)) is not None:
            self.stored.errors += [] if self.stored.errors else [fault]
            return
        if entry.has_reference:
            self._met[entry.reference] += 1
        elif entry.anchor_cents is None:
            self._nameless[place.account_id, entry.reference] += 1
            entry = replace(entry, rank=self._nameless[place.account_id, entry.reference])
        self.stored.line_count += len(entry.lines)
        self._waiting.append((entry, place))
        if len(self._waiting) >= CHUNK:
            self._keep_waiting()

    def flush(self) -> None:
        """Keep what waits: a statement ends. A reference known with another amount is a fault if the statement bears it once."""
        self._keep_waiting()
        for entry, before_cents in self._doubtful:
            if self._met[entry.reference] == 1:
                self.stored.errors.append(_contradiction(entry, before_cents))
        self._doubtful.clear()
        self._met.clear()

    def _keep_waiting(self) -> None:
        if not self._waiting:
            return
        entries = {entry.key_of(1): (entry, place) for entry, place in self._waiting}
        self._waiting.clear()
        known = self._known(entries)
        self._settle(known, entries)
        new = [(key, *one) for key, one in entries.items() if key not in known]
        new = [one for one in new if one[1].has_reference or not self._is_known_otherwise(one[1], one[2])]
        self._doubt([one for one in new if one[1].has_reference and one[2].statement_id is not None])
        left = left_to_store(self._session, [(entry, place.account_id, place.statement_id) for _, entry, place in new])
        # Debits first: what a file pays and brings back is paid, then returned.
        self._insert(
            sorted(((entry, Place(account, proof)) for entry, account, proof in left), key=lambda one: one[0].is_credit)
        )

    def _known(self, keys: Iterable[str]) -> dict[str, Row[*tuple[Any, ...]]]:
        """Return the first line of each entry that stands already."""
        rows: dict[str, Row[*tuple[Any, ...]]] = {}
        for some in chunks(keys, CHUNK):
            query = select(
                BankLine.key, BankLine.id, BankLine.amount_cents, BankLine.entry_cents, BankLine.matched_cents
            ).where(among(self._session, BankLine.key, some))
            rows.update((row.key, row) for row in self._session.execute(query))
        return rows

    def _settle(
        self, known: Mapping[str, Row[*tuple[Any, ...]]], entries: Mapping[str, tuple[BankEntry, Place]]
    ) -> None:
        """Let a statement prove what was only announced, and keep the details of what was known as a whole and waits."""
        proved: defaultdict[UUID, list[str]] = defaultdict(list)
        for key, row in known.items():
            entry, place = entries[key]
            if place.statement_id is not None:
                proved[place.statement_id] += [entry.key_of(line.part) for line in entry.lines]
                # Told in one piece now, known in parts: the statement proves all of them.
                if len(entry.lines) == 1 and row.amount_cents != row.entry_cents:
                    is_of_entry = BankLine.key == literal(f"{entry.key}|").concat(cast(BankLine.part, String))
                    self._prove(place.statement_id, is_of_entry & (BankLine.bank_reference == entry.reference))
            is_whole = row.amount_cents == row.entry_cents and not row.matched_cents
            if is_whole and len(entry.lines) > 1:
                self.stored.details.append((row.id, entry))
        for statement_id, keys in proved.items():
            for some in chunks(keys, CHUNK):
                self._prove(statement_id, among(self._session, BankLine.key, some))

    def _prove(self, statement_id: UUID, condition: Any) -> None:
        self._session.execute(
            update(BankLine)
            .where(condition, BankLine.statement_id.is_(None))
            .values(statement_id=statement_id)
            .execution_options(synchronize_session=False)
        )

    def _is_known_otherwise(self, entry: BankEntry, place: Place) -> bool:
        """Say whether an entry that the bank does not name stands under another key; a statement then gives it its own."""
        rows = self._session.execute(
            select(BankLine.id, BankLine.key, BankLine.part, BankLine.statement_id)
            .where(
                BankLine.paying_account_id == place.account_id,
                BankLine.bank_reference == entry.reference,
                BankLine.bank_file != self._bank_file,
            )
            .order_by(BankLine.key)
        ).all()
        firsts = [row for row in rows if row.part == 1]
        if place.statement_id is None:
            return entry.rank <= len(firsts)
        announced = next((row for row in firsts if row.statement_id is None), None)
        if announced is None:
            return False
        of_entry = _entry_key(announced)
        for row in rows:
            if _entry_key(row) == of_entry:
                change = update(BankLine).where(BankLine.id == row.id)
                self._session.execute(change.values(key=entry.key_of(row.part), statement_id=place.statement_id))
        return True

    def _doubt(self, entries: Sequence[tuple[str, BankEntry, Place]]) -> None:
        """Note the references that stand with another amount on the same day and side, borne by one entry alone."""
        of_reference = {(place.account_id, entry.reference): entry for _, entry, place in entries}
        standing: defaultdict[tuple[UUID, str], set[tuple[Any, ...]]] = defaultdict(set)
        for some in chunks(sorted({entry.reference for _, entry, _ in entries}), CHUNK):
            rows = self._session.execute(
                select(
                    BankLine.paying_account_id,
                    BankLine.bank_reference,
                    BankLine.booked_on,
                    BankLine.is_credit,
                    BankLine.entry_cents,
                ).where(among(self._session, BankLine.bank_reference, some))
            )
            for row in rows:
                standing[row.paying_account_id, row.bank_reference].add((row.booked_on, row.is_credit, row.entry_cents))
        for which, alike in standing.items():
            entry = of_reference.get(which)
            if entry is None or len(alike) > 1:
                continue
            ((booked_on, is_credit, entry_cents),) = alike
            if (booked_on, is_credit) == (entry.booked_on, entry.is_credit) and entry_cents != entry.amount_cents:
                self._doubtful.append((entry, entry_cents))

    def _insert(self, entries: Sequence[tuple[BankEntry, Place]]) -> None:
        """Store lines, debits first: a credit is judged once all the debits of the piece stand."""
        lines = [(entry, place, line) for entry, place in entries for line in entry.lines]
        for is_credit in (False, True):
            self._insert_side([one for one in lines if one[2].is_credit is is_credit])

    def _insert_side(self, lines: Sequence[tuple[BankEntry, Place, ReadLine]]) -> None:
        if not lines:
            return
        advices = self._advices([line.end_to_end_id for _, _, line in lines if line.end_to_end_id is not None])
        if lines[0][2].is_credit:
            again = debited_again(self._session, [known.id for known in advices.values()])
            for known in advices.values():
                known.expected = replace(known.expected, is_debited_again=known.id in again)
        rows, matches = [], []
        for entry, place, line in lines:
            line_id = new_id()
            advice, verdict = self._decided(entry, line, place, advices)
            self.stored.verdicts[verdict] += 1
            kind = KIND.get(verdict)
            if kind is not None:
                advice_id = None if advice is None else advice.id
                matches.append(
                    (line_id, 1, line_id, kind.value, advice_id, None, line.amount_cents, WHY[verdict], self._now, self._by, None, None, "", True)
                )  # fmt: skip
            rows.append(self._row(line_id, entry, place, line, is_matched=kind is not None))
        self.stored.new_count += len(rows)
        copy_rows(self._session, BankLine, rows)
        if matches:
            copy_rows(self._session, BankMatch, matches)

    def _decided(
        self, entry: BankEntry, line: ReadLine, place: Place, advices: Mapping[str, _Advice]
    ) -> tuple[_Advice | None, Verdict]:
        """Decide what a line is, seeing what the lines before it did."""
        if line.is_charge:
            return None, Verdict.CHARGES
        advice = advices.get(line.end_to_end_id or "")
        if advice is not None and advice.account_id != place.account_id:
            advice = None
        expected = None if advice is None else advice.expected
        verdict = decide(line.amount_cents, line.is_credit, line.end_to_end_id is not None, expected).verdict
        if advice is None or verdict not in AFTER:
            return None, verdict
        if advice.expected.state is AdviceState.REJECTED:
            self.stored.debited_again[advice.id] = entry.booked_on
        self._states[advice.id] = AFTER[verdict]
        advice.expected = replace(advice.expected, state=AFTER[verdict])
        return advice, verdict

    def _advices(self, references: Sequence[str]) -> dict[str, _Advice]:
        found: dict[str, _Advice] = {}
        for some in chunks(sorted(set(references)), CHUNK):
            lock_rejected(self._session, some)
            rows = self._session.execute(
                select(
                    PaymentAdvice.reference,
                    PaymentAdvice.id,
                    Agreement.paying_account_id,
                    PaymentAdvice.amount_cents,
                    PaymentAdvice.state,
                )
                .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
                .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
                .where(among(self._session, PaymentAdvice.reference, some))
            )
            for row in rows:
                state = self._states.get(row.id) or row.state
                found[row.reference] = _Advice(row.id, row.paying_account_id, Expected(row.amount_cents, state))
        return found

    def _row(
        self, line_id: UUID, entry: BankEntry, place: Place, line: ReadLine, *, is_matched: bool
    ) -> tuple[object, ...]:
        values = {
            "id": line_id,
            "key": entry.key_of(line.part),
            "statement_id": place.statement_id,
            "bank_file": self._bank_file,
            "paying_account_id": place.account_id,
            "bank_reference": entry.reference,
            "origin": entry.origin.value,
            "part": line.part,
            "booked_on": entry.booked_on,
            "valued_on": entry.valued_on,
            "amount_cents": line.amount_cents,
            "entry_cents": entry.amount_cents,
            "matched_cents": line.amount_cents if is_matched else 0,
            "is_credit": line.is_credit,
            "is_reversal": line.is_reversal,
            "end_to_end_id": line.end_to_end_id,
            "counterparty": line.counterparty_name or "",
            "counterparty_iban": line.counterparty_iban and line.counterparty_iban[:34],
            "remittance": line.remittance,
            "return_reason": line.return_reason,
            "note": line.note or "",
            "domain_code": line.domain_code,
            "message_id": line.message_id,
            "payment_information_id": line.payment_information_id,
            "batch_count": line.batch_count,
        }
        return _in_order(values)


_in_order: Callable[[Mapping[str, object]], tuple[object, ...]] = itemgetter(*BankLine.__table__.columns.keys())


def _entry_key(row: Row[*tuple[Any, ...]]) -> str:
    """Return the key of a line's entry: the line's own, less its part."""
    key: str = row.key
    return key.removesuffix(f"|{row.part}")


def _contradiction(entry: BankEntry, before_cents: int) -> FileError:
    return FileError(
        entry.line,
        f"La ligne {entry.reference} est connue avec un autre montant ({format_euros(before_cents)}, "
        f"ici {format_euros(entry.amount_cents)}). Appelez votre banque.",
    )
