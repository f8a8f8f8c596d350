"""Three agreements: a département and an EPCI of this year, a région of the year before whose vouchers have lapsed."""

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from voucher.access.rules import Role
from voucher.demonstration.story import Story, invented_iban, invented_siren
from voucher.issuing.keys import make_key
from voucher.kernel.calendar import start_of_day
from voucher.programme.commit import NewCommitment, commit
from voucher.programme.model import TransferSchema
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

TRANSFERS_PER_FILE = 10_000
STATE_ENVELOPE_CENTS = 1_000_000_000  # the 10 M€ of 17 June 2019


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """An agreement of the story: what its later chapters need of it."""

    agreement_id: UUID
    issuer_id: UUID
    number: str
    paying_account_id: UUID
    iban: str
    signed_on: date
    use_by: date


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What an agreement of the story is to be."""

    number: str
    issuer: NewIssuer
    account: NewPayingAccount
    shares: tuple[tuple[str, int], ...]
    ceiling_cents: int
    committed_cents: int
    signed_on: date
    use_by: date


def open_money(story: Story) -> dict[str, UUID]:
    """Open five funders with an envelope each; return the envelopes by the funder's short name."""
    by, now = story.by[Role.PROGRAMME], start_of_day(story.days_ago(660))
    funders = (
        ("state", "État", "state", None, "Pass numérique 2019", 2019, STATE_ENVELOPE_CENTS),
        ("europe", "Union européenne (FSE+)", "europe", None, "Inclusion", now.year, 60_000_000),
        ("department", "Département de la Vèze", "department", invented_siren(1), "Autonomie", now.year, 40_000_000),
        ("epci", "Communauté du Val d’Orme", "intercommunal", invented_siren(2), "Aller vers", now.year, 20_000_000),
        ("region", "Région Grand Littoral", "region", invented_siren(3), "Chèques numériques", now.year, 80_000_000),
    )
    envelopes = {}
    for short, name, kind, siren, label, fiscal_year, cents in funders:
        funder_id, envelope_id = story.some_id(), story.some_id()
        register_funder(story.database, NewFunder(funder_id, name, kind, siren), by=by, now=now)
        envelope = NewEnvelope(envelope_id, funder_id, label, fiscal_year, cents)
        open_envelope(story.database, envelope, by=by, now=now)
        envelopes[short] = envelope_id
    return envelopes


def sign_agreements(story: Story) -> tuple[Signed, Signed, Signed]:
    """Sign and commit the three agreements: département (operator pays), EPCI (accountant pays), région (operator, ended)."""
    envelopes = open_money(story)
    ended = _last_presentation(story.today)
    use_by = date((story.today + timedelta(days=30)).year, 12, 31)
    department, epci, region = (
        _sign(story, envelopes, plan)
        for plan in (
            _Plan(
                number=f"{use_by.year}-VEZ-01",
                issuer=NewIssuer(
                    id=story.some_id(),
                    siren=invented_siren(1),
                    name="Département de la Vèze",
                    kind="department",
                    address="1 place de la Préfecture",
                    postcode="51000",
                    city="Vèze-sur-Orme",
                    contact_email="pass@veze.example",
                    contact_phone="03 99 00 10 10",
                    region_code="44",
                ),
                account=NewPayingAccount(
                    story.some_id(),
                    "Opérateur, compte cantonné Vèze",
                    "OPERATEUR PASS VEZE",
                    invented_iban(1),
                    "mandated_operator",
                ),
                shares=(("state", 5000), ("europe", 1400), ("department", 3600)),
                ceiling_cents=5_000_000,
                committed_cents=3_000_000,
                signed_on=story.days_ago(200),
                use_by=use_by,
            ),
            _Plan(
                number=f"{use_by.year}-ORM-01",
                issuer=NewIssuer(
                    id=story.some_id(),
                    siren=invented_siren(2),
                    name="Communauté du Val d’Orme",
                    kind="epci",
                    address="12 rue des Tilleuls",
                    postcode="35000",
                    city="Orme-le-Val",
                    contact_email="numerique@valdorme.example",
                    contact_phone="02 99 00 20 20",
                    region_code="53",
                ),
                account=NewPayingAccount(
                    story.some_id(),
                    "Trésorerie du Val d’Orme",
                    "TRESORERIE DU VAL D ORME",
                    invented_iban(2),
                    "public_accountant",
                ),
                shares=(("state", 3500), ("epci", 6500)),
                ceiling_cents=4_000_000,
                committed_cents=2_500_000,
                signed_on=story.days_ago(190),
                use_by=use_by,
            ),
            _Plan(
                number=f"{ended.year - 1}-LIT-01",
                issuer=NewIssuer(
                    id=story.some_id(),
                    siren=invented_siren(3),
                    name="Région Grand Littoral",
                    kind="region",
                    address="200 quai des Écluses",
                    postcode="34000",
                    city="Port-Grand",
                    contact_email="inclusion@grandlittoral.example",
                    contact_phone="04 99 00 30 30",
                    region_code="76",
                ),
                account=NewPayingAccount(
                    story.some_id(),
                    "Opérateur, compte cantonné Littoral",
                    "OPERATEUR PASS LITTORAL",
                    invented_iban(3),
                    "mandated_operator",
                ),
                shares=(("state", 6500), ("europe", 1400), ("region", 2100)),
                ceiling_cents=3_000_000,
                committed_cents=1_000_000,
                signed_on=date(ended.year - 1, 4, 3),
                use_by=date(ended.year - 1, 12, 31),
            ),
        )
    )
    return department, epci, region


