"""The parties of the programme for tests: funders, envelopes, issuers, accounts, agreements to sign, structures with a RIB."""

from uuid import UUID

from tests.builders import NOW, SOMEONE, a_siren, an_iban, record_rib
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.network.structures import (
    NewBankDetails,
    NewStructure,
    propose_structure,
    qualify_structure,
)
from voucher.programme.open_envelope import NewEnvelope, open_envelope
from voucher.programme.parties import (
    NewFunder,
    NewIssuer,
    NewPayingAccount,
    open_paying_account,
    register_funder,
    register_issuer,
)
from voucher.programme.sign_agreement import FunderShare, NewAgreement


def a_rank() -> int:
    """Return a number that no other thing of the run has."""
    return new_id().int % 50_000_000


def a_funder(database: Database, kind: str = "state", name: str = "") -> UUID:
    """Register a funder and return its id."""
    funder = NewFunder(new_id(), name or f"Financeur {a_rank()}", kind)
    return register_funder(database, funder, by=SOMEONE, now=NOW)


def an_envelope(
    database: Database, amount_cents: int = 1_000_000_000, *, kind: str = "state", funder_id: UUID | None = None
) -> UUID:
    """Open an envelope (10 M€ of a new funder of the State's kind by default) and return its id."""
    envelope = NewEnvelope(new_id(), funder_id or a_funder(database, kind), f"Enveloppe {a_rank()}", 2026, amount_cents)
    return open_envelope(database, envelope, by=SOMEONE, now=NOW)


def an_issuer(database: Database, name: str = "") -> UUID:
    """Register a département and return its id."""
    issuer = NewIssuer(
        id=new_id(),
        siren=a_siren(a_rank()),
        name=name or f"Département de la Rive {a_rank()}",
        kind="department",
        address="1 place des Tilleuls",
        postcode="51100",
        city="Bellerive",
        contact_email="pass@rive.example",
        contact_phone="03 99 00 00 00",
        region_code="44",
    )
    return register_issuer(database, issuer, by=SOMEONE, now=NOW)


def a_paying_account(database: Database, channel: str = "mandated_operator") -> UUID:
    """Open a paying account and return its id."""
    account = NewPayingAccount(new_id(), f"Compte {a_rank()}", "OPERATEUR DU PASS", an_iban(a_rank()), channel)
    return open_paying_account(database, account, by=SOMEONE, now=NOW)


def halves(database: Database) -> tuple[FunderShare, ...]:
    """Return the State for half and a département for the other."""
    return tuple(FunderShare(an_envelope(database, kind=kind), 5_000) for kind in ("state", "department"))


def new_agreement(database: Database, **changes: object) -> NewAgreement:
    """Return an agreement ready to sign (100,000 € in 10 € vouchers), its parties made; `changes` say what differs."""
    said: dict[str, object] = {
        "id": new_id(),
        "number": f"PN-{a_rank()}",
        "name": "Pass de la Rive",
        "settlement_channel": "mandated_operator",
        "ceiling_cents": 10_000_000,
        "face_value_cents": 1_000,
        "booklet_size": 10,
        "is_handover_required": True,
        "signed_on": NOW.date(),
        "use_by": NOW.date().replace(month=12, day=31),
        "grace_until": NOW.date().replace(year=2027, month=1, day=31),
        "present_by": NOW.date().replace(year=2027, month=2, day=28),
        **changes,
    }
    said["issuer_id"] = said.get("issuer_id") or an_issuer(database)
    said["paying_account_id"] = said.get("paying_account_id") or a_paying_account(database)
    said["shares"] = said.get("shares") or halves(database)
    return NewAgreement(**said)  # type: ignore[arg-type]  # the names are the dataclass's


def a_structure(
    database: Database, name: str = "Association Le Fil", *, is_qualified: bool = True, has_rib: bool = True
) -> UUID:
    """Propose a structure, qualify it and record its RIB unless told not to; return its id."""
    structure_id = propose_structure(database, NewStructure(new_id(), f"W{a_rank():09d}", name), by=SOMEONE, now=NOW)
    if has_rib:
        iban = an_iban(a_rank())
        record_rib(database, NewBankDetails(new_id(), structure_id, name.upper(), iban, iban))
    if is_qualified:
        qualify_structure(database, structure_id, by=SOMEONE, now=NOW)
    return structure_id
