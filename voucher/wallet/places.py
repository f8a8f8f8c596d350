"""The list of places that take vouchers."""

from flask import render_template, request
from wtforms import StringField
from wtforms.validators import Length, Optional, Regexp

from voucher.kernel.characters import compact
from voucher.network import read as network
from voucher.network.services import Service
from voucher.programme.territories import DEPARTMENTS
from voucher.wallet.pages import blueprint
from voucher.web.access import public
from voucher.web.forms import HouseForm, SelectField
from voucher.web.services import services

PLACES_MAX = 200


class PlacesForm(HouseForm):
    """Where, and for what. It is sent in the address: a list can be kept and shared."""

    class Meta(HouseForm.Meta):
        csrf = False

    code_postal = StringField(
        "Code postal",
        filters=[lambda text: compact(text or "")],
        validators=[
            Optional(),
            Length(max=5),
            Regexp(r"[0-9]{5}$", message="Écrivez les cinq chiffres du code postal."),
        ],
    )
    departement = SelectField(
        "Ou département",
        choices=[
            ("", "Choisissez"),
            *((department.code, f"{department.code} {department.name}") for department in DEPARTMENTS),
        ],
        default="",
    )
    service = SelectField(
        "Pour faire quoi ?",
        choices=[("", "Toutes les aides"), *((one.value, one.label) for one in Service)],
        default="",
    )


@blueprint.get("/lieux")
@public
def places() -> str:
    """List the open places of qualified structures near a postcode or in a département."""
    form = PlacesForm(request.args)
    is_asked = bool(form.code_postal.data or form.departement.data)
    rows: list[network.PlaceLine] = []
    if is_asked and form.validate():
        rows = network.places_near(
            services().database,
            postcode=form.code_postal.data or "",
            department_code="" if form.code_postal.data else form.departement.data,
            limit=PLACES_MAX,
        )
        if form.service.data:
            wanted = Service(form.service.data).label
            rows = [row for row in rows if wanted in row.services]
    return render_template("wallet/places.html", form=form, rows=rows, is_asked=is_asked and not form.errors)
