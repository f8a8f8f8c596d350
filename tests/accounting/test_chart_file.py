"""The accountant's own numbers: a file is taken whole or refused with every error."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from voucher.cli.main import main
from voucher.ledger.chart import Book
from voucher.ledger.chart_file import OWN_NUMBERS, PRESENTED, WrongChart, chart_numbers, read_chart

MODEL = Path(__file__).resolve().parents[2] / "docs" / "plan-comptable.toml"


def errors_of(text: str) -> str:
    with pytest.raises(WrongChart) as wrong:
        read_chart(text.encode())
    return "\n".join(wrong.value.errors)


def model(**changes: str) -> str:
    text = MODEL.read_text()
    for before, after in changes.items():
        found = {"number": 'numero = "4670000"', "name": 'nom = "Structures, chèques à régler"'}[before]
        assert found in text
        text = text.replace(found, after)
    return text


def test_the_model_that_is_shipped_is_right_and_whole() -> None:
    numbers = chart_numbers(MODEL)
    assert {code for code, line in PRESENTED.items() if line.book is Book.GENERAL} <= set(numbers)
    assert (numbers["4670"].number, numbers["4670"].auxiliary) == ("4670000", "S")
    assert numbers["8050"] == OWN_NUMBERS["8050"]
    assert "FAIRE VALIDER PAR LE COMPTABLE" in MODEL.read_text()


def test_without_a_file_codes_are_the_numbers() -> None:
    assert chart_numbers(None)["5120"].number == "5120"


@pytest.mark.parametrize(
    "text, said",
    [
        ("pas du toml", "n’est pas un TOML"),
        ("[autre]\nx = 1\n", "« autre » est inconnu"),
        ('[comptes.9999]\nnumero = "999"\nnom = "x"\n', "Compte 9999 : ce code n’est pas au plan"),
        ('[comptes.4670]\nnumero = "4670000"\n', "Il manque 1100, 4430"),
        (model(number='numero = "46A"'), "le numéro « 46A » n’a pas de 3 à 8 chiffres"),
        (model(number='numero = "467000000"'), "n’a pas de 3 à 8 chiffres"),
        (model(number='numero = "5670000"'), "n’est pas de la classe 4"),
        (model(number='numero = "4675000"'), "Le numéro 4675000 est donné à 4670, 4675"),
        (model(number='numero = ""'), "son numéro manque"),
        (model(number="numero = 4670000"), "entre guillemets"),
        (model(number='numero = "4670000"\nlibelle = "x"'), "« libelle » est inconnu"),
        (model(name='nom = "avec\\tune tabulation"'), "sans tabulation"),
        (model(name='nom = "x"\nauxiliaire = "TROPLONG"').replace('\nauxiliaire = "S"', "", 1), "préfixe auxiliaire"),
        (MODEL.read_text() + '\n[comptes.8050]\nnumero = "8050"\nnom = "x"\nauxiliaire = "F"\n', "pas de comptes auxiliaires"),
        (MODEL.read_text().replace("chiffres_min = 3", "chiffres_min = 9"), "chiffres_min et chiffres_max"),
    ],
)  # fmt: skip
def test_a_wrong_file_says_what_is_wrong(text: str, said: str) -> None:
    assert said in errors_of(text)


def test_every_error_of_a_file_is_said_at_once() -> None:
    text = model(number='numero = "5"') + '\n[comptes.1]\nnumero = "1"\n'
    assert len(errors_of(text).splitlines()) == 2


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(WrongChart, match="PASS_CHART_FILE"):
        chart_numbers(tmp_path / "absent.toml")


def test_the_command_shows_the_plan_or_its_errors(tmp_path: Path) -> None:
    good = CliRunner().invoke(main, ["chart", "check", str(MODEL)])
    assert good.exit_code == 0
    assert "4670  4670000" in good.output
    wrong = tmp_path / "plan.toml"
    wrong.write_text('[comptes.4670]\nnumero = "1"\n')
    bad = CliRunner().invoke(main, ["chart", "check", str(wrong)])
    assert bad.exit_code == 1
    assert "✗ Compte 4670" in bad.output
