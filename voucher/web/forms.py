"""Forms of the house: in French throughout, with fields for money, days, rates and French identifiers.

    class AgreementForm(HouseForm):
        name = StringField("Nom", validators=[InputRequired()])
        ceiling = EurosField("Plafond", validators=[InputRequired(), EurosRange(1)])      .data: int cents
        use_by = DateField("À utiliser avant le", validators=[InputRequired()])                 .data: date
        share = PercentField("Part de l’État", validators=[InputRequired()])                    .data: int basis points
        siret = SiretField("SIRET", validators=[Optional()])                                    .data: str, "" when empty
        ordered = CountField("Nombre de chèques", validators=[InputRequired()])                   .data: int
        booklet = SerialField("Carnet", validators=[InputRequired()])                             .data: int
        kind = SelectField("Type", choices=[("asso", "Association"), ("mairie", "Mairie")])

    if form.validate_on_submit():
        try:
            sign(database, …)
        except Refused as refused:
            show_refusal(form, refused)

Take `SelectField`, `RadioField` and `CheckboxesField` from here: WTForms' own no longer take (value, word) pairs. Use
`InputRequired`, not `DataRequired`, for amounts: zero is a value, where a field says `may_be_zero=True`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import wtforms
from flask import Flask, has_request_context, request
from flask_wtf import CSRFProtect, FlaskForm
from flask_wtf.file import FileField, MultipleFileField
from wtforms.fields import SelectChoice
from wtforms.validators import StopValidation, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from voucher.kernel.identifiers import InvalidIdentifier, check_bic, check_iban, check_siren, check_siret
from voucher.kernel.money import NO_BREAK_SPACE, format_euros
from voucher.kernel.refusals import Refused
from voucher.kernel.typed_days import parse_day
from voucher.kernel.typed_numbers import parse_count, parse_euros, parse_percent, parse_serial, whole_number
from voucher.mail.queue import is_address
from voucher.web.messages import FRENCH

CHOOSE = "Choisissez une réponse."

csrf = CSRFProtect()
"""Checks the token of every POST. API blueprints that carry no cookie say `csrf.exempt(blueprint)`."""


class HouseForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF ships no types
    """The mother of all forms: its messages are French, whatever the validator."""

    asks_secrets = False
    """True where passwords or codes are asked for: refused, the page does not say that what was typed is kept."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        """What every form does without saying it."""

        def get_translations(self, _form: object) -> object:
            """Return the French sentences in place of WTForms' own."""
            return FRENCH

        def wrap_formdata(self, form: Any, formdata: Any) -> Any:
            """Read forms alone: Flask-WTF would take JSON for one, whose values are no texts."""
            return super().wrap_formdata(form, request.form if has_request_context() and request.is_json else formdata)

        def bind_field(self, form: Any, unbound_field: Any, options: dict[str, Any]) -> Any:
            """Trim every text but passwords, and take away the NUL that PostgreSQL refuses."""
            field_class = unbound_field.field_class
            if issubclass(field_class, wtforms.StringField) and not issubclass(field_class, wtforms.PasswordField):
                options["filters"] = [_trimmed, *unbound_field.kwargs.get("filters", ())]
            return super().bind_field(form, unbound_field, options)

        def render_field(self, field: Any, render_kw: dict[str, Any]) -> Any:
            """Leave `maxlength` out: a browser cuts what is pasted without a word; a text that is too long is said."""
            return super().render_field(field, {"maxlength": False} | render_kw)


def _trimmed(value: Any) -> Any:
    return value.replace("\x00", "").strip() if isinstance(value, str) else value


