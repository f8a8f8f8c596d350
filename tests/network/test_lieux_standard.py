"""The lieux standard, in and out: what is taken of a line, what is refused, and what the person is told."""

import csv
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.network.lieux_files import ESPACE, EXAMPLE, frictionless_errors, read, refused, table, taken
from voucher.network.lieux_schema import standard_columns
from voucher.network.lieux_standard import (
    PivotKind,
    PlaceLine,
    RefusedLine,
    write_places,
)
from voucher.network.services import Service

# The official example


def test_the_official_example_is_taken_without_its_point_which_is_in_aix_and_not_in_reims() -> None:
    (place,) = read(EXAMPLE.read_bytes())
    assert isinstance(place, PlaceLine)
    assert (place.line_number, place.external_id, place.name) == (2, "structure-1", "Anonymal")
    assert (place.pivot, place.pivot_kind) == ("43493312300029", PivotKind.SIRET)
    assert (place.postcode, place.insee_code, place.commune) == ("51100", "51454", "Reims")
    assert place.services == (
        Service.EVERYDAY_DIGITAL_TOOLS,
        Service.DIGITAL_EMPLOYABILITY,
        Service.LEISURE_AND_CREATION,
    )
    assert place.labels == (
        "Formé à « Mon Espace Santé »",
        "Arnia/MedNum BFC (Bourgogne-Franche-Comté)",
        "Label et la bête",
    )
    assert place.updated_on == date(2024, 4, 2)
    assert (place.latitude, place.longitude) == (None, None)
    (warning,) = place.warnings
    assert "610 km de la préfecture du département (Marne)" in warning


def test_frictionless_finds_the_official_example_valid_and_what_we_write_of_it_too(tmp_path: Path) -> None:
    assert frictionless_errors(EXAMPLE.read_bytes(), tmp_path) == []
    (place,) = read(EXAMPLE.read_bytes())
    assert isinstance(place, PlaceLine)
    assert frictionless_errors(b"".join(write_places([place])), tmp_path) == []


def test_the_nine_services_are_the_words_of_the_schema() -> None:
    assert len(Service) == 9
    assert [service.label for service in Service] == list(standard_columns()["services"].vocabulary.values())
    assert Service("administrative_procedures").label == "Aide aux démarches administratives"


# Out, and in again


def test_what_was_written_comes_back_the_same() -> None:
    place = taken(
        presentation_detail='Premier paragraphe,\navec "guillemets" ; et virgule.',
        telephone="+33180059880",
        site_web="https://exemple.fr|https://autre.exemple.fr",
        formations_labels="Fabriques de Territoire|ORDI 3.0",
        autres_formations_labels="Label d'ici",
        itinerance="Itinérant|Fixe",
    )
    assert read(b"".join(write_places([place]))) == [place]


words = st.text(
    st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="|\ufffd"), min_size=1, max_size=40
)


@settings(max_examples=60, deadline=None)
@given(name=words, details=words, label=words)
def test_any_text_survives_the_way_out_and_in(name: str, details: str, label: str) -> None:
    (place,) = read(
        table(ESPACE | {"nom": f"Le {name}", "presentation_detail": details, "autres_formations_labels": label})
    )
    assert isinstance(place, PlaceLine)
    assert read(b"".join(write_places([place]))) == [place]


def test_a_text_that_a_spreadsheet_would_run_leaves_as_plain_text() -> None:
    place = taken(nom='=HYPERLINK("http://exemple.fr")', telephone="+33180059880")
    header, line = write_places([place])
    row = dict(zip(next(csv.reader([header.decode()])), next(csv.reader([line.decode()])), strict=True))
    assert row["nom"] == '\'=HYPERLINK("http://exemple.fr")'
    assert row["telephone"] == "+33180059880"
    assert read(header + line) == [place]


def test_a_value_that_holds_the_separator_is_never_written_as_two() -> None:
    with pytest.raises(ValueError):
        list(write_places([replace(taken(), labels=("un|deux",))]))


# Who is paid


@pytest.mark.parametrize(
    "pivot, kept, kind",
    [
        ("732 829 320 00074", "73282932000074", PivotKind.SIRET),
        ("35600000049837", "35600000049837", PivotKind.SIRET),  # La Poste: its SIRETs do not follow Luhn
        ("w751234567", "W751234567", PivotKind.RNA),
        ("W2A1001234", "W2A1001234", PivotKind.RNA),
        ("W9R4001234", "W9R4001234", PivotKind.RNA),
    ],
)
def test_a_siret_or_an_rna_is_taken(pivot: str, kept: str, kind: PivotKind) -> None:
    place = taken(pivot=pivot)
    assert (place.pivot, place.pivot_kind) == (kept, kind)


