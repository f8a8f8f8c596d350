"""Opening hours said in French, or shown as they were written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher.network.opening_hours import opening_hours_in_french


@pytest.mark.parametrize(
    "written, said",
    [
        (
            "Mo-Fr 09:00-12:00,14:00-18:30; Sa 08:30-12:00",
            "du lundi au vendredi de 9 h à 12 h et de 14 h à 18 h 30 ; samedi de 8 h 30 à 12 h",
        ),
        ("Mo-Fr 09:00-17:00; PH off", "du lundi au vendredi de 9 h à 17 h ; fermé les jours fériés"),
        ("Mo,We,Fr 14:00-18:05", "lundi, mercredi et vendredi de 14 h à 18 h 05"),
        ("Mo,Th-Sa 08:00-12:00", "lundi et du jeudi au samedi de 8 h à 12 h"),
        ("Sa-Su 10:00-24:00", "samedi et dimanche de 10 h à minuit"),
        ("Mo-Su 10:00-12:00", "tous les jours de 10 h à 12 h"),
        ("10:00-12:00", "tous les jours de 10 h à 12 h"),
        ("We 14:00+", "mercredi à partir de 14 h"),
        ("Tu off", "fermé le mardi"),
        ("Sa-Su,PH off", "fermé le samedi, le dimanche et les jours fériés"),
        ("SH closed", "fermé pendant les vacances scolaires"),
        ("off", "fermé"),
        ("24/7", "ouvert 24 heures sur 24, 7 jours sur 7"),
        ('Mo 09:00-12:00 "sur rendez-vous"', "lundi de 9 h à 12 h (sur rendez-vous)"),
        ('"sur rendez-vous"', "sur rendez-vous"),
    ],
)
def test_hours_are_said_as_a_person_would(written: str, said: str) -> None:
    assert opening_hours_in_french(written).replace("\u00a0", " ") == said


def test_an_hour_is_never_parted_from_its_h() -> None:
    assert opening_hours_in_french("Mo 09:30-12:00") == "lundi de 9\u00a0h\u00a030 à 12\u00a0h"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "Mo",
        "lundi matin",
        "Mo-Fr 9-12",
        "Mo 25:00-26:00",
        "Mo 09:70-12:00",
        "Mo 09:00-09:00",
        "Jan-Mar Mo 09:00-12:00",
        "week 1-53/2 Mo 09:00-12:00",
        "Mo[1] 09:00-12:00",
        "Mo sunrise-sunset",
        "Mo-Fr 09:00-12:00, Sa 10:00-12:00",
        "Mo-Fr 09:00-12:00 || Sa 10:00-12:00",
        "Mo 09:00-12:00; demander à l’accueil",
        "Mo-PH 09:00-12:00",
        "Mo " + " " * 5_000 + "x",
    ],
)
def test_what_is_not_wholly_understood_is_shown_as_it_was_written(written: str) -> None:
    assert opening_hours_in_french(written) == written


@given(st.text(alphabet='MoTuWeThFrSaSuPHSH0123456789:-,;+ "off/', max_size=40))
def test_no_text_makes_it_fail(written: str) -> None:
    assert isinstance(opening_hours_in_french(written), str)
