"""What tests need to stand before they begin, built through the real use cases. Names of people and places are invented."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from voucher.distribution.entrust import StockMove, entrust
from voucher.distribution.hand_over import hand_over
from voucher.distribution.prescribers import NewPrescriber, register_prescriber
from voucher.issuing.keys import make_key
from voucher.issuing.make_batch import make_batch
from voucher.issuing.order import Ordered, order_vouchers
from voucher.issuing.recognise_code import stored_codes
from voucher.issuing.typing_code import typing_code
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.network.confirm_rib import confirm_bank_details
from voucher.network.places import PlaceDescription, add_place
from voucher.network.structures import (
    NewBankDetails,
    NewStructure,
    propose_structure,
    qualify_structure,
    record_bank_details,
)
from voucher.programme.commit import NewCommitment, commit
from voucher.programme.open_envelope import NewEnvelope, open_envelope
from voucher.programme.parties import (
    NewFunder,
    NewIssuer,
    NewPayingAccount,
    open_paying_account,
    register_funder,
    register_issuer,
)
from voucher.programme.sign_agreement import FunderShare, NewAgreement, sign_agreement
from voucher.redemption.answers import Counter

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SOMEONE = UUID("01890000-0000-7000-8000-000000000001")  # who acts, where the test does not care
CONFIRMER = UUID("01890000-0000-7000-8000-00000000000c")  # who confirms RIBs, and neither records nor approves
MASTER_SECRET = bytes.fromhex("0f" * 32)  # the same as tests.clients.MASTER_KEY


@dataclass(frozen=True, slots=True)
class Agreed:
    """An agreement with its parties; `funder_ids` in the order of the shares."""

    agreement_id: UUID
    issuer_id: UUID
    funder_ids: tuple[UUID, ...]
    key_id: int


@dataclass(frozen=True, slots=True)
class Issued:
    """An order that is made."""

    agreed: Agreed
    batch_id: UUID
    first_serial: int
    first_booklet_number: int
    booklet_count: int
    voucher_count: int


def record_rib(database: Database, details: NewBankDetails, *, by: UUID = SOMEONE, now: datetime = NOW) -> None:
    """Record a RIB, and let another person confirm it at once."""
    record_bank_details(database, details, by=by, now=now)
    confirm_bank_details(database, details.id, by=CONFIRMER, now=now)


def a_siren(rank: int) -> str:
    """Return the rank-th of some SIREN that pass the Luhn key."""
    base = f"{30000000 + rank:08d}"  # Insee keeps 21… for communes, which may not issue
    digits = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(base)]
    return base + str(-sum(digit - 9 if digit > 9 else digit for digit in digits) % 10)


def an_iban(rank: int) -> str:
    """Return the rank-th of some French IBAN whose two keys are right."""
    bank, branch, account = "30001", "00794", f"{rank:011d}"
    rib = 97 - (89 * int(bank) + 15 * int(branch) + 3 * int(account)) % 97
    bban = f"{bank}{branch}{account}{rib:02d}"
    check = 98 - int(f"{bban}152700") % 97
    return f"FR{check:02d}{bban}"


def an_agreement(
    database: Database,
    *,
    shares: tuple[int, ...] = (5000, 5000),
    committed_cents: int = 10_000_000,
    ceiling_cents: int = 100_000_000,
    face_value_cents: int = 1000,
    booklet_size: int = 10,
    is_handover_required: bool = True,
    channel: str = "mandated_operator",
    use_by: date = date(2026, 12, 31),
    grace_until: date = date(2027, 1, 31),
    present_by: date = date(2027, 2, 28),
    now: datetime = NOW,
) -> Agreed:
    """Sign an agreement between a new issuer and new funders (the first is the State), commit credits, make the key."""
    rank = new_id().int % 1_000_000  # a SIREN in 21 is a commune
    act: dict[str, Any] = {"by": SOMEONE, "now": now}
    issuer_id, account_id, agreement_id = new_id(), new_id(), new_id()
    register_issuer(
        database,
        NewIssuer(
            id=issuer_id,
            siren=a_siren(rank),
            name=f"Département d'Essai {rank}",
            kind="department",
            address="1 place de l'Essai",
            postcode="51000",
            city="Villeneuve-l'Essai",
            contact_email="emission@departement.example",
            contact_phone="03 99 00 00 00",
            region_code="44",
        ),
        **act,
    )
    open_paying_account(
        database, NewPayingAccount(account_id, f"Compte {rank}", "DEPARTEMENT ESSAI", an_iban(rank), channel), **act
    )
    funder_ids, parts = [], []
    for place, share in enumerate(shares):
        funder_id, envelope_id = new_id(), new_id()
        kind = "state" if place == 0 else "department"
        register_funder(database, NewFunder(funder_id, f"Financeur {rank}-{place}", kind), **act)
        open_envelope(database, NewEnvelope(envelope_id, funder_id, "Enveloppe 2026", 2026, ceiling_cents), **act)
        funder_ids.append(funder_id)
        parts.append(FunderShare(envelope_id, share))
    sign_agreement(
        database,
        NewAgreement(
            id=agreement_id,
            number=f"CONV-{rank}",
            name=f"Convention d'essai {rank}",
            issuer_id=issuer_id,
            paying_account_id=account_id,
            settlement_channel=channel,
            ceiling_cents=ceiling_cents,
            face_value_cents=face_value_cents,
            booklet_size=booklet_size,
            is_handover_required=is_handover_required,
            signed_on=now.date(),
            use_by=use_by,
            grace_until=grace_until,
            present_by=present_by,
            shares=tuple(parts),
        ),
        **act,
    )
    if committed_cents:
        commit(database, NewCommitment(new_id(), agreement_id, committed_cents, "DELIB-1"), **act)
    key_id = make_key(database, issuer_id, master_secret=MASTER_SECRET, **act)
    return Agreed(agreement_id, issuer_id, tuple(funder_ids), key_id)


def issued_booklets(
    database: Database, booklet_count: int = 3, *, agreed: Agreed | None = None, now: datetime = NOW
) -> Issued:
    """Order and make booklets, of a new agreement unless one is given."""
    agreed = agreed or an_agreement(database, now=now)
    order: Ordered = order_vouchers(database, new_id(), agreed.agreement_id, booklet_count, by=SOMEONE, now=now)
    make_batch(database, order.batch_id, master_secret=MASTER_SECRET, now=now)
    return Issued(
        agreed, order.batch_id, order.first_serial, order.first_booklet_number, order.booklet_count, order.voucher_count
    )


def a_prescriber(database: Database, issuer_id: UUID, *, name: str = "CCAS de Bellerive", now: datetime = NOW) -> UUID:
    """Register a prescriber of an issuer."""
    prescriber = NewPrescriber(
        id=new_id(), issuer_id=issuer_id, name=name, kind="ccas", postcode="51100", city="Bellerive"
    )
    return register_prescriber(database, prescriber, by=SOMEONE, now=now)


def entrusted_booklets(
    database: Database, booklet_count: int = 3, *, agreed: Agreed | None = None, now: datetime = NOW
) -> tuple[Issued, UUID]:
    """Issue booklets and entrust them to a new prescriber; return both."""
    issued = issued_booklets(database, booklet_count, agreed=agreed, now=now)
    issuer_id = issued.agreed.issuer_id
    prescriber_id = a_prescriber(database, issuer_id, name=f"CCAS {new_id().hex[-6:]}", now=now)
    move = StockMove(new_id(), issuer_id, issued.first_booklet_number, booklet_count, prescriber_id)
    entrust(database, move, by=SOMEONE, now=now)
    return issued, prescriber_id


def handed_over_booklets(
    database: Database, booklet_count: int = 1, *, agreed: Agreed | None = None, now: datetime = NOW
) -> Issued:
    """Issue booklets, entrust them to a new prescriber and hand each of them over."""
    issued, prescriber_id = entrusted_booklets(database, booklet_count, agreed=agreed, now=now)
    for number in range(issued.first_booklet_number, issued.first_booklet_number + booklet_count):
        hand_over(database, new_id(), number, prescriber_id, by=SOMEONE, now=now)
    return issued


def a_counter(database: Database, *, structure_id: UUID | None = None, now: datetime = NOW) -> Counter:
    """Open a place, of a new qualified structure unless one is given."""
    rank = new_id().int % 90_000_000
    act: dict[str, Any] = {"by": SOMEONE, "now": now}
    if structure_id is None:
        structure_id = propose_structure(
            database, NewStructure(new_id(), f"W{rank:09d}", f"Association du Numérique {rank}"), **act
        )
        qualify_structure(database, structure_id, **act)
    place = PlaceDescription(
        name=f"Comptoir {rank}", address="3 rue des Essais", postcode="51100", city="Bellerive",
        opening_hours="Mo-Fr 09:00-12:00", services=("everyday_digital_tools",),
    )  # fmt: skip
    return Counter(add_place(database, new_id(), structure_id, place, **act), structure_id)


def scanned_codes(database: Database, booklet_number: int) -> list[str]:
    """Return what a scanner reads on each voucher of a booklet, in order."""
    with database.read() as session:
        return [code.to_url("http://127.0.0.1:8000") for code in stored_codes(session, booklet_number, 1)[0].vouchers]


def typed_codes(database: Database, booklet_number: int) -> list[str]:
    """Return what a person types of each voucher of a booklet, in order."""
    with database.read() as session:
        vouchers = stored_codes(session, booklet_number, 1)[0].vouchers
    return [typing_code(code.payload.serial, code.payload.tag) for code in vouchers]