@pytest.mark.parametrize(
    "pivot, said",
    [
        ("73282932000075", "chiffres de contrôle"),
        ("00000000000000", "que des zéros"),
        ("732829320", "C’est un SIREN"),
        ("7,32829E+13", "format « Texte »"),
        ("7328293200007", "13 chiffres"),
        ("732829320000", "12 chiffres"),
        ("à demander", "ni un SIRET (14 chiffres) ni un RNA"),
        ("", "obligatoire"),
    ],
)
def test_a_number_that_pays_nobody_is_refused_with_what_to_do(pivot: str, said: str) -> None:
    assert said in refused(pivot=pivot)["pivot"]


def test_a_ridet_is_refused_by_its_name() -> None:
    reasons = refused(pivot="0123456001", code_postal="98800", code_insee="98818", commune="Nouméa")
    assert "RIDET" in reasons["pivot"]


# Where


@pytest.mark.parametrize(
    "postcode, said",
    [
        ("1000", "Écrivez 01000"),
        ("2A004", "code INSEE de Corse"),
        ("99999", "aucun département"),
        ("CS 51100", "5 chiffres"),
        ("", "obligatoire"),
    ],
)
def test_a_wrong_postcode_is_refused(postcode: str, said: str) -> None:
    assert said in refused(code_postal=postcode)["code_postal"]


@pytest.mark.parametrize(
    "insee_code, said",
    [("20004", "2A ou 2B"), ("1053", "Écrivez 01053"), ("Reims", "5 caractères"), ("96001", "commune")],
)
def test_a_wrong_insee_code_is_refused(insee_code: str, said: str) -> None:
    assert said in refused(code_insee=insee_code)["code_insee"]


def test_codes_keep_their_zeros_and_letters() -> None:
    place = taken(code_postal="01000", code_insee="01053", latitude="", longitude="")
    assert (place.postcode, place.insee_code) == ("01000", "01053")
    place = taken(code_postal="20000", code_insee="2a004", latitude="41.9192", longitude="8.7386")
    assert (place.postcode, place.insee_code, place.latitude) == ("20000", "2A004", 41.9192)
    assert taken(code_insee="").insee_code is None


def test_codes_that_do_not_agree_are_told_but_not_refused() -> None:
    (warning,) = taken(code_postal="01200", code_insee="74109", latitude="", longitude="").warnings
    assert "Haute-Savoie" in warning
    assert "Ain" in warning
    (warning,) = taken(code_insee="51100").warnings
    assert "égal au code postal" in warning


@pytest.mark.parametrize(
    "postcode, insee_code, latitude, longitude",
    [
        ("97400", "97411", "-20.8789", "55.4481"),
        ("97300", "97302", "4.9372", "-52.3260"),
        ("97150", "97801", "18.0686", "-63.0825"),
        ("98800", "98818", "-22.2758", "166.4580"),
        ("64700", "64260", "43.3586", "-1.7736"),
        ("59212", "59659", "50.0200", "4.1000"),
    ],
)
def test_points_at_the_ends_of_france_are_taken(postcode: str, insee_code: str, latitude: str, longitude: str) -> None:
    place = taken(code_postal=postcode, code_insee=insee_code, latitude=latitude, longitude=longitude)
    assert place.latitude == float(latitude)
    assert place.warnings == ()


@pytest.mark.parametrize(
    "latitude, longitude, said",
    [
        ("0", "0", "France métropolitaine"),
        ("4.0317", "49.2583", "inversées"),
        ("49.2583", "", "donnez les deux"),
        ("nord", "4.03", "n’est pas un nombre"),
        ("nan", "inf", "n’est pas un nombre"),
        ("48.8566", "-4.4861", "de la préfecture"),
        ("-20.8789", "55.4481", "France métropolitaine"),
    ],
)
def test_a_point_elsewhere_is_left_out_and_told(latitude: str, longitude: str, said: str) -> None:
    place = taken(latitude=latitude, longitude=longitude)
    assert (place.latitude, place.longitude) == (None, None)
    assert said in place.warnings[0]


# Optional cells


def test_an_unknown_service_is_left_out_and_told_and_the_others_stay() -> None:
    place = taken(services="Cuisine|Compréhension du monde numérique")
    assert place.services == (Service.DIGITAL_WORLD_UNDERSTANDING,)
    assert place.warnings == (
        "services : « Cuisine » n’est pas dans la liste du standard. Cette valeur n’a pas été prise.",
    )


def test_values_joined_by_a_semicolon_are_told_how_to_be_joined() -> None:
    place = taken(frais_a_charge="Gratuit;Payant")
    assert place.fees == ()
    assert "Séparez les valeurs par « | »" in place.warnings[0]


