"""The aged balance of payables: what structures are owed, by state and by age, equal to the ledger to the cent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select

from voucher.kernel.calendar import paris_day
from voucher.kernel.characters import compact
from voucher.kernel.database import Database
from voucher.ledger.chart import OWED_TO_STRUCTURES
from voucher.network.model import Structure
from voucher.programme.model import Agreement
from voucher.reporting.debts import AGES, Age, Debt, DebtState, age_rank, balances_of, debts_in
from voucher.settlement.model.issuer_scope import in_scope


@dataclass(frozen=True, slots=True)
class NamedDebt:
    """A debt in a list, with the names behind its ids and its age in days."""

    debt: Debt
    structure_name: str
    pivot: str
    agreement_number: str
    days: int
    age: Age


@dataclass(frozen=True, slots=True)
class StructureAge:
    """What one structure is owed, in cents by column of `AGES`."""

    structure_id: UUID
    name: str
    pivot: str
    cents: tuple[int, ...]

    @property
    def total_cents(self) -> int:
        """All that it is owed."""
        return sum(self.cents)


@dataclass(frozen=True, slots=True)
class Ageing:
    """The aged balance of one day. `ledger_cents` is what 4670, 4675, 4678 and 5115 say: the total must be it."""

    today: date
    debts: tuple[NamedDebt, ...]
    ledger_cents: int

    @property
    def total_cents(self) -> int:
        """All that is owed."""
        return sum(debt.debt.amount_cents for debt in self.debts)

    @property
    def gap_cents(self) -> int:
        """What the ledger owes beyond these rows: zero, or `voucher verify` says why."""
        return self.ledger_cents - self.total_cents

    def matrix(self) -> dict[DebtState, tuple[int, ...]]:
        """Return cents by state and by column of `AGES`, states without a debt left out."""
        sums: dict[DebtState, list[int]] = {}
        for debt in self.debts:
            sums.setdefault(debt.debt.state, [0] * len(AGES))[AGES.index(debt.age)] += debt.debt.amount_cents
        return {state: tuple(sums[state]) for state in DebtState if state in sums}

    def column_totals(self) -> tuple[int, ...]:
        """Return cents by column of `AGES`."""
        return tuple(sum(column) for column in zip(*self.matrix().values(), strict=True)) or (0,) * len(AGES)

    def kept(self, filters: Mapping[str, str]) -> "Ageing":
        """Return the same with only some debts. Filters: `state`, `age`, `agreement` (number), `structure` (name or number)."""
        words = filters.get("structure", "").casefold()
        return Ageing(
            self.today,
            tuple(
                debt
                for debt in self.debts
                if filters.get("state", debt.debt.state) == debt.debt.state
                and filters.get("age", debt.age.key) == debt.age.key
                and filters.get("agreement", debt.agreement_number) == debt.agreement_number
                and (words in debt.structure_name.casefold() or debt.pivot.startswith(compact(words) or words))
            ),
            self.ledger_cents,
        )

    def by_structure(self) -> list[StructureAge]:
        """Return one row for each structure, by name."""
        sums: dict[UUID, list[int]] = {}
        names = {debt.debt.structure_id: (debt.structure_name, debt.pivot) for debt in self.debts}
        for one in self.debts:
            sums.setdefault(one.debt.structure_id, [0] * len(AGES))[AGES.index(one.age)] += one.debt.amount_cents
        rows = [StructureAge(key, *names[key], tuple(cents)) for key, cents in sums.items()]
        return sorted(rows, key=lambda row: (row.name.casefold(), row.pivot))


def ageing(database: Database, *, now: datetime, issuer_id: UUID | None = None) -> Ageing:
    """Return the aged balance of payables as of now, of the programme or of one issuer."""
    today = paris_day(now)
    with database.read() as session:
        agreements = {
            row.id: row.number
            for row in session.execute(
                select(Agreement.id, Agreement.number).where(in_scope(Agreement.issuer_id, issuer_id))
            )
        }
        found = [one for one in debts_in(session, today) if one.agreement_id in agreements]
        ledger_cents = sum(
            -cents
            for (agreement_id, _, _), cents in balances_of(session, OWED_TO_STRUCTURES).items()
            if agreement_id in agreements
        )
        structures = {
            row.id: (row.name, row.pivot)
            for row in session.execute(select(Structure.id, Structure.name, Structure.pivot))
        }
    named = [
        NamedDebt(
            one,
            *structures[one.structure_id],
            agreements[one.agreement_id],
            max((today - one.since).days, 0),
            AGES[age_rank(one.since, today)],
        )
        for one in found
    ]
    named.sort(key=lambda one: (one.debt.since, one.structure_name, one.agreement_number, one.debt.reference))
    return Ageing(today, tuple(named), ledger_cents)
