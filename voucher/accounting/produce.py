"""Produce an agreement's annual account and keep it as it was given; say which are still to be produced."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import exists, select

from voucher.accounting.annual_account import annual_account, due_on, is_due
from voucher.accounting.documents import annual_account_pdf
from voucher.accounting.model import AnnualAccount
from voucher.issuing.model import IssueBatch
from voucher.kernel.calendar import end_of_day, paris_day
from voucher.kernel.database import Database
from voucher.kernel.idempotency import insert_once, is_replay
from voucher.kernel.refusals import Refused
from voucher.programme.model import Agreement, Issuer


@dataclass(frozen=True, slots=True)
class KeptAccount:
    """An annual account that was produced."""

    id: UUID
    name: str
    sha256: str
    produced_at: datetime
    produced_by: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DueAccount:
    """An agreement and a year whose account is to be produced, or was."""

    agreement_id: UUID
    agreement_number: str
    agreement_name: str
    issuer_name: str
    year: int
    due_on: date
    produced_at: datetime | None


def produce_account(
    database: Database, account_id: UUID, agreement_id: UUID, year: int, *, by: UUID, now: datetime,
    issuer_id: UUID | None = None,
) -> None:  # fmt: skip
    """Draw an annual account up and keep it; the same command again changes nothing.

    Raises Refused: unknown agreement, year not over, sums that the ledger does not confirm.
    """
    if paris_day(now) <= date(year, 12, 31):
        raise Refused("not_over", f"L’année {year} n’est pas finie. Revenez en janvier.")
    account = annual_account(database, agreement_id, year, issuer_id=issuer_id)
    if account is None:
        raise Refused("unknown_agreement", "Cette convention n’existe pas. Choisissez-la dans la liste.")
    row: dict[str, object] = {"id": account_id, "agreement_id": agreement_id, "year": year}
    content = b"" if not account.is_proven else annual_account_pdf(account, paris_day(now))
    with database.write() as session:
        if is_replay(session, AnnualAccount, row):
            return
        if not account.is_proven:
            raise Refused(
                "not_proven",
                "Le registre dit d’autres sommes que ce compte. Rien n’est produit. Faites vérifier les livres "
                "(voucher verify), puis recommencez.",
            )
        told = {
            "name": f"compte-annuel-{account.agreement_number.replace('/', '-')}-{year}.pdf",
            "sha256": hashlib.sha256(content).hexdigest(),
            "content": content,
            "produced_at": now,
            "produced_by": by,
        }
        taken = Refused("account_exists", "Ce compte annuel existe déjà. Rechargez la page.")
        insert_once(session, AnnualAccount, row, told, taken)


def kept_accounts(database: Database, agreement_id: UUID, year: int) -> list[KeptAccount]:
    """Return the accounts produced of an agreement for a year, the newest first."""
    with database.read() as session:
        rows = session.execute(
            select(
                AnnualAccount.id, AnnualAccount.name, AnnualAccount.sha256, AnnualAccount.produced_at,
                AnnualAccount.produced_by,
            )
            .where(AnnualAccount.agreement_id == agreement_id, AnnualAccount.year == year)
            .order_by(AnnualAccount.produced_at.desc(), AnnualAccount.id.desc())
        )  # fmt: skip
        return [KeptAccount(*row) for row in rows]


def kept_content(database: Database, account_id: UUID, *, issuer_id: UUID | None = None) -> tuple[str, bytes] | None:
    """Return the name and bytes of an account as it was produced; None when there is none in the scope."""
    with database.read() as session:
        row = session.execute(
            select(AnnualAccount.name, AnnualAccount.content, Agreement.issuer_id)
            .join(Agreement, Agreement.id == AnnualAccount.agreement_id)
            .where(AnnualAccount.id == account_id)
        ).one_or_none()
    return None if row is None or issuer_id not in (None, row.issuer_id) else (row.name, row.content)


def accounts_of_year(database: Database, year: int, *, issuer_id: UUID | None = None) -> list[DueAccount]:
    """Return every agreement that ordered vouchers by the end of a year, with its account of that year if it was produced."""
    produced = (
        select(AnnualAccount.produced_at)
        .where(AnnualAccount.agreement_id == Agreement.id, AnnualAccount.year == year)
        .order_by(AnnualAccount.produced_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    has_orders = exists().where(
        IssueBatch.agreement_id == Agreement.id, IssueBatch.ordered_at < end_of_day(date(year, 12, 31))
    )
    query = (
        select(
            Agreement.id, Agreement.number, Agreement.name, Issuer.name.label("issuer"), produced.label("produced_at")
        )
        .join(Issuer, Issuer.id == Agreement.issuer_id)
        .where(has_orders)
        .order_by(Agreement.number)
    )
    if issuer_id is not None:
        query = query.where(Agreement.issuer_id == issuer_id)
    with database.read() as session:
        rows = session.execute(query).all()
    return [
        DueAccount(
            agreement_id=row.id,
            agreement_number=row.number,
            agreement_name=row.name,
            issuer_name=row.issuer,
            year=year,
            due_on=due_on(year),
            produced_at=row.produced_at,
        )
        for row in rows
    ]


def accounts_due(database: Database, *, now: datetime, issuer_id: UUID | None = None) -> list[DueAccount]:
    """Return last year's accounts that wait to be produced: none before 1 April."""
    year = paris_day(now).year - 1
    if not is_due(year, paris_day(now)):
        return []
    return [one for one in accounts_of_year(database, year, issuer_id=issuer_id) if one.produced_at is None]
