"""The programme's money by stage and by funder: each stage is an account, so the figures are the ledger's own."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from voucher.kernel.database import Database
from voucher.ledger.chart import Code
from voucher.ledger.read import AccountBalance, balances
from voucher.programme.model import Agreement, Funder


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a euro's life: its account, its French name, and the sentence that defines it."""

    code: str
    name: str
    definition: str


BUDGET_STAGES = (
    Stage(Code.AVAILABLE, "Disponible", "Ouvert par le financeur, affecté à aucune convention."),
    Stage(Code.COMMITTED, "Engagé, à émettre", "Affecté à une convention ; aucun chèque n’est encore émis."),
    Stage(Code.ISSUED, "Émis, à remettre", "Chèques imprimés ou à imprimer, pas encore remis à une personne."),
    Stage(Code.HANDED_OVER, "Remis, à utiliser", "Chèques remis à une personne, pas encore utilisés."),
    Stage(Code.USED, "Utilisé", "Chèques encaissés à un comptoir."),
)
DEBT_STAGES = (
    Stage(Code.OWED, "À régler", "Dû aux structures : pas encore dans un lot, ou à reprendre d’un lot d’avant."),
    Stage(Code.SUSPENDED, "Suspendu", "Contesté ; le paiement attend une décision."),
    Stage(Code.ORDERED, "Ordonnancé", "Dans un lot arrêté, pas encore transmis."),
    Stage(Code.IN_TRANSIT, "En transit", "Transmis au comptable ou à la banque, pas encore confirmé."),
)


@dataclass(frozen=True, slots=True)
class FunderStages:
    """One funder's money at each budget stage, in cents, in the order of `BUDGET_STAGES`."""

    funder_id: UUID
    name: str
    cents: tuple[int, ...]

    @property
    def total_cents(self) -> int:
        """What the funder opened: the sum of all stages."""
        return sum(self.cents)


@dataclass(frozen=True, slots=True)
class Money:
    """The programme's money at one moment: by funder, what is owed to structures, what was paid to them, all in cents.

    `bank_cents` is what the paying accounts hold by their statements; None for a part of the programme, which may share them.
    """

    funders: tuple[FunderStages, ...]
    owed: tuple[tuple[Stage, int], ...]
    paid_cents: int
    bank_cents: int | None = None

    @property
    def totals(self) -> tuple[int, ...]:
        """Each stage over all funders."""
        return tuple(sum(column) for column in zip(*(funder.cents for funder in self.funders), strict=True)) or (
            0,
        ) * len(BUDGET_STAGES)

    @property
    def outstanding_cents(self) -> int:
        """What vouchers in circulation or in stock may still cost: issued and handed over, not used."""
        return self.totals[2] + self.totals[3]

    @property
    def owed_cents(self) -> int:
        """What structures are owed and did not receive."""
        return sum(cents for _, cents in self.owed)

    @property
    def used_cents(self) -> int:
        """What vouchers used at a counter cost."""
        return self.totals[4]


def money(database: Database, issuer_id: UUID | None = None, agreement_id: UUID | None = None) -> Money:
    """Return the programme's money by stage, or one issuer's agreements alone, or one agreement."""
    agreement_ids = None if agreement_id is None else {agreement_id}
    with database.read() as session:
        names = {row.id: row.name for row in session.execute(select(Funder.id, Funder.name).order_by(Funder.name))}
        if issuer_id is not None:
            agreement_ids = set(session.scalars(select(Agreement.id).where(Agreement.issuer_id == issuer_id)))
    accounts = balances(database, agreement_ids)
    funders = tuple(
        FunderStages(funder_id, name, tuple(_sum(accounts, stage.code, funder_id) for stage in BUDGET_STAGES))
        for funder_id, name in names.items()
    )
    owed = tuple((stage, -_sum(accounts, stage.code)) for stage in DEBT_STAGES)
    used_cents = _sum(accounts, Code.USED)
    return Money(
        tuple(funder for funder in funders if any(funder.cents)),
        owed,
        used_cents - sum(cents for _, cents in owed),
        _sum(accounts, Code.BANK) if agreement_ids is None else None,
    )


def _sum(accounts: Iterable[AccountBalance], code: str, funder_id: UUID | None = None) -> int:
    return sum(
        account.balance_cents
        for account in accounts
        if account.code == code and (funder_id is None or account.funder_id == funder_id)
    )
