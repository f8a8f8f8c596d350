"""Every amount owed to a structure, with the day it began: the rows of the aged balance.

The age of a debt is counted in Paris days from the end of its period, whatever payments of it failed since; while the
period is open, from the day the vouchers were used, so that one left open for months is seen. An advice that
carries older ones over is split into the periods it began with. A claw-back netted by a batch pays off the oldest part first.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import case, exists, func, literal, select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import paris_day, start_of_day
from voucher.ledger.chart import Code
from voucher.ledger.model import Account, Entry, Movement
from voucher.ledger.read import balances_query
from voucher.redemption.model import Period, Redemption, RedemptionState
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.payable.debt_by_due_day import unpaid_parts
from voucher.settlement.words.states import AdviceState

IN_NO_BATCH = ~exists().where(SettlementBatch.period_id == Period.id)
"""The condition that a period, which the caller joins, is not settled yet."""

BEGAN_AT = func.coalesce(Period.closed_at, Redemption.redeemed_at)
"""When a redemption that no batch holds began to be owed."""


class DebtState(StrEnum):
    """Where a debt stands, in the order of its life; the values are what addresses say."""

    NOT_FROZEN = "a-arreter"
    FROZEN = "arrete"
    SENT = "transmis"
    HELD = "en-attente"
    REJECTED = "rejete"
    DISPUTED = "conteste"
    OTHER = "autre"


STATE_WORDS: Mapping[DebtState, tuple[str, str]] = {
    DebtState.NOT_FROZEN: ("Pas encore dans un lot", "Encaissé ; aucun lot arrêté ne l’a pris."),
    DebtState.FROZEN: ("Arrêté", "Dans un lot arrêté ou validé, pas encore transmis."),
    DebtState.SENT: ("Transmis", "Parti, pas encore confirmé par une ligne de banque."),
    DebtState.HELD: ("En attente", "Mis de côté : RIB manquant, structure suspendue, petit montant."),
    DebtState.REJECTED: ("Rejeté ou retourné", "Le virement n’a pas abouti. La somme reste due."),
    DebtState.DISPUTED: ("Contesté", "Suspendu tant que la contestation n’est pas tranchée."),
    DebtState.OTHER: ("Autre", "Contestation levée ou autre somme due, dans aucun lot."),
}
"""The name and the definition of each state."""

_OF_ADVICE = {
    AdviceState.DUE: DebtState.FROZEN,
    AdviceState.IN_FILE: DebtState.SENT,
    AdviceState.HELD: DebtState.HELD,
    AdviceState.REJECTED: DebtState.REJECTED,
    AdviceState.RETURNED: DebtState.REJECTED,
}


@dataclass(frozen=True, slots=True)
class Age:
    """A column of the aged balance: from so many days to so many, without end for the last; `key` is what addresses say."""

    key: str
    label: str
    from_days: int
    to_days: int | None


AGES = (
    Age("0-30", "0 à 30 jours", 0, 30),
    Age("31-60", "31 à 60 jours", 31, 60),
    Age("61-90", "61 à 90 jours", 61, 90),
    Age("91", "Plus de 90 jours", 91, None),
)


def age_rank(since: date, today: date) -> int:
    """Return the column of a debt that began on a day; one that begins later is of the first."""
    days = (today - since).days
    return next(rank for rank, age in enumerate(AGES) if age.to_days is None or days <= age.to_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """An amount owed to a structure, of one state and one beginning. `advice_id`, `reference` and `due_on` where an advice says it."""

    state: DebtState
    agreement_id: UUID
    structure_id: UUID
    since: date
    amount_cents: int
    advice_id: UUID | None = None
    reference: str = ""
    due_on: date | None = None


def debts_in(session: Session, today: date) -> list[Debt]:
    """Return all that is owed as of a day, programme-wide."""
    found = [*_not_frozen(session, today), *_advices(session), *_disputed(session)]
    explained: dict[tuple[UUID, UUID | None], int] = defaultdict(int)
    for one in found:
        if one.state in {DebtState.NOT_FROZEN, DebtState.HELD, DebtState.REJECTED}:
            explained[one.agreement_id, one.structure_id] += one.amount_cents
    for (agreement_id, structure_id, _), balance_cents in balances_of(session, (Code.OWED,)).items():
        rest = -balance_cents - explained[agreement_id, structure_id]
        if rest and structure_id is not None:
            found.append(
                Debt(
                    state=DebtState.OTHER,
                    agreement_id=agreement_id,
                    structure_id=structure_id,
                    since=today,
                    amount_cents=rest,
                )
            )
    return found


def _not_frozen(session: Session, today: date) -> list[Debt]:
    """Sum what no batch holds by structure and age: the rows behind are those of `redemption_rows`."""
    rank = case(
        *(
            (start_of_day(today - timedelta(days=age.to_days)) <= BEGAN_AT, literal(place))
            for place, age in enumerate(AGES)
            if age.to_days is not None
        ),
        else_=literal(len(AGES) - 1),
    )
    rows = session.execute(
        select(
            Redemption.agreement_id,
            Redemption.structure_id,
            func.min(BEGAN_AT),
            func.sum(Redemption.amount_cents),
        )
        .join(Period, Period.id == Redemption.period_id)
        .where(IN_NO_BATCH, Redemption.state == RedemptionState.CONFIRMED)
        .group_by(Redemption.agreement_id, Redemption.structure_id, rank)
    )
    return [
        Debt(
            state=DebtState.NOT_FROZEN,
            agreement_id=row[0],
            structure_id=row[1],
            since=paris_day(row[2]),
            amount_cents=int(row[3]),
        )
        for row in rows
    ]


def _advices(session: Session) -> list[Debt]:
    """Return what unpaid advices owe, each split into the periods that its money comes from."""
    parts = unpaid_parts(session)
    rows = session.execute(
        select(
            PaymentAdvice.id,
            PaymentAdvice.reference,
            PaymentAdvice.structure_id,
            PaymentAdvice.state,
            SettlementBatch.agreement_id,
        )
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .where(PaymentAdvice.state.in_(_OF_ADVICE))
    )
    return [
        Debt(
            state=_OF_ADVICE[row.state],
            agreement_id=row.agreement_id,
            structure_id=row.structure_id,
            since=part.since,
            amount_cents=part.amount_cents,
            advice_id=row.id,
            reference=row.reference,
            due_on=part.due_on,
        )
        for row in rows
        for part in parts[row.id]
    ]


def _disputed(session: Session) -> list[Debt]:
    """Return what is suspended (4678), aged from the day it was: what was settled since settled the oldest first."""
    suspended_on = session.execute(
        select(
            Account.agreement_id,
            Account.structure_id,
            Entry.effective_on,
            func.sum(Movement.amount_cents).label("cents"),
        )
        .join(Movement, Movement.credit_account_id == Account.id)
        .join(Entry, Entry.id == Movement.entry_id)
        .where(Account.code == Code.SUSPENDED)
        .group_by(Account.agreement_id, Account.structure_id, Entry.effective_on)
        .order_by(Account.agreement_id, Account.structure_id, Entry.effective_on.desc())
    ).all()
    balances = balances_of(session, (Code.SUSPENDED,))
    left = {(agreement_id, structure_id): -cents for (agreement_id, structure_id, _), cents in balances.items()}
    found = []
    for row in suspended_on:
        part = min(int(row.cents), left.get((row.agreement_id, row.structure_id), 0))
        if part > 0:
            left[row.agreement_id, row.structure_id] -= part
            found.append(
                Debt(
                    state=DebtState.DISPUTED,
                    agreement_id=row.agreement_id,
                    structure_id=row.structure_id,
                    since=row.effective_on,
                    amount_cents=part,
                )
            )
    return found


def balances_of(session: Session, codes: Sequence[str]) -> dict[tuple[UUID, UUID | None, str], int]:
    """Return balances (debit less credit) by agreement, structure (None for 5115) and code, those at zero left out."""
    sums = balances_query().subquery()
    rows = session.execute(
        select(Account.agreement_id, Account.structure_id, Account.code, sums.c.balance_cents)
        .join(sums, sums.c.id == Account.id)
        .where(Account.code.in_(codes), sums.c.balance_cents != 0)
    )
    return {(row[0], row[1], row[2]): int(row[3]) for row in rows}
