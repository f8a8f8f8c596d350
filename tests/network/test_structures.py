"""Structures and places: who is paid, on which account, where; each refusal says what to do."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import select

from tests.builders import CONFIRMER, NOW, SOMEONE, an_iban
from tests.parties import a_rank, a_structure
from voucher.kernel.database import Database
from voucher.kernel.identifiers import check_iban, new_id
from voucher.kernel.keyset import Asked
from voucher.kernel.refusals import Refused
from voucher.kernel.sepa import checked_bic_of
from voucher.mail.model import OutboxMessage
from voucher.network import checks
from voucher.network.confirm_rib import confirm_bank_details, dismiss_bank_details
from voucher.network.places import PlaceDescription, add_place, close_place, describe_place, reopen_place
from voucher.network.read import place, places, places_near
from voucher.network.read_structures import StructurePage, structure, structures
from voucher.network.structures import (
    NewBankDetails,
    NewStructure,
    describe_structure,
    propose_structure,
    qualify_structure,
    record_bank_details,
    suspend_structure,
)

ACT = {"by": SOMEONE, "now": NOW}
LATER = NOW + timedelta(days=1)
LAVOIR = PlaceDescription(
    name="Comptoir du Lavoir",
    address="3 rue du Lavoir",
    postcode="51100",
    city="Bellerive",
    phone="03 26 00 00 01",
    opening_hours="Mo-Fr 09:00-12:00",
    services=("everyday_digital_tools",),
)


def page_of(database: Database, structure_id: object) -> StructurePage:
    found = structure(database, structure_id)  # type: ignore[arg-type]
    assert found is not None
    return found


def violations(database: Database) -> list[str]:
    with database.read() as session:
        return [found.check for check in checks.CHECKS for found in check(session)]


def test_a_structure_is_proposed_qualified_suspended_and_qualified_again(database: Database) -> None:
    structure_id = a_structure(database, is_qualified=False)
    assert page_of(database, structure_id).line.state == "proposed"
    with pytest.raises(Refused, match="not_qualified"):
        suspend_structure(database, structure_id, "Contrôle", **ACT)
    qualify_structure(database, structure_id, **ACT)
    with pytest.raises(Refused, match="already_qualified"):
        qualify_structure(database, structure_id, **ACT)
    with pytest.raises(Refused) as refused:
        suspend_structure(database, structure_id, "  ", **ACT)
    assert (refused.value.code, refused.value.field) == ("missing", "reason")
    suspend_structure(database, structure_id, "Contrôle en cours", **ACT)
    assert page_of(database, structure_id).state_reason == "Contrôle en cours"
    qualify_structure(database, structure_id, **ACT)
    assert (page_of(database, structure_id).line.state, page_of(database, structure_id).state_reason) == (
        "qualified",
        "",
    )
    for act in (qualify_structure, lambda *a, **k: suspend_structure(*a, "Contrôle", **k)):
        with pytest.raises(Refused, match="unknown_structure"):
            act(database, new_id(), **ACT)
    assert violations(database) == []


def test_a_structure_has_a_number_that_exists_and_is_known_once(database: Database) -> None:
    siret = NewStructure(new_id(), "434 933 123 00029", "Anonymal")
    propose_structure(database, siret, **ACT)
    propose_structure(database, siret, **ACT)
    assert page_of(database, siret.id).line.pivot == "43493312300029"
    with pytest.raises(Refused, match="structure_exists"):
        propose_structure(database, replace(siret, id=new_id()), **ACT)
    for pivot, words in (("43493312300028", "erreur de frappe"), ("434933123", "SIREN"), ("W12", "RNA")):
        with pytest.raises(Refused, match=words) as refused:
            propose_structure(database, NewStructure(new_id(), pivot, "Personne"), **ACT)
        assert refused.value.field == "pivot"
    describe_structure(database, siret.id, name="Anonymal Reims", contact_email="a@b.example", vat_regime="", **ACT)
    assert page_of(database, siret.id).vat_regime == "non communiqué"


def test_a_new_rib_waits_until_another_person_confirms_it_and_the_one_before_is_kept(database: Database) -> None:
    structure_id = a_structure(database, has_rib=False)
    first, second = an_iban(a_rank()), an_iban(a_rank())
    details = NewBankDetails(new_id(), structure_id, "ASSOCIATION LE FIL", first, first)
    for _ in range(2):
        record_bank_details(database, details, **ACT)
    line = page_of(database, structure_id).line
    assert (line.has_bank_details, line.is_rib_waiting) == (False, True)
    with pytest.raises(Refused, match="four_eyes"):
        confirm_bank_details(database, details.id, **ACT)
    for _ in range(2):
        confirm_bank_details(database, details.id, by=CONFIRMER, now=NOW)
    with pytest.raises(Refused, match="already_confirmed"):
        confirm_bank_details(database, details.id, by=new_id(), now=NOW)
    line = page_of(database, structure_id).line
    assert (line.has_bank_details, line.is_rib_waiting) == (True, False)
    other = NewBankDetails(new_id(), structure_id, "LE FIL", second, second.lower())
    record_bank_details(database, other, **ACT)
    # An old command sent again does not bring the old account back.
    record_bank_details(database, details, **ACT)
    said = [(rib.holder_name, rib.ended_at, rib.confirmed_at) for rib in page_of(database, structure_id).bank_details]
    assert said == [("LE FIL", None, None), ("ASSOCIATION LE FIL", None, NOW)]
    confirm_bank_details(database, other.id, by=CONFIRMER, now=LATER)
    page = page_of(database, structure_id)
    assert [(rib.masked_iban[-4:], rib.ended_at) for rib in page.bank_details] == [
        (second[-4:], None),
        (first[-4:], LATER),
    ]
    assert all(rib.masked_iban.count(first[4:20]) == 0 for rib in page.bank_details)
    assert violations(database) == []


def test_a_rib_that_waits_is_replaced_or_dismissed_and_never_used(database: Database) -> None:
    structure_id = a_structure(database)
    one, two = (NewBankDetails(new_id(), structure_id, "LE FIL", iban, iban) for iban in (an_iban(51), an_iban(52)))
    record_bank_details(database, one, **ACT)
    record_bank_details(database, two, by=CONFIRMER, now=LATER)
    with pytest.raises(Refused, match="details_ended"):
        confirm_bank_details(database, one.id, by=CONFIRMER, now=LATER)
    for _ in range(2):
        dismiss_bank_details(database, two.id, by=CONFIRMER, now=LATER)  # who recorded it may take it back
    for act in (confirm_bank_details, dismiss_bank_details):
        with pytest.raises(Refused, match="unknown_details"):
            act(database, new_id(), **ACT)
    page = page_of(database, structure_id)
    assert [(rib.confirmed_at is None, rib.ended_at is None) for rib in page.bank_details] == [
        (False, True),
        (True, False),
        (True, False),
    ]
    assert (page.line.has_bank_details, page.line.is_rib_waiting) == (True, False)
    in_use = next(rib for rib in page.bank_details if rib.ended_at is None)
    assert in_use.holder_name == "ASSOCIATION LE FIL"
    assert violations(database) == []


def test_a_structure_is_told_of_each_rib_and_of_what_became_of_it(database: Database) -> None:
    structure_id = a_structure(database, has_rib=False)
    said = {"name": "Le Fil", "contact_email": "le-fil@lieu.example", "vat_regime": ""}
    describe_structure(database, structure_id, **said, **ACT)
    first, second = an_iban(a_rank()), an_iban(a_rank())
    kept = NewBankDetails(new_id(), structure_id, "LE FIL", first, first)
    wrong = NewBankDetails(new_id(), structure_id, "LE FIL", second, second)
    for _ in range(2):
        record_bank_details(database, kept, **ACT)
    confirm_bank_details(database, kept.id, by=CONFIRMER, now=NOW)
    record_bank_details(database, wrong, **ACT)
    dismiss_bank_details(database, wrong.id, by=CONFIRMER, now=NOW)
    with database.read() as session:
        letters = session.execute(
            select(
                OutboxMessage.kind,
                OutboxMessage.about_id,
                OutboxMessage.recipient,
                OutboxMessage.path,
                OutboxMessage.body,
            ).order_by(OutboxMessage.id)
        ).all()
    assert [(letter.kind, letter.about_id) for letter in letters] == [
        ("rib_recorded", kept.id),
        ("rib_confirmed", kept.id),
        ("rib_recorded", wrong.id),
        ("rib_dismissed", wrong.id),
    ]
    for letter, iban in zip(letters, (first, first, second, second), strict=True):
        assert (letter.recipient, letter.path) == ("le-fil@lieu.example", "/comptoir/lieu/rib")
        assert iban[-4:] in letter.body
        assert iban not in letter.body


@pytest.mark.parametrize(
    "typed",
    ["IBAN {}", "IBAN : {}", "iban\u00a0{}", "\u200b{}\ufeff", "{}\u202f"],
)
@pytest.mark.parametrize("mark", [" ", "\u00a0", "\u202f", "-", "\u2011", "\u200b", "."])
def test_an_iban_is_read_as_a_rib_prints_it(typed: str, mark: str) -> None:
    iban = an_iban(3)
    grouped = mark.join(iban[start : start + 4] for start in range(0, len(iban), 4))
    assert check_iban(typed.format(grouped)) == iban


@pytest.mark.parametrize(
    "changes, code, sentence",
    [
        ({"iban": "BR1800360305000010009795493C1"}, "invalid_identifier", "hors de la zone SEPA"),
        ({"iban": "FR7630006000011234567890189", "bic": "BNPAFRPPXXX"}, "wrong_bank", "celui d’une autre banque"),
        ({"iban": "FR7630006000011234567890189", "bic": "COBADEFFXXX"}, "wrong_bank", "celui d’une autre banque"),
        ({"holder_name": "Ассоциация Ле Фил"}, "wrong_holder", "lettres latines"),
        ({"holder_name": "LE FIL 協会"}, "wrong_holder", "« 協 », qu’aucune banque n’écrit"),
        ({"holder_name": "A" * 71}, "wrong_holder", "71 caractères ; une banque en accepte 70"),
        ({"holder_name": "Œ" * 36}, "wrong_holder", "72 caractères ; une banque en accepte 70"),
    ],
)
def test_a_rib_that_a_transfer_cannot_carry_is_refused_at_once(
    sqlite_database: Database, changes: dict[str, str], code: str, sentence: str
) -> None:
    iban = changes.get("iban", an_iban(1))
    said = {"holder_name": "LE FIL", "bic": None, **changes, "iban": iban, "iban_again": iban}
    structure_id = a_structure(sqlite_database, has_rib=False)
    with pytest.raises(Refused) as refused:
        record_bank_details(sqlite_database, NewBankDetails(new_id(), structure_id, **said), **ACT)
    assert refused.value.code == code
    assert sentence in refused.value.sentence


def test_a_rib_of_any_branch_of_the_bank_is_taken() -> None:
    assert checked_bic_of("AGRIFRPP882", "FR7630006000011234567890189") == "AGRIFRPP882"
    assert checked_bic_of("agri re rx", "FR7630006000011234567890189") == "AGRIRERX"


def test_a_rib_is_checked_twice_over(sqlite_database: Database) -> None:
    structure_id = a_structure(sqlite_database, has_rib=False)
    iban, other = an_iban(1), an_iban(2)
    wrong_rib_key = "FR7630006000011234567890188"  # its ISO key is right for no clé RIB of 88
    good = NewBankDetails(new_id(), structure_id, "LE FIL", iban, iban)
    for changes, code, field in (
        ({"iban": iban[:-1] + str((int(iban[-1]) + 1) % 10)}, "invalid_identifier", "iban"),
        ({"iban": wrong_rib_key, "iban_again": wrong_rib_key}, "invalid_identifier", "iban"),
        ({"iban_again": other}, "iban_differs", "iban_again"),
        ({"bic": "NOTABIC"}, "wrong_bank", "bic"),
        ({"holder_name": ""}, "missing", "holder_name"),
        ({"holder_name": "x" * 71}, "wrong_holder", "holder_name"),
        ({"structure_id": new_id()}, "unknown_structure", None),
    ):
        with pytest.raises(Refused) as refused:
            record_bank_details(sqlite_database, replace(good, **changes), **ACT)
        assert (refused.value.code, refused.value.field) == (code, field)
    assert page_of(sqlite_database, structure_id).bank_details == ()


@pytest.mark.race
def test_of_two_who_confirm_at_once_one_does(database: Database) -> None:
    structure_id = a_structure(database, has_rib=False)
    details = NewBankDetails(new_id(), structure_id, "LE FIL", an_iban(5), an_iban(5))
    record_bank_details(database, details, **ACT)
    start = Barrier(4)

    def attempt(_: int) -> str:
        start.wait()
        try:
            confirm_bank_details(database, details.id, by=new_id(), now=NOW)
        except Refused as refused:
            return refused.code
        return "confirmed"

    with ThreadPoolExecutor(4) as pool:
        said = sorted(pool.map(attempt, range(4)))
    assert said == ["already_confirmed"] * 3 + ["confirmed"]
    assert page_of(database, structure_id).line.has_bank_details
    assert violations(database) == []


@pytest.mark.race
def test_two_ribs_recorded_at_once_leave_one_waiting(database: Database) -> None:
    structure_id = a_structure(database, has_rib=False)
    start = Barrier(4)

    def attempt(_: int) -> None:
        iban = an_iban(a_rank())
        start.wait()
        record_bank_details(database, NewBankDetails(new_id(), structure_id, "LE FIL", iban, iban), **ACT)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(attempt, range(4)))
    assert [rib.ended_at is None for rib in page_of(database, structure_id).bank_details] == [True, False, False, False]
    assert violations(database) == []


def test_a_place_is_added_corrected_closed_and_opened_again(database: Database) -> None:
    structure_id, place_id = a_structure(database), new_id()
    for _ in range(2):
        add_place(database, place_id, structure_id, LAVOIR, **ACT)
    describe_place(database, place_id, replace(LAVOIR, name="Le Lavoir", opening_hours="Sa 08:30-12:00"), **ACT)
    found = place(database, place_id)
    assert found is not None
    assert (found.line.name, found.line.phone, found.line.department_code) == ("Le Lavoir", "+33326000001", "51")
    assert found.line.opening_hours.replace("\u00a0", " ") == "samedi de 8 h 30 à 12 h"
    close_place(database, place_id, **ACT)
    with pytest.raises(Refused, match="déjà fermé"):
        close_place(database, place_id, **ACT)
    reopen_place(database, place_id, **ACT)
    assert place(database, place_id, structure_id) is not None
    assert place(database, place_id, a_structure(database)) is None
    with pytest.raises(Refused, match="unknown_place"):
        close_place(database, place_id, structure_id=a_structure(database), **ACT)
    assert violations(database) == []


@pytest.mark.parametrize(
    "changes, field, words",
    [
        ({"name": ""}, "name", "obligatoire"),
        ({"postcode": "5110"}, "postcode", "4 chiffres"),
        ({"insee_code": "20100"}, "insee_code", "Corse"),
        ({"phone": "12"}, "phone", "numéro"),
        ({"email": "personne"}, "email", "adresse électronique"),
        ({"website": "javascript:alert(1)"}, "website", "adresse comme https"),
        ({"latitude": "43.5", "longitude": "5.4"}, "latitude", "vérifiez"),
        ({"services": ("magic",)}, "services", "de la liste"),
    ],
)
def test_a_place_typed_wrong_is_refused_at_its_field(
    sqlite_database: Database, changes: dict[str, str], field: str, words: str
) -> None:
    with pytest.raises(Refused, match=words) as refused:
        add_place(sqlite_database, new_id(), a_structure(sqlite_database), replace(LAVOIR, **changes), **ACT)
    assert refused.value.field == field


def test_places_near_somebody_are_those_of_the_commune_then_around_then_of_the_department(database: Database) -> None:
    structure_id = a_structure(database)
    for name, postcode, city in (
        ("Au nord", "51300", "Bellefort"),
        ("À côté", "51150", "Bellefont"),
        ("Ici", "51100", "Bellerive"),
        ("Ailleurs", "75004", "Paris"),
    ):
        described = replace(LAVOIR, name=name, postcode=postcode, city=city)
        add_place(database, new_id(), structure_id, described, **ACT)
    closed = add_place(database, new_id(), structure_id, replace(LAVOIR, name="Fermé"), **ACT)
    close_place(database, closed, **ACT)
    add_place(
        database, new_id(), a_structure(database, is_qualified=False), replace(LAVOIR, name="Pas qualifié"), **ACT
    )
    assert [each.name for each in places_near(database, postcode="51100")] == ["Ici", "À côté", "Au nord"]
    assert [each.name for each in places_near(database, department_code="75")] == ["Ailleurs"]
    assert [each.name for each in places_near(database, insee_code="51454", limit=1)] == ["À côté"]
    assert places_near(database, postcode="00000") == []
    assert places_near(database) == []


def test_lists_are_filtered_sorted_and_paged(database: Database) -> None:
    with_rib, without = a_structure(database, "Atelier 100 %"), a_structure(database, "Zinc", has_rib=False)
    add_place(database, new_id(), with_rib, LAVOIR, **ACT)
    for filters, expected in (
        ({"name": "100 %"}, [with_rib]),
        ({"name": "%"}, [with_rib]),
        ({"bank_details": "without"}, [without]),
        ({"state": "proposed"}, []),
        ({}, [with_rib, without]),
    ):
        assert [row.id for row in structures(database, Asked(filters=filters)).rows] == expected
    backward = Asked(sort="name", descending=True, limit=1)
    first = structures(database, backward)
    second = structures(database, replace(backward, after=first.next))
    assert ([row.id for row in second.rows], second.count) == ([with_rib], 2)
    wanted = {"service": "everyday_digital_tools", "department": "51", "state": "open"}
    assert places(database, Asked(filters=wanted)).count == 1
    assert places(database, Asked(filters={"service": "digital"})).count == 0
    assert places(database, Asked(), structure_id=without).count == 0
