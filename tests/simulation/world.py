"""The parties of the simulation: five funders, three agreements on both channels, twelve structures with a counter each."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

from voucher.access.rules import Role
from voucher.demonstration.story import Story, invented_iban, invented_siren, invented_siret
from voucher.distribution.entrust import StockMove, entrust
from voucher.distribution.prescribers import NewPrescriber, register_prescriber
from voucher.issuing.keys import make_key
from voucher.issuing.make_batch import make_batch
from voucher.issuing.order import order_vouchers
from voucher.issuing.recognise_code import stored_codes
from voucher.kernel.calendar import start_of_day
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
from voucher.programme.paying_account import PayingTerms, change_paying_terms
from voucher.programme.sign_agreement import FunderShare, NewAgreement, sign_agreement
from voucher.redemption.answers import Counter

FIRST_DAY = date(2025, 2, 3)
FUNDERS = ("state", "europe", "department", "intercommunal", "region")
STRUCTURE_COUNT = 12
HOLDER_SIREN = invented_siren(50)
FACE_VALUE_CENTS = 999  # no share of it is a whole number of cents


@dataclass(frozen=True, slots=True)
class Plan:
    """An agreement to sign: its shares in basis points by funder, who pays, the day after which nothing is used."""

    number: str
    channel: str
    shares: tuple[tuple[str, int], ...]
    use_by: date


@dataclass
class Agreed:
    """An agreement that lives: its parties, its account, and its booklets' codes by number, in the order of hand-over."""

    plan: Plan
    agreement_id: UUID
    issuer_id: UUID
    iban: str
    prescriber_id: UUID
    funder_ids: dict[str, UUID]
    codes: dict[int, list[str]] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)  # booklets not handed over yet


@dataclass
class World:
    """Everything that the months of the simulation need."""

    story: Story
    agreements: list[Agreed]
    counters: list[Counter]


PLANS = (
    Plan("SIM-A", "mandated_operator", (("state", 6500), ("europe", 1400), ("department", 2100)), date(2025, 12, 31)),
    Plan("SIM-B", "public_accountant", (("state", 5000), ("intercommunal", 5000)), date(2026, 12, 31)),
    Plan("SIM-C", "mandated_operator", (("state", 3333), ("region", 6667)), date(2026, 12, 31)),
)


def open_world(story: Story, booklet_count: int) -> World:
    """Open envelopes, sign the agreements, qualify the structures, order and make `booklet_count` booklets each."""
    by, now = story.by[Role.PROGRAMME], start_of_day(FIRST_DAY)
    envelopes, funder_ids = {}, {}
    for rank, kind in enumerate(FUNDERS):
        funder_ids[kind], envelopes[kind] = story.some_id(), story.some_id()
        funder = NewFunder(funder_ids[kind], f"Financeur {kind}", kind, invented_siren(10 + rank))
        register_funder(story.database, funder, by=by, now=now)
        envelope = NewEnvelope(envelopes[kind], funder_ids[kind], "Enveloppe", 2025, 50_000_000)
        open_envelope(story.database, envelope, by=by, now=now)
    counters = [_structure(story, rank) for rank in range(STRUCTURE_COUNT)]
    agreements = [_sign(story, rank, plan, envelopes, funder_ids) for rank, plan in enumerate(PLANS)]
    for agreed in agreements:
        _issue(story, agreed, booklet_count)
    return World(story, agreements, counters)


def _structure(story: Story, rank: int) -> Counter:
    by, now = story.by[Role.PROGRAMME], start_of_day(FIRST_DAY)
    structure_id, place_id = story.some_id(), story.some_id()
    propose_structure(
        story.database,
        NewStructure(structure_id, invented_siret(100 + rank), f"Structure {rank}", f"structure{rank}@essai.example"),
        by=by,
        now=now,
    )
    qualify_structure(story.database, structure_id, by=by, now=now)
    add_place(
        story.database,
        place_id,
        structure_id,
        PlaceDescription(
            name=f"Lieu {rank}", address=f"{rank} rue des Essais", postcode="51000", city="Villeneuve-l'Essai"
        ),
        by=by,
        now=now,
    )
    give_bank_details(story, structure_id, 1000 + rank, now=now)
    return Counter(place_id, structure_id)