class _TypedField(wtforms.StringField):  # type: ignore[misc]  # WTForms ships no types
    """A text that stands for a value: it keeps what was typed, and says one thing when it cannot be read."""

    unit = ""

    def read(self, text: str) -> Any:
        """Return the value of a text; raise ValueError with a French sentence."""
        raise NotImplementedError

    def say(self, value: Any) -> str:
        """Return a value as a person would type it."""
        return str(value)

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Read what was typed."""
        text = valuelist[0].strip() if valuelist else ""
        self.data = None
        self.data = self.read(text) if text else self.empty()

    def empty(self) -> Any:
        """Return what an empty field is worth."""
        return None

    def pre_validate(self, _form: object) -> None:
        """Stop at what could not be read: no other rule can be asked about it."""
        if self.process_errors:
            raise StopValidation

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return self.say(self.data) if self.data not in (None, "") else ""


class _NumberField(_TypedField):
    """A number as people type it (kernel.typed_numbers); zero and a minus are read where the field says so."""

    keyboard = "decimal"

    def __init__(self, *args: Any, may_be_zero: bool = False, **kwargs: Any) -> None:
        kwargs["render_kw"] = {"inputmode": self.keyboard, "autocomplete": "off"} | (kwargs.get("render_kw") or {})
        super().__init__(*args, **kwargs)
        self.may_be_zero = may_be_zero


class EurosField(_NumberField):
    """An amount typed in euros; `.data` is whole cents."""

    unit = "€"

    def __init__(self, *args: Any, may_be_negative: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.may_be_negative = may_be_negative

    def read(self, text: str) -> int:
        """Return cents."""
        return parse_euros(text, may_be_negative=self.may_be_negative, may_be_zero=self.may_be_zero)

    def say(self, value: int) -> str:
        """Return « 1 234,50 » without its sign, which stands beside the field."""
        return format_euros(value).removesuffix(f"{NO_BREAK_SPACE}€")


class CountField(_NumberField):
    """A whole number of things; `.data` is an int that any table holds."""

    keyboard = "numeric"

    def read(self, text: str) -> int:
        """Return the number, its thousands apart or not."""
        return parse_count(text, may_be_zero=self.may_be_zero)


class SerialField(_NumberField):
    """The number of a booklet, as it is printed or plain; `.data` is an int."""

    keyboard = "numeric"

    def read(self, text: str) -> int:
        """Return the number."""
        return parse_serial(text)


class PercentField(_NumberField):
    """A rate typed in percent, to the hundredth; `.data` is basis points, up to 10,000."""

    unit = "%"

    def read(self, text: str) -> int:
        """Return basis points."""
        return parse_percent(text, may_be_zero=self.may_be_zero)

    def say(self, value: int) -> str:
        """Return « 35,5 »."""
        return f"{Decimal(value).scaleb(-2):f}".rstrip("0").rstrip(".").replace(".", ",")


class SeenNumberField(wtforms.HiddenField):  # type: ignore[misc]  # WTForms ships no types
    """An amount in cents, or a count, that a page showed and sends back, never typed; `.data` is an int."""

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Read plain digits alone."""
        self.data = whole_number(valuelist[0]) if valuelist else None
        if valuelist and self.data is None:
            raise ValueError("Revenez à la page, et recommencez.")


class DateField(_TypedField):
    """A civil day, from the browser's calendar or typed jj/mm/aaaa; `.data` is a date."""

    def read(self, text: str) -> date:
        """Return the day."""
        return parse_day(text)

    def say(self, value: date) -> str:
        """Return the day as a date control takes it."""
        return value.isoformat()

    def _value(self) -> str:
        # A date control cannot hold another text; once read, what was typed is given back as it takes it.
        return self.say(self.data) if self.data else super()._value()

    def __call__(self, **kwargs: Any) -> Any:
        """Draw the browser's calendar; where a text could not be read, a plain field that keeps it."""
        unreadable = self.raw_data and self.raw_data[0].strip() and self.data is None
        kwargs.setdefault("type", "text" if unreadable else "date")
        return super().__call__(**kwargs)