def _last_presentation(today: date) -> date:
    """Return the last 28 February that is over: the day after which the ended agreement's vouchers lapsed."""
    this_year = date(today.year, 2, 28)
    return this_year if this_year < today else date(today.year - 1, 2, 28)


def _sign(story: Story, envelopes: dict[str, UUID], plan: _Plan) -> Signed:
    database, by, now = story.database, story.by[Role.PROGRAMME], start_of_day(plan.signed_on)
    register_issuer(database, plan.issuer, by=by, now=now)
    open_paying_account(database, plan.account, by=by, now=now)
    if plan.account.channel == "mandated_operator":
        # The operator is another legal person than the issuer: its FEC bears its own SIREN.
        siren = invented_siren(100 + int(plan.issuer.siren[2:8]))
        terms = PayingTerms(siren, TransferSchema.NEW, TRANSFERS_PER_FILE)
        change_paying_terms(database, plan.account.id, terms, by=by, now=now)
    agreement = NewAgreement(
        id=story.some_id(),
        number=plan.number,
        name=f"Pass numérique — {plan.issuer.name}",
        issuer_id=plan.issuer.id,
        paying_account_id=plan.account.id,
        settlement_channel=plan.account.channel,
        ceiling_cents=plan.ceiling_cents,
        face_value_cents=1000,
        booklet_size=10,
        is_handover_required=True,
        signed_on=plan.signed_on,
        use_by=plan.use_by,
        grace_until=date(plan.use_by.year + 1, 1, 31),
        present_by=date(plan.use_by.year + 1, 2, 28),
        shares=tuple(FunderShare(envelopes[short], part) for short, part in plan.shares),
        commitment_number=f"E{plan.use_by.year}{plan.number[5:8]}01",
        service_code="NUM-MEDIATION" if plan.account.channel == "public_accountant" else "",
    )
    sign_agreement(database, agreement, by=by, now=now)
    commitment = NewCommitment(story.some_id(), agreement.id, plan.committed_cents, f"Délibération {plan.number}")
    commit(database, commitment, by=by, now=now)
    make_key(database, plan.issuer.id, master_secret=story.master_secret, by=by, now=now)
    return Signed(
        agreement_id=agreement.id,
        issuer_id=plan.issuer.id,
        number=plan.number,
        paying_account_id=plan.account.id,
        iban=plan.account.iban,
        signed_on=plan.signed_on,
        use_by=plan.use_by,
    )
