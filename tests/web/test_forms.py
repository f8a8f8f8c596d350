"""Forms: French whatever happens, values read as people type them, what was typed kept, refusals at their field."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import wtforms
from flask import Flask
from werkzeug.datastructures import MultiDict
from wtforms.validators import InputRequired, Length, Optional

from tests.web.gallery import PlaceForm, create_gallery
from voucher.kernel.refusals import Refused
from voucher.web.forms import (
    BicField,
    CheckboxesField,
    CountField,
    DateField,
    EurosField,
    EurosRange,
    HouseForm,
    IbanField,
    PercentField,
    RadioField,
    SelectField,
    SirenField,
    SiretField,
    problems,
    show_refusal,
)
from voucher.web.messages import FRENCH

NBSP = "\u00a0"


class EveryField(HouseForm):
    class Meta(HouseForm.Meta):
        csrf = False

    amount = EurosField("Montant", validators=[Optional(), EurosRange(1_00, 1_000_00)])
    share = PercentField("Taux", validators=[Optional()])
    day = DateField("Jour", validators=[Optional()])
    siren = SirenField("SIREN", validators=[Optional()])
    siret = SiretField("SIRET", validators=[Optional()])
    iban = IbanField("IBAN", validators=[Optional()])
    bic = BicField("BIC", validators=[Optional()])
    name = wtforms.StringField("Nom", validators=[Optional(), Length(max=10)])
    secret = wtforms.PasswordField("Mot de passe")
    count = CountField("Nombre", validators=[Optional()])
    kind = SelectField("Type", choices=[("a", "Un"), ("b", "Deux")], validators=[Optional()])
    channel = RadioField("Canal", choices=[("a", "Un"), ("b", "Deux")], validators=[Optional()])
    services = CheckboxesField("Services", choices=[("a", "Un"), ("b", "Deux")], validators=[Optional()])


@pytest.fixture(scope="module")
def app() -> Flask:
    return create_gallery()


@pytest.fixture(autouse=True)
def inside_a_request(app: Flask) -> Iterator[None]:
    with app.test_request_context(method="POST"):
        yield


def filled(**typed: str) -> EveryField:
    form = EveryField(formdata=MultiDict(typed))
    form.validate()
    return form


@pytest.mark.parametrize(
    "field, typed, value",
    [
        ("amount", "1 000,00", 1_000_00),
        ("amount", f"12{NBSP}€", 12_00),
        ("count", "1 200", 1200),
        ("share", "35,5", 3550),
        ("share", "100 %", 10_000),
        ("share", "35,05 %", 3505),
        ("day", "2026-12-31", date(2026, 12, 31)),
        ("day", "31/12/2026", date(2026, 12, 31)),
        ("siren", "732 829 320", "732829320"),
        ("siret", "732 829 320 00074", "73282932000074"),
        ("iban", "FR76 3000 6000 0112 3456 7890 189", "FR7630006000011234567890189"),
        ("bic", "agrifrpp", "AGRIFRPP"),
        ("name", "  Toul\x00 ", "Toul"),
        ("secret", " two spaces ", " two spaces "),
        ("siret", "", ""),
        ("amount", "", None),
    ],
)
def test_a_value_is_read_as_a_person_types_it(field: str, typed: str, value: object) -> None:
    form = filled(**{field: typed})
    assert (form.errors, form[field].data) == ({}, value)


@pytest.mark.parametrize(
    "field, typed, start",
    [
        ("amount", "douze", "« douze » contient une lettre. Écrivez"),
        ("amount", "1,234", "« 1,234 » a plus de deux chiffres"),
        ("amount", "0,50", "Écrivez un montant d’au moins 1,00"),
        ("amount", "2000", "Écrivez un montant de 1"),
        ("amount", "9" * 40, "Ce montant est trop grand"),
        ("share", "101", "« 101 » n’est pas entre 0 et 100"),
        ("share", "1e2", "« 1e2 » contient une lettre"),
        ("share", "33,333", "« 33,333 » a plus de deux"),
        ("day", "31/02/2026", "La date « 31/02/2026 » n’existe pas"),
        ("day", "demain", "« demain » n’est pas une date. Écrivez le jour"),
        ("siren", "732829321", "Ce numéro SIREN n’existe pas"),
        ("siret", "73282932000075", "Ce numéro SIRET n’existe pas"),
        ("iban", "FR7630006000011234567890188", "L’IBAN « FR7630006000011234567890188 » est faux"),
        ("bic", "AGRI", "Le BIC « AGRI » est faux"),
        ("name", "Fontenay-le-Comte", "Écrivez 10 caractères au plus."),
        ("count", "douze", "« douze » contient une lettre"),
        ("count", "-3", "« -3 » est négatif. Écrivez un nombre entier"),
        ("count", "1" * 30, "Ce nombre est trop grand"),
        ("count", "0", "Écrivez un nombre au-dessus de zéro."),
        ("kind", "z", "Choisissez une réponse de la liste."),
        ("channel", "z", "Choisissez une réponse de la liste."),
        ("services", "z", "Choisissez"),
    ],
)
def test_what_cannot_be_read_is_said_in_french_and_kept_as_typed(field: str, typed: str, start: str) -> None:
    form = filled(**{field: typed})
    assert form[field].errors[0].startswith(start)
    if field not in ("kind", "channel", "services"):
        assert len(form[field].errors) == 1
        assert f'value="{typed}"' in form[field]()


def test_a_date_that_the_calendar_cannot_hold_is_given_back_in_a_plain_field() -> None:
    assert 'type="text"' in filled(day="31/02/2026").day()
    assert 'type="date"' in filled(day="31/12/2026").day()
    assert 'value="2026-12-31"' in filled(day="31/12/2026").day()


def test_a_stored_value_is_shown_as_a_person_would_type_it() -> None:
    form = EveryField(formdata=None, data={"amount": 1_234_50, "share": 3550, "day": date(2026, 3, 1)})
    assert [field._value() for field in (form.amount, form.share, form.day)] == ["1\u202f234,50", "35,5", "2026-03-01"]


def test_every_message_of_wtforms_and_flask_wtf_has_its_french_sentence() -> None:
    import flask_wtf

    catalogue = (Path(wtforms.__file__).parent / "locale" / "wtforms.pot").read_text()
    messages = set(re.findall(r'^msgid "(.+)"$', catalogue, re.MULTILINE))
    for source in Path(flask_wtf.__file__).parent.glob("*.py"):
        messages |= set(re.findall(r'gettext\(\s*"([^"]+)"', source.read_text()))
    untold = {message for message in messages if FRENCH.gettext(message) == message}
    counted = {message for message in untold if FRENCH.ngettext(message, f"{message}s", 2) != f"{message}s"}
    assert len(messages) > 20
    assert untold - counted == set()


def test_a_refusal_goes_to_its_field_and_otherwise_on_top() -> None:
    form = filled(siret="")
    show_refusal(form, Refused("place.twice", "Ce SIRET est déjà pris.", "siret"))
    show_refusal(form, Refused("place.closed", "Les inscriptions sont closes.", "somewhere"))
    show_refusal(form, Refused("place.late", "Revenez demain."))
    found = [(problem.label, problem.sentence, problem.target) for problem in problems(form)]
    assert found == [
        ("", "Les inscriptions sont closes.", None),
        ("", "Revenez demain.", None),
        ("SIRET", "Ce SIRET est déjà pris.", "siret"),
    ]


def test_the_summary_reaches_sub_forms_and_the_first_answer_of_a_group() -> None:
    form = PlaceForm(formdata=MultiDict({"name": "Toul"}), meta={"csrf": False})
    form.validate()
    targets = [problem.target for problem in problems(form)]
    assert form.channel.errors == ["Choisissez une réponse."]
    assert {"channel-0", "contact-name", "siret"} <= set(targets)
    assert "name" not in targets


def test_an_error_is_tied_to_its_control_for_a_screen_reader(app: Flask) -> None:
    client = app.test_client()
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', client.get("/form").text)
    assert token
    page = client.post("/form", data={"csrf_token": token[1], "ceiling": "douze"}).text
    control = re.search(r'<input[^>]*id="ceiling"[^>]*>', page)
    assert control
    assert 'aria-describedby="ceiling-error"' in control[0]
    assert 'aria-invalid="true"' in control[0]
    assert 'value="douze"' in control[0]
    assert 'id="ceiling-error"' in page


def test_zero_is_an_amount_that_was_given_where_the_field_takes_it() -> None:
    class Budget(HouseForm):
        class Meta(HouseForm.Meta):
            csrf = False

        amount = EurosField("Montant", may_be_zero=True, validators=[InputRequired()])

    form = Budget(formdata=MultiDict({"amount": "0"}))
    assert form.validate()
    assert form.amount.data == 0


def test_choices_given_later_are_pairs_too() -> None:
    form = filled()
    form.kind.choices = [("88", "Vosges"), ("55", "Meuse")]
    assert '<option value="88">Vosges</option>' in form.kind()
