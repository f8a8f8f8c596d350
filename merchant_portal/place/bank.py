"""The RIB of one's own structure: seen by its end, changed by its manager alone."""

from typing import Any

from flask import abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from merchant_portal.place.folder import blueprint, own_structure
from voucher.access.audit import note_access
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.network import read_structures
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.forms import show_refusal
from voucher.web.rib_form import RibForm, record_rib
from voucher.web.services import services
from voucher.web.views import id_of


@blueprint.route("/rib", methods=["GET", "POST"])
@staff(Role.PLACE_MANAGER)
@asks_again("changer de RIB")
def rib() -> str | Response:
    """Show the RIBs of the structure by their end; record a new one."""
    database, structure_id, account_id = services().database, own_structure(), viewer().account_id
    form: Any = RibForm(id=str(new_id()))
    if form.validate_on_submit():
        try:
            said = record_rib(form, id_of(form), structure_id)
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(said, "success")
            return redirect(url_for("place.rib"))
    page = read_structures.structure(database, structure_id)
    if page is None:
        abort(404)
    if page.bank_details:
        note_access(database, account_id, "Lecture d’un RIB", f"structure {structure_id}", services().now())
    return render_template("place/rib.html", form=form, page=page)