class _IdentifierField(_TypedField):
    """A national or bank identifier: `.data` is its bare form, an empty text when nothing was typed."""

    check: Callable[[str], str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["render_kw"] = {"autocomplete": "off", "spellcheck": "false"} | (kwargs.get("render_kw") or {})
        super().__init__(*args, **kwargs)

    def read(self, text: str) -> str:
        """Return the identifier without spaces, its key checked."""
        try:
            return type(self).check(text)
        except InvalidIdentifier as error:
            raise ValueError(str(error)) from None

    def empty(self) -> str:
        """Return an empty text."""
        return ""


class SirenField(_IdentifierField):
    """The nine digits of a legal person."""

    check = staticmethod(check_siren)


class SiretField(_IdentifierField):
    """The fourteen digits of an establishment."""

    check = staticmethod(check_siret)


class IbanField(_IdentifierField):
    """A bank account; its key is checked (the French clé RIB too)."""

    check = staticmethod(check_iban)


class BicField(_IdentifierField):
    """A bank."""

    check = staticmethod(check_bic)


def _as_choices(choices: Any) -> Any:
    """Turn (value, word) pairs into what WTForms takes; the rest is left as it is."""
    if choices is None or callable(choices) or isinstance(choices, dict):
        return choices
    return [SelectChoice(*choice) if isinstance(choice, tuple) else choice for choice in choices]


class _PairsOfWords:
    """Choices are given as (value, word) pairs, at declaration or later by `form.field.choices = …`."""

    def __init__(self, label: str | None = None, validators: Any = None, *, choices: Any = None, **kwargs: Any) -> None:
        super().__init__(label, validators, choices=_as_choices(choices), **kwargs)  # type: ignore[call-arg]

    def gettext(self, string: str) -> str:
        """Say « choose » where other fields say « fill in »."""
        return CHOOSE if string == "This field is required." else str(FRENCH.gettext(string))

    @property
    def choices(self) -> Any:
        """Return the choices as WTForms holds them."""
        return wtforms.SelectField.choices.fget(self)

    @choices.setter
    def choices(self, choices: Any) -> None:
        wtforms.SelectField.choices.fset(self, _as_choices(choices))


class SelectField(_PairsOfWords, wtforms.SelectField):  # type: ignore[misc]
    """One choice among many, in a list."""


class RadioField(_PairsOfWords, wtforms.RadioField):  # type: ignore[misc]
    """One choice among a few, all in view."""


class CheckboxesField(_PairsOfWords, wtforms.SelectMultipleField):  # type: ignore[misc]
    """Several choices among a few; `.data` is the list of those ticked."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()

    def process_data(self, value: Any) -> None:
        """Take no value at all for nothing ticked."""
        super().process_data(value or [])


class EmailAddress:
    """Refuses what is no e-mail address that every server takes."""

    def __call__(self, _form: object, field: Any) -> None:
        """Refuse the text of `field`; an empty one is another validator's affair."""
        if field.data and not is_address(field.data):
            raise ValidationError("Écrivez une adresse électronique complète, comme prenom.nom@exemple.fr.")


class EurosRange:
    """Keeps an amount between two others, in cents, both included; says them in euros."""

    def __init__(self, min_cents: int | None = None, max_cents: int | None = None) -> None:
        self.min_cents = min_cents
        self.max_cents = max_cents

    def __call__(self, _form: object, field: Any) -> None:
        """Refuse the amount of `field` outside the range; an empty field is another validator's affair."""
        if field.data is None:
            return
        if self.min_cents is not None and field.data < self.min_cents:
            raise ValidationError(f"Écrivez un montant d’au moins {format_euros(self.min_cents)}.")
        if self.max_cents is not None and field.data > self.max_cents:
            raise ValidationError(f"Écrivez un montant de {format_euros(self.max_cents)} au plus.")


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of the error summary: what is wrong, and the id of the control to go to (none for the whole form)."""

    label: str
    sentence: str
    target: str | None


def show_refusal(form: Any, refused: Refused) -> None:
    """Put a refusal at its field, or on top of the form where it names none that the form has."""
    if refused.field in form and field_kind(form[refused.field]) not in ("subform", "list"):
        form[refused.field].errors = [*form[refused.field].errors, refused.sentence]
    else:
        form.form_errors.append(refused.sentence)


def problems(form: Any) -> list[Problem]:
    """Return what the error summary says, in the order of the fields; what concerns the whole form first."""
    found = [Problem("", sentence, None) for sentence in getattr(form, "form_errors", ())]
    for field in form:
        found += _field_problems(field)
    return found


def field_kind(field: Any) -> str:
    """Say how a field is drawn: hidden, submit, checkbox, group (of choices), subform, list or control."""
    kinds: tuple[tuple[str, tuple[type, ...]], ...] = (
        ("hidden", (wtforms.HiddenField, wtforms.csrf.core.CSRFTokenField)),
        ("submit", (wtforms.SubmitField,)),
        ("checkbox", (wtforms.BooleanField,)),
        ("group", (wtforms.RadioField, CheckboxesField)),
        ("subform", (wtforms.FormField,)),
        ("list", (wtforms.FieldList,)),
    )
    return next((name for name, types in kinds if isinstance(field, types)), "control")


def has_files(form: Any) -> bool:
    """Say whether a form sends files, and so needs another encoding."""
    return any(isinstance(field, FileField | MultipleFileField | wtforms.FileField) for field in form)


def _field_problems(field: Any) -> list[Problem]:
    match field_kind(field):
        case "subform":
            return [*_whole(field), *problems(field.form)]
        case "list":
            inner = [found for entry in field.entries for found in _field_problems(entry)]
            return inner or _whole(field)
        case "hidden":
            return [Problem("", str(sentence), None) for sentence in field.errors]
        case "group":
            target = f"{field.id}-0"
        case _:
            target = field.id
    return [Problem(str(field.label.text), str(sentence), target) for sentence in field.errors]


def _whole(field: Any) -> list[Problem]:
    sentences = field.errors if isinstance(field.errors, list | tuple) else field.errors.get(None, ())
    return [Problem("", str(sentence), None) for sentence in sentences if isinstance(sentence, str)]


def install(app: Flask) -> None:
    """Check the token of every POST of `app`, and give the form filters to its templates."""
    # The token lives as long as the session: a form left open over lunch can still be sent. Pages that show codes send no
    # referrer, so that the token alone (with SameSite cookies) says where a POST comes from.
    app.config.setdefault("WTF_CSRF_TIME_LIMIT", None)
    app.config.setdefault("WTF_CSRF_SSL_STRICT", False)
    csrf.init_app(app)
    app.jinja_env.filters.update(field_kind=field_kind, problems=problems, has_files=has_files)
