"""The RIB of one's own structure: seen by its end, changed by its manager alone."""

from typing import Any

from flask import abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length, Optional

from merchant_portal.place.folder import blueprint, id_of, own_structure
from voucher.access.audit import note_access
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.network import read_structures
from voucher.network.structures import NewBankDetails, record_bank_details
from voucher.web.access import staff, viewer
from voucher.web.forms import BicField, HouseForm, IbanField, show_refusal
from voucher.web.house import house


class RibForm(HouseForm):
    """A RIB, its IBAN typed twice."""

    id = HiddenField()
    holder_name = StringField("Titulaire, comme sur le RIB", validators=[InputRequired(), Length(max=70)])
    iban = IbanField("IBAN", validators=[InputRequired()])
    iban_again = IbanField("IBAN, encore une fois", validators=[InputRequired()])
    bic = BicField("BIC", validators=[Optional()])


@blueprint.route("/rib", methods=["GET", "POST"])
@staff(Role.PLACE_MANAGER)
def rib() -> str | Response:
    """Show the RIBs of the structure by their end; record a new one."""
    database, structure_id, account_id = house().database, own_structure(), viewer().account_id
    form: Any = RibForm(id=str(new_id()))
    if form.validate_on_submit():
        details = NewBankDetails(
            id_of(form),
            structure_id,
            form.holder_name.data,
            form.iban.data,
            form.iban_again.data,
            form.bic.data or None,
        )
        try:
            record_bank_details(database, details, by=account_id, now=house().now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            note_access(database, account_id, "RIB changé", f"structure {structure_id}", house().now())
            flash(
                f"Le RIB qui finit par {details.iban[-4:]} est enregistré. Il sert aux prochains règlements.", "success"
            )
            return redirect(url_for("place.rib"))
    page = read_structures.structure(database, structure_id)
    if page is None:
        abort(404)
    if page.bank_details:
        note_access(database, account_id, "Lecture d’un RIB", f"structure {structure_id}", house().now())
    return render_template("place/rib.html", form=form, page=page)
