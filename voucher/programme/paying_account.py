"""The terms of a paying account: what its bank takes, in how many transfers a file, and whose account it is."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from voucher.kernel.clean_input import identifier, member
from voucher.kernel.database import Database, changed
from voucher.kernel.identifiers import check_siren
from voucher.kernel.number_labels import iban_end
from voucher.kernel.refusals import Refused
from voucher.programme.model import PayingAccount, TransferSchema

TRANSFERS_MAX = 100_000


SCHEMA_WORDS: dict[TransferSchema, str] = {
    TransferSchema.NEW: "pain.001.001.09, la version en vigueur",
    TransferSchema.OLD: "pain.001.001.03, pour les banques qui la demandent encore",
}


@dataclass(frozen=True, slots=True)
class PayingTerms:
    """The terms of one account; `siren` is its holder's, None while it is not known: an FEC bears it."""

    siren: str | None
    transfer_schema: str
    transfers_per_file: int


@dataclass(frozen=True, slots=True)
class PayingAccountPage:
    """A paying account as its page shows it; only the end of its IBAN is given."""

    id: UUID
    name: str
    holder_name: str
    iban_end: str
    channel: str
    terms: PayingTerms


def paying_account(database: Database, account_id: UUID) -> PayingAccountPage | None:
    """Return a paying account, or None."""
    with database.read() as session:
        row = session.execute(
            select(*PayingAccount.__table__.columns).where(PayingAccount.id == account_id)
        ).one_or_none()
    if row is None:
        return None
    terms = PayingTerms(row.siren, row.transfer_schema, row.transfers_per_file)
    return PayingAccountPage(row.id, row.name, row.holder_name, iban_end(row.iban), row.channel, terms)


def change_paying_terms(database: Database, account_id: UUID, terms: PayingTerms, *, by: UUID, now: datetime) -> None:  # noqa: ARG001 - a use case says who acts
    """Change the terms of an account; the same again changes nothing. Files that left stay as they are. Raises Refused."""
    if not 1 <= terms.transfers_per_file <= TRANSFERS_MAX:
        raise Refused(
            "wrong_count",
            f"Écrivez un nombre de 1 à {TRANSFERS_MAX}. Les banques conseillent 10 000.",
            "transfers_per_file",
        )
    change = (
        update(PayingAccount)
        .where(PayingAccount.id == account_id)
        .values(
            siren=identifier(check_siren, terms.siren, "siren") if terms.siren else None,
            transfer_schema=member(TransferSchema, terms.transfer_schema, "transfer_schema"),
            transfers_per_file=terms.transfers_per_file,
        )
        .execution_options(synchronize_session=False)
    )
    with database.write() as session:
        if changed(session, change) == 0:
            raise Refused("unknown_account", "Ce compte payeur n’existe pas. Choisissez-le dans la liste.")
