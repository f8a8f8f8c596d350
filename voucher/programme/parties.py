"""Make the programme's parties known: funders, issuers and the accounts from which structures are paid."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voucher.kernel.clean_input import (
    account_holder,
    bank_of_account,
    identifier,
    member,
    optional_text,
    postcode,
    required_text,
)
from voucher.kernel.database import Database
from voucher.kernel.idempotency import insert_once
from voucher.kernel.identifiers import check_iban, check_siren
from voucher.kernel.refusals import Refused
from voucher.programme.model import Funder, FunderKind, Issuer, IssuerKind, PayingAccount, SettlementChannel
from voucher.programme.rules import refuse_lone_commune
from voucher.programme.territories import REGIONS

REGION_CODES = frozenset(region.code for region in REGIONS)


@dataclass(frozen=True, slots=True)
class NewFunder:
    """Who gives money. `siren` is None for those who have none (Europe)."""

    id: UUID
    name: str
    kind: str
    siren: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIssuer:
    """A collectivité that will issue vouchers; its name and address are printed on each of them (R.1611-8 CGCT)."""

    id: UUID
    siren: str
    name: str
    kind: str
    address: str
    postcode: str
    city: str
    contact_email: str
    contact_phone: str = ""
    region_code: str | None = None


@dataclass(frozen=True, slots=True)
class NewPayingAccount:
    """An account from which structures are paid. `holder_name` is its exact title; a known bank's BIC follows from the IBAN."""

    id: UUID
    name: str
    holder_name: str
    iban: str
    channel: str
    bic: str | None = None


def register_funder(database: Database, funder: NewFunder, *, by: UUID, now: datetime) -> UUID:  # noqa: ARG001 - a use case says who acts
    """Register a funder and return its id; the same command again changes nothing. Raises Refused (name, SIREN, kind)."""
    row: dict[str, object] = {
        "id": funder.id,
        "name": required_text(funder.name, "name", 120),
        "kind": member(FunderKind, funder.kind, "kind"),
        "siren": identifier(check_siren, funder.siren, "siren") if funder.siren else None,
    }
    taken = Refused("funder_exists", "Un financeur porte déjà ce nom. Utilisez-le, ou choisissez un autre nom.", "name")
    with database.write() as session:
        insert_once(session, Funder, row, {"created_at": now}, taken)
    return funder.id


def register_issuer(database: Database, issuer: NewIssuer, *, by: UUID, now: datetime) -> UUID:  # noqa: ARG001 - a use case says who acts
    """Register an issuer and return its id; the same command again changes nothing.

    Raises Refused; a lone commune is told why, and what it may do instead.
    """
    siren = identifier(check_siren, issuer.siren, "siren")
    refuse_lone_commune(issuer.kind, siren)
    if issuer.region_code is not None and issuer.region_code not in REGION_CODES:
        raise Refused("unknown_region", "Choisissez une région de la liste.", "region_code")
    row: dict[str, object] = {
        "id": issuer.id,
        "siren": siren,
        "name": required_text(issuer.name, "name", 120),
        "kind": member(IssuerKind, issuer.kind, "kind"),
        "address": required_text(issuer.address, "address", 200),
        "postcode": postcode(issuer.postcode, "postcode"),
        "city": required_text(issuer.city, "city", 80),
        "region_code": issuer.region_code,
        "contact_email": required_text(issuer.contact_email, "contact_email", 200),
        "contact_phone": optional_text(issuer.contact_phone, "contact_phone", 30),
    }
    taken = Refused(
        "issuer_exists", "Un émetteur porte déjà ce SIREN. Cherchez-le dans la liste des collectivités.", "siren"
    )
    with database.write() as session:
        insert_once(session, Issuer, row, {"created_at": now}, taken)
    return issuer.id


def open_paying_account(database: Database, account: NewPayingAccount, *, by: UUID, now: datetime) -> UUID:  # noqa: ARG001 - a use case says who acts
    """Record a paying account and return its id; the same command again changes nothing. Raises Refused (IBAN, BIC, channel)."""
    iban = identifier(check_iban, account.iban, "iban")
    row: dict[str, object] = {
        "id": account.id,
        "name": required_text(account.name, "name", 120),
        "holder_name": account_holder(account.holder_name, "holder_name"),
        "iban": iban,
        "bic": bank_of_account(account.bic, iban, "bic"),
        "channel": member(SettlementChannel, account.channel, "channel"),
    }
    taken = Refused("account_exists", "Ce compte est déjà enregistré. Choisissez-le dans la liste.", "iban")
    with database.write() as session:
        insert_once(session, PayingAccount, row, {"created_at": now}, taken)
    return account.id
