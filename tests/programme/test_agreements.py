"""Envelopes, agreements and commitments: what is signed, what is refused and in which words, and what never passes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from threading import Barrier
from uuid import UUID

import pytest

from tests.builders import NOW, SOMEONE, a_siren
from tests.listed import listed
from tests.parties import a_funder, a_paying_account, an_envelope, halves, new_agreement
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.kernel.refusals import Refused
from voucher.ledger import checks as ledger_checks
from voucher.programme import checks
from voucher.programme.commit import NewCommitment, commit
from voucher.programme.open_envelope import NewEnvelope, open_envelope
from voucher.programme.parties import NewFunder, NewIssuer, register_funder, register_issuer
from voucher.programme.read import agreement, agreements, key_figures
from voucher.programme.read_parties import envelopes
from voucher.programme.sign_agreement import FunderShare, sign_agreement

ACT = {"by": SOMEONE, "now": NOW}


def violations(database: Database) -> list[str]:
    with database.read() as session:
        found = [found for check in (*checks.CHECKS, *ledger_checks.CHECKS) for found in check(session)]
    return [f"{each.check}: {each.subject} {each.detail}" for each in found]


def envelope_lines(database: Database) -> dict[UUID, tuple[int, int, int]]:
    rows, _ = listed(envelopes(database, Asked(limit=100)))
    return {row.id: (row.amount_cents, row.allocated_cents, row.committed_cents) for row in rows}


def test_signing_takes_each_funders_part_from_its_envelope_and_committing_makes_it_available(
    database: Database,
) -> None:
    state = an_envelope(database, 1_000_000_000)
    department = an_envelope(database, 5_000_000, kind="department")
    terms = new_agreement(database, shares=(FunderShare(department, 3_500), FunderShare(state, 6_500)))
    sign_agreement(database, terms, **ACT)
    assert envelope_lines(database) == {state: (1_000_000_000, 6_500_000, 0), department: (5_000_000, 3_500_000, 0)}

    commit(database, NewCommitment(new_id(), terms.id, 4_000_000, "Délibération 12"), **ACT)

    page = agreement(database, terms.id)
    assert page is not None
    assert [(share.share_basis_points, share.committed_cents, share.available_cents) for share in page.shares] == [
        (6_500, 2_600_000, 2_600_000),  # the State first, whatever the paper's order
        (3_500, 1_400_000, 1_400_000),
    ]
    assert (page.line.committed_cents, page.left_cents) == (4_000_000, 6_000_000)
    assert [line.reference for line in page.commitments] == ["Délibération 12"]
    assert envelope_lines(database)[state] == (1_000_000_000, 6_500_000, 2_600_000)
    assert key_figures(database).committed_cents == 4_000_000
    assert violations(database) == []


def test_the_same_commands_again_change_nothing(database: Database) -> None:
    terms = new_agreement(database)
    commitment = NewCommitment(new_id(), terms.id, 1_000_000, "Délibération 12")
    for _ in range(2):
        sign_agreement(database, terms, **ACT)
        commit(database, commitment, **ACT)
    assert key_figures(database).allocated_cents == 10_000_000
    assert key_figures(database).committed_cents == 1_000_000
    assert violations(database) == []


def test_the_same_id_with_another_content_is_refused(database: Database) -> None:
    terms = new_agreement(database)
    sign_agreement(database, terms, **ACT)
    commitment = NewCommitment(new_id(), terms.id, 1_000_000, "Délibération 12")
    commit(database, commitment, **ACT)
    others = (
        lambda: sign_agreement(database, replace(terms, name="Un autre"), **ACT),
        lambda: sign_agreement(database, replace(terms, shares=halves(database)), **ACT),
        lambda: commit(database, replace(commitment, amount_cents=2_000_000), **ACT),
    )
    for other in others:
        with pytest.raises(Refused) as refused:
            other()
        assert refused.value.code == "same_id_other_content"
    assert violations(database) == []


def test_an_issuer_reads_only_its_own_agreements(database: Database) -> None:
    mine, theirs = new_agreement(database), new_agreement(database)
    for terms in (mine, theirs):
        sign_agreement(database, terms, **ACT)
    rows, total = listed(agreements(database, Asked(limit=10), issuer_id=mine.issuer_id))
    assert ([row.id for row in rows], total) == ([mine.id], 1)
    assert agreement(database, theirs.id, mine.issuer_id) is None


@pytest.mark.parametrize(
    "changes, code, words",
    [
        ({"ceiling_cents": 0}, "amount_out_of_range", "au-dessus de zéro"),
        ({"ceiling_cents": 10_000_500}, "part_of_voucher", "Écrivez 100 000,00 € ou 100 010,00 €"),
        ({"face_value_cents": 99}, "face_value_out_of_range", "de 1 € à"),
        ({"booklet_size": 32}, "booklet_size_out_of_range", "de 1 à 31 chèques"),
        ({"use_by": date(2026, 3, 1)}, "use_by_before_signature", "après la signature"),
        ({"grace_until": date(2026, 12, 30)}, "grace_before_use_by", "31 décembre 2026"),
        ({"present_by": date(2027, 1, 30)}, "present_by_before_grace", "31 janvier 2027"),
        ({"number": " "}, "missing", "Remplissez"),
        ({"name": "x" * 121}, "too_long", "120 caractères"),
        ({"settlement_channel": "cash"}, "unknown_choice", "de la liste"),
        ({"settlement_channel": "public_accountant"}, "channel_differs", "du même circuit"),
        ({"issuer_id": new_id()}, "unknown_issuer", "de la liste"),
        ({"paying_account_id": new_id()}, "unknown_account", "de la liste"),
        ({"shares": (FunderShare(new_id(), 10_000),)}, "unknown_envelope", "de la liste"),
    ],
)
def test_terms_that_cannot_stand_are_refused_with_what_to_do(
    sqlite_database: Database, changes: dict[str, object], code: str, words: str
) -> None:
    with pytest.raises(Refused) as refused:
        sign_agreement(sqlite_database, new_agreement(sqlite_database, **changes), **ACT)
    assert refused.value.code == code
    assert words in refused.value.sentence.replace("\u202f", " ").replace("\u00a0", " ")
    assert key_figures(sqlite_database).agreement_count == 0
    assert key_figures(sqlite_database).allocated_cents == 0


@pytest.mark.parametrize(
    "basis_points, face_value_cents, code",
    [
        ((5_000, 4_999), 1_000, "shares_not_whole"),
        ((10_000, 0), 1_000, "shares_not_whole"),
        ((9_950, 50), 100, "share_too_small"),
        ((2_000, 2_000, 2_000, 2_000, 1_000, 1_000), 1_000, "funders_out_of_range"),
    ],
)
def test_shares_make_a_whole_and_each_is_worth_a_cent(
    sqlite_database: Database, basis_points: tuple[int, ...], face_value_cents: int, code: str
) -> None:
    shares = tuple(FunderShare(an_envelope(sqlite_database), points) for points in basis_points)
    terms = new_agreement(sqlite_database, shares=shares, face_value_cents=face_value_cents)
    with pytest.raises(Refused) as refused:
        sign_agreement(sqlite_database, terms, **ACT)
    assert (refused.value.code, refused.value.field) == (code, "shares")


def test_a_funder_has_one_share(sqlite_database: Database) -> None:
    funder_id = a_funder(sqlite_database)
    shares = tuple(FunderShare(an_envelope(sqlite_database, funder_id=funder_id), 5_000) for _ in range(2))
    with pytest.raises(Refused, match="funder_twice"):
        sign_agreement(sqlite_database, new_agreement(sqlite_database, shares=shares), **ACT)


def test_a_ceiling_beyond_an_envelope_takes_nothing_from_any(database: Database) -> None:
    rich, poor = an_envelope(database), an_envelope(database, 4_999_999, kind="department")
    terms = new_agreement(database, shares=(FunderShare(rich, 5_000), FunderShare(poor, 5_000)))
    with pytest.raises(Refused, match=r"Il reste 49.999,99.€ dans l’enveloppe.*Baissez le plafond") as refused:
        sign_agreement(database, terms, **ACT)
    assert refused.value.field == "ceiling_cents"
    assert envelope_lines(database)[rich] == (1_000_000_000, 0, 0)
    assert listed(envelopes(database, Asked(filters={"year": "9" * 12}))) == ([], 0), "no year that a column holds"


def test_a_commitment_is_whole_vouchers_below_the_ceiling(database: Database) -> None:
    terms = new_agreement(database)
    sign_agreement(database, terms, **ACT)
    refusals = {1_500: "part_of_voucher", 10_001_000: "ceiling_exceeded", 0: "amount_out_of_range"}
    for amount_cents, code in refusals.items():
        with pytest.raises(Refused) as refused:
            commit(database, NewCommitment(new_id(), terms.id, amount_cents, "Délibération"), **ACT)
        assert (refused.value.code, refused.value.field) == (code, "amount_cents")
    with pytest.raises(Refused, match="unknown_agreement"):
        commit(database, NewCommitment(new_id(), new_id(), 1_000, "Délibération"), **ACT)
    assert key_figures(database).committed_cents == 0


@pytest.mark.parametrize("kind, siren", [("commune", a_siren(1)), ("department", "215104548"), ("epci", "217505551")])
def test_a_lone_commune_is_told_to_join_its_epci(sqlite_database: Database, kind: str, siren: str) -> None:
    issuer = NewIssuer(
        id=new_id(),
        siren=siren,
        name="Ville de Bellerive",
        kind=kind,
        address="1 place",
        postcode="51100",
        city="Bellerive",
        contact_email="a@b.example",
    )
    with pytest.raises(Refused, match=r"Une commune seule.*intercommunalité") as refused:
        register_issuer(sqlite_database, issuer, **ACT)
    assert (refused.value.code, refused.value.field) == ("lone_commune", "kind")


def test_paris_is_a_collectivity_with_the_powers_of_a_department(sqlite_database: Database) -> None:
    paris = NewIssuer(
        id=new_id(),
        siren="217500016",
        name="Paris",
        kind="department",
        address="1 place",
        postcode="75004",
        city="Paris",
        contact_email="a@b.example",
        contact_phone="",
        region_code="11",
    )
    assert register_issuer(sqlite_database, paris, **ACT) == paris.id


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"siren": "123456789"}, "invalid_identifier"),
        ({"postcode": "5110"}, "bad_postcode"),
        ({"region_code": "99"}, "unknown_region"),
        ({"kind": "kingdom"}, "unknown_choice"),
        ({"contact_email": ""}, "missing"),
    ],
)
def test_an_issuer_is_checked(sqlite_database: Database, changes: dict[str, str], code: str) -> None:
    issuer = NewIssuer(
        id=new_id(),
        siren=a_siren(7),
        name="Rive",
        kind="region",
        address="1 place",
        postcode="51100",
        city="Bellerive",
        contact_email="a@b.example",
    )
    with pytest.raises(Refused) as refused:
        register_issuer(sqlite_database, replace(issuer, **changes), **ACT)
    assert (refused.value.code, refused.value.field) == (code, next(iter(changes)))


def test_names_and_numbers_are_taken_once(database: Database) -> None:
    register_funder(database, NewFunder(new_id(), "État", "state"), **ACT)
    with pytest.raises(Refused, match="funder_exists"):
        register_funder(database, NewFunder(new_id(), "  État ", "state"), **ACT)
    funder_id = a_funder(database)
    open_envelope(database, NewEnvelope(new_id(), funder_id, "2026", 2026, 100), **ACT)
    with pytest.raises(Refused, match="envelope_exists"):
        open_envelope(database, NewEnvelope(new_id(), funder_id, "2026", 2026, 100), **ACT)
    terms = new_agreement(database)
    sign_agreement(database, terms, **ACT)
    with pytest.raises(Refused, match="agreement_exists"):
        sign_agreement(database, new_agreement(database, number=terms.number), **ACT)
    assert violations(database) == []


def test_an_envelope_is_of_the_programmes_years_and_of_a_known_funder(sqlite_database: Database) -> None:
    funder_id = a_funder(sqlite_database)
    for envelope, code in (
        (NewEnvelope(new_id(), funder_id, "2018", 2018, 100), "year_out_of_range"),
        (NewEnvelope(new_id(), funder_id, "2026", 2026, 0), "amount_out_of_range"),
        (NewEnvelope(new_id(), new_id(), "2026", 2026, 100), "unknown_funder"),
    ):
        with pytest.raises(Refused, match=code):
            open_envelope(sqlite_database, envelope, **ACT)


@pytest.mark.race
def test_ten_commitments_at_once_never_pass_the_ceiling(database: Database) -> None:
    terms = new_agreement(database, ceiling_cents=500_000)
    sign_agreement(database, terms, **ACT)
    start = Barrier(10)

    def attempt(rank: int) -> str:
        start.wait()
        try:
            commit(database, NewCommitment(new_id(), terms.id, 130_000, f"Délibération {rank}"), **ACT)
        except Refused as refused:
            return refused.code
        return "committed"

    with ThreadPoolExecutor(10) as pool:
        answers = sorted(pool.map(attempt, range(10)))
    assert answers == ["ceiling_exceeded"] * 7 + ["committed"] * 3
    assert key_figures(database).committed_cents == 390_000
    assert violations(database) == []


@pytest.mark.race
def test_ten_agreements_at_once_never_pass_the_envelopes(database: Database) -> None:
    state, department = an_envelope(database, 1_700_000), an_envelope(database, kind="department")
    account = a_paying_account(database)
    # Each names the envelopes in another order: taken so, two would wait for each other.
    all_terms = [
        new_agreement(
            database,
            ceiling_cents=1_000_000,
            paying_account_id=account,
            shares=tuple(
                FunderShare(envelope, 5_000) for envelope in ((state, department), (department, state))[rank % 2]
            ),
        )
        for rank in range(10)
    ]
    start = Barrier(10)

    def attempt(rank: int) -> str:
        start.wait()
        try:
            sign_agreement(database, all_terms[rank], **ACT)
        except Refused as refused:
            return refused.code
        return "signed"

    with ThreadPoolExecutor(10) as pool:
        answers = sorted(pool.map(attempt, range(10)))
    assert answers == ["envelope_exceeded"] * 7 + ["signed"] * 3
    assert envelope_lines(database)[state] == (1_700_000, 1_500_000, 0)
    assert violations(database) == []


@pytest.mark.race
def test_one_command_sent_ten_times_at_once_is_done_once(database: Database) -> None:
    terms = new_agreement(database)
    commitment = NewCommitment(new_id(), terms.id, 1_000_000, "Délibération 12")
    start = Barrier(10)

    def attempt(_: int) -> None:
        start.wait()
        sign_agreement(database, terms, **ACT)
        commit(database, commitment, **ACT)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(attempt, range(10)))
    assert (key_figures(database).allocated_cents, key_figures(database).committed_cents) == (10_000_000, 1_000_000)
    assert violations(database) == []
