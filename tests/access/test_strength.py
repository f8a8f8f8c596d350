"""Which passwords are taken: long enough, and not among those that somebody would try first."""

import time

import pytest

from tests.clients import PASSWORD
from voucher.access.strength import PASSWORD_LENGTH_MAX, password_weakness
from voucher.demonstration import DEMO_PASSWORD

EMAIL, NAME, PROGRAMME = "paul.exemple@lieu.example", "Paul Durand", "Chèque d’ici"

TRIED_FIRST = (
    "motdepasse123", "Motdepasse2026!", "azertyuiop12", "bonjour12345", "Soleil2024!!", "jetaimejetaime", "1234567890123",
    "P@ssw0rd1234", "Juillet2026!!!", "qsdfghjklm12", "azerty azerty azerty", "liberté égalité", "marseille13000",
    "aaaaaaaaaaaaaaaa", "abcabcabcabcabcabc", "!!!!!!!!!!!!!!!", "            ",
)  # fmt: skip
OURS = (
    "Chequenumerique1", "cheque numerique 2026", "Chèque-Numérique-2026", "mediation numerique", "Médiathèque!2026",
    "finances publiques 51", "voucher2026voucher", "démonstration-2019", "p@ss num3rique 2026",
)  # fmt: skip


@pytest.mark.parametrize("password", TRIED_FIRST)
def test_what_is_tried_first_is_refused(password: str) -> None:
    weakness = password_weakness(password, EMAIL, NAME)
    assert weakness is not None
    assert weakness.endswith("Choisissez trois ou quatre mots sans lien entre eux.")


@pytest.mark.parametrize("password", OURS)
def test_the_products_own_words_are_refused_with_or_without_accents_and_spaces(password: str) -> None:
    weakness = password_weakness(password, EMAIL, NAME)
    assert weakness is not None
    assert "mots du programme" in weakness or "que l’on essaie en premier" in weakness


@pytest.mark.parametrize("password", ["Pass numérique de la Marne", "vive le pass-numerique !", "Chèque d'ici, Reims"])
def test_the_programmes_name_is_refused_whatever_stands_around(password: str) -> None:
    weakness = password_weakness(password, EMAIL, NAME, PROGRAMME)
    assert weakness is not None
    assert "le nom du programme" in weakness


@pytest.mark.parametrize(
    "password", ["paul.exemple2026 oui", "Durand et quelques mots", "DURAND lanterne brouette", "exemple lieu paul"]
)
def test_the_persons_own_name_and_address_are_refused(password: str) -> None:
    assert password_weakness(password, EMAIL, NAME) is not None


def test_an_accent_in_a_name_hides_nothing() -> None:
    assert "votre nom" in str(password_weakness("etienne lanterne brouette", "e@lieu.example", "Étienne Roy"))


def test_length_is_said_with_its_figure() -> None:
    assert password_weakness("kX9#mQ2$vL7", EMAIL, NAME) == (
        "Ce mot de passe est trop court. Écrivez au moins 12 caractères."
    )
    assert password_weakness("kX9#mQ2$vL7!", EMAIL, NAME) is None
    assert "128 caractères au plus" in str(password_weakness("x" * (PASSWORD_LENGTH_MAX + 1), EMAIL, NAME))


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        DEMO_PASSWORD,
        "trois noix pour une lanterne",
        "lanterne noix brouette",
        "кошка и собака дома",
        "kX9#mQ2$vL7!",
    ],
)
def test_a_few_words_without_a_link_are_taken(password: str) -> None:
    assert password_weakness(password, EMAIL, NAME, PROGRAMME) is None


def test_a_short_mailbox_forbids_no_letter() -> None:
    assert password_weakness("lanterne noix brouette", "a@lieu.example", "Al Roy") is None


@pytest.mark.parametrize("part", ["@4$5", "p@$5w0rd", "19871987", "qwertyuiop", "aé", "1l!i|"])
def test_a_long_password_made_to_be_slow_is_answered_at_once(part: str) -> None:
    started = time.process_time()
    password_weakness((part * PASSWORD_LENGTH_MAX)[:PASSWORD_LENGTH_MAX], EMAIL, NAME)
    assert time.process_time() - started < 2