def test_words_spelled_as_the_descriptions_or_a_keyboard_do_are_the_standards_words() -> None:
    place = taken(
        services="Comprehension du monde numérique",
        formations_labels="Étapes numériques (La Poste)",
        dispositif_programmes_nationaux="point d’accès numérique caf",
        modalites_accompagnement="À distance (par téléphone ou en visioconférence)|En autonomie",
        modalites_acces="Te\u0301le\u0301phoner",  # accents in two parts, as a Mac writes them
    )
    assert place.services == (Service.DIGITAL_WORLD_UNDERSTANDING,)
    assert place.labels == ("Étapes numériques(La Poste)",)
    assert place.programmes == ("Point d'accès numérique CAF",)
    assert place.support_modes == ("À distance", "En autonomie")
    assert place.access_modes == ("Téléphoner",)
    assert place.warnings == ()


@pytest.mark.parametrize(
    "written, kept",
    [
        ("01 80 05 98 80", "+33180059880"),
        ("+33 (0)1 80 05 98 80", "+33180059880"),
        ("0262 20 20 20", "+262262202020"),
        ("0033180059880", "+33180059880"),
    ],
)
def test_a_phone_number_takes_the_form_of_the_standard(written: str, kept: str) -> None:
    assert taken(telephone=written).phone == kept


def test_wrong_optional_values_are_left_out_each_with_its_sentence() -> None:
    place = taken(
        telephone="demander Zoé",
        courriels="contact@exemple.fr|contact chez exemple",
        site_web="www.exemple.fr|javascript:alert(1)|ftp://exemple.fr",
        prise_rdv="https://[exemple",
    )
    assert place.phone == ""
    assert place.emails == ("contact@exemple.fr",)
    assert place.websites == ("https://www.exemple.fr",)
    assert place.booking_url == ""
    assert [warning.split(" :")[0] for warning in place.warnings] == [
        "telephone",
        "courriels",
        "site_web",
        "site_web",
        "prise_rdv",
    ]


def test_long_texts_are_cut_at_a_word_and_told_but_hours_are_never_cut() -> None:
    place = taken(presentation_resume="atelier " * 60, horaires="Mo 09:00-12:00; " * 30)
    assert len(place.summary) <= 280
    assert place.summary.endswith("atelier…")
    assert place.opening_hours == ""
    assert len(place.warnings) == 2


def test_invisible_characters_go_and_paragraphs_stay() -> None:
    place = taken(nom="  Espace\u200b \u00a0Clic\x07 ", presentation_detail="Un.\n\nDeux.")
    assert place.name == "Espace Clic"
    assert place.details == "Un.\n\nDeux."


def test_lost_letters_are_refused_in_a_name_and_told_in_a_text() -> None:
    assert "perdues" in refused(nom="M\ufffddiathèque")["nom"]
    assert "abîmés" in taken(presentation_detail="MÃ©diathèque").warnings[0]


# Required cells


def test_a_refused_line_gives_all_its_reasons_at_once_in_the_order_of_the_columns() -> None:
    (line,) = read(table({"id": "", "code_insee": "20004", "services": "Cuisine"}))
    assert isinstance(line, RefusedLine)
    assert (line.line_number, line.external_id) == (2, None)
    assert [reason.column for reason in line.reasons] == [
        "id",
        "pivot",
        "nom",
        "commune",
        "code_postal",
        "code_insee",
        "adresse",
        "date_maj",
    ]


@pytest.mark.parametrize("day", ["2024-04-02", "02/04/2024", "02/04/2024 00:00"])
def test_a_date_is_read_as_the_standard_or_a_spreadsheet_writes_it(day: str) -> None:
    (line,) = read(table(ESPACE | {"date_maj": day}))
    assert isinstance(line, PlaceLine)
    assert line.updated_on == date(2024, 4, 2)


@pytest.mark.parametrize("day", ["45384", "2024-02-30", "20240402", "2024-W14-2", "0024-04-02", "hier"])
def test_a_date_that_is_none_is_refused(day: str) -> None:
    assert "date_maj" in refused(date_maj=day)


def test_a_name_too_long_for_a_page_is_refused() -> None:
    assert "151 caractères, 150 au plus" in refused(nom="a" * 151)["nom"]


def test_an_id_met_twice_is_refused_the_second_time_and_says_where_the_first_is() -> None:
    first, other, again = read(table(ESPACE, ESPACE | {"id": "espace-2"}, ESPACE))
    assert isinstance(first, PlaceLine)
    assert isinstance(other, PlaceLine)
    assert isinstance(again, RefusedLine)
    assert "ligne 2" in again.reasons[0].sentence
    assert again.line_number == 4


def test_a_refused_line_does_not_take_its_id_away_from_a_good_one() -> None:
    bad, good = read(table(ESPACE | {"nom": ""}, ESPACE))
    assert isinstance(bad, RefusedLine)
    assert isinstance(good, PlaceLine)