def give_bank_details(story: Story, structure_id: UUID, rank: int, *, now: object) -> None:
    """Record a new RIB of a structure, as when its account was closed."""
    iban = invented_iban(rank)
    details = NewBankDetails(new_id(), structure_id, f"STRUCTURE {rank}", iban, iban)
    record_bank_details(story.database, details, by=story.by[Role.PROGRAMME], now=now)  # type: ignore[arg-type]
    confirm_bank_details(story.database, details.id, by=story.by[Role.FINANCE_PREPARER], now=now)  # type: ignore[arg-type]


def _sign(story: Story, rank: int, plan: Plan, envelopes: dict[str, UUID], funder_ids: dict[str, UUID]) -> Agreed:
    by, now = story.by[Role.PROGRAMME], start_of_day(FIRST_DAY)
    issuer = NewIssuer(
        id=story.some_id(),
        siren=invented_siren(20 + rank),
        name=f"Collectivité {plan.number}",
        kind="department",
        address="1 place",
        postcode="51000",
        city="Villeneuve-l'Essai",
        contact_email="pass@essai.example",
        contact_phone="03 99 00 00 00",
        region_code="44",
    )
    register_issuer(story.database, issuer, by=by, now=now)
    account = NewPayingAccount(
        story.some_id(), f"Compte {plan.number}", f"PASS {plan.number}", invented_iban(rank + 1), plan.channel
    )
    open_paying_account(story.database, account, by=by, now=now)
    # One holder for both operators' accounts: its FEC tells both. Files hold few transfers, so that batches are split.
    terms = PayingTerms(HOLDER_SIREN, "pain.001.001.03" if rank else "pain.001.001.09", 5)
    change_paying_terms(story.database, account.id, terms, by=by, now=now)
    agreement = NewAgreement(
        id=story.some_id(),
        number=plan.number,
        name=f"Convention {plan.number}",
        issuer_id=issuer.id,
        paying_account_id=account.id,
        settlement_channel=plan.channel,
        ceiling_cents=5_000 * FACE_VALUE_CENTS,
        face_value_cents=FACE_VALUE_CENTS,
        booklet_size=5,
        is_handover_required=True,
        signed_on=FIRST_DAY,
        use_by=plan.use_by,
        grace_until=date(plan.use_by.year + 1, 1, 31),
        present_by=date(plan.use_by.year + 1, 2, 28),
        shares=tuple(FunderShare(envelopes[kind], part) for kind, part in plan.shares),
        commitment_number=f"E{rank}",
    )
    sign_agreement(story.database, agreement, by=by, now=now)
    commit(
        story.database,
        NewCommitment(story.some_id(), agreement.id, 4_000 * FACE_VALUE_CENTS, "Délibération"),
        by=by,
        now=now,
    )
    make_key(story.database, issuer.id, master_secret=story.master_secret, by=by, now=now)
    prescriber = NewPrescriber(
        id=story.some_id(),
        issuer_id=issuer.id,
        name=f"CCAS {plan.number}",
        kind="ccas",
        postcode="51000",
        city="Villeneuve-l'Essai",
        address="2 place",
    )
    register_prescriber(story.database, prescriber, by=by, now=now)
    return Agreed(
        plan,
        agreement.id,
        issuer.id,
        account.iban,
        prescriber.id,
        {kind: funder_ids[kind] for kind, _ in plan.shares},
    )


def _issue(story: Story, agreed: Agreed, booklet_count: int) -> None:
    by, now = story.by[Role.ISSUER], start_of_day(FIRST_DAY + timedelta(days=1))
    order = order_vouchers(story.database, story.some_id(), agreed.agreement_id, booklet_count, by=by, now=now)
    make_batch(story.database, order.batch_id, master_secret=story.master_secret, now=now, processes=1)
    move = StockMove(story.some_id(), agreed.issuer_id, order.first_booklet_number, booklet_count, agreed.prescriber_id)
    entrust(story.database, move, by=by, now=now)
    with story.database.read() as session:
        for one in stored_codes(session, order.first_booklet_number, booklet_count):
            agreed.codes[one.number] = [code.to_url(story.base_url) for code in one.vouchers]
    agreed.waiting = sorted(agreed.codes)
