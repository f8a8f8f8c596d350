"""Forms of the issuer's pages. Their hidden `id` makes a double submit harmless: the same command changes nothing twice."""

from typing import Any

from wtforms import EmailField, HiddenField, StringField
from wtforms.validators import InputRequired, Length, Optional

from voucher.distribution.words import PRESCRIBER_KINDS, STOP_REASONS
from voucher.kernel.identifiers import new_id
from voucher.web.forms import CountField, EmailAddress, HouseForm, RadioField, SelectField, SerialField


class CommandForm(HouseForm):
    """A form that sends a command once. `confirmed` is set by the button under the consequence."""

    id = HiddenField(default=lambda: str(new_id()))
    confirmed = HiddenField(default="")

    def takes(self) -> bool:
        """Say whether the person has seen the consequence and accepts it; it is asked once, so a refusal asks again."""
        accepted, self.confirmed.data = bool(self.confirmed.data), ""
        return accepted

    def asks(self) -> list[Any]:
        """Return what was typed, to write again, hidden, under the consequence, whose button accepts it."""
        self.confirmed.data = "oui"
        return [field for field in self if field.name not in ("csrf_token", "id", "confirmed")]


def booklet_range(form: Any) -> tuple[int, int]:
    """Return the first number and the count of a form's range, once it is valid."""
    first, count = form.first_booklet_number.data, form.booklet_count.data
    assert isinstance(first, int)
    assert isinstance(count, int)
    return first, count


class OrderForm(CommandForm):
    """How many booklets of an agreement."""

    booklet_count = CountField("Nombre de carnets", validators=[InputRequired()])


class PrescriberForm(CommandForm):
    """A new prescriber."""

    name = StringField("Nom", validators=[InputRequired(), Length(max=150)])
    kind = SelectField("Genre d’organisme", choices=list(PRESCRIBER_KINDS.items()))
    address = StringField("Adresse", validators=[Optional(), Length(max=200)])
    postcode = StringField("Code postal", validators=[InputRequired(), Length(min=5, max=6)])
    city = StringField("Commune", validators=[InputRequired(), Length(max=80)])
    contact_email = EmailField("Adresse électronique", validators=[Optional(), EmailAddress(), Length(max=200)])


class EntrustForm(CommandForm):
    """A stock slip: booklets to a prescriber, or back."""

    to_prescriber_id = SelectField("À qui confier ces carnets", validators=[Optional()])
    first_booklet_number = SerialField("Numéro du premier carnet", validators=[InputRequired()])
    booklet_count = CountField("Nombre de carnets", validators=[InputRequired()])


class StopForm(CommandForm):
    """Why a booklet is stopped."""

    reason = RadioField("Pourquoi bloquer ce carnet", choices=list(STOP_REASONS.items()), validators=[InputRequired()])


class VoidForm(CommandForm):
    """Booklets destroyed before hand-over."""

    first_booklet_number = SerialField("Numéro du premier carnet", validators=[InputRequired()])
    booklet_count = CountField("Nombre de carnets", validators=[InputRequired()])
    reason = StringField("Pourquoi les annuler", validators=[InputRequired(), Length(max=200)])


class PrintForm(HouseForm):
    """A range of booklets to print; read from the address."""

    class Meta(HouseForm.Meta):
        """A download changes nothing: it carries no token."""

        csrf = False

    first_booklet_number = SerialField("Numéro du premier carnet", validators=[InputRequired()])
    booklet_count = CountField("Nombre de carnets", validators=[InputRequired()])
