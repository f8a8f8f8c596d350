"""Acts that take the password of who acts again: money that leaves, accounts, roles, closed years."""

from typing import Any

from wtforms import PasswordField
from wtforms.validators import InputRequired

from voucher.access.confirm import confirm_password
from voucher.web.access import viewer
from voucher.web.forms import HouseForm
from voucher.web.services import services


class PasswordAgain(HouseForm):
    """The actor's own password."""

    password = PasswordField("Votre mot de passe", validators=[InputRequired()])


def confirm_actor(form: Any) -> None:
    """Raise Refused unless the form holds the password of who acts."""
    here = services()
    confirm_password(here.database, viewer(), form.password.data, "", now=here.now())
