"""End a funder's share before the others': its day, the shares of those who remain, and what follows, before it is done."""

from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import FieldList, Form, FormField, HiddenField
from wtforms.validators import InputRequired

from issuer_portal.programme.folder import SeenField, blueprint, is_seen
from voucher.access.rules import Role
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import BASIS_POINTS, format_euros
from voucher.kernel.refusals import Refused
from voucher.programme import read
from voucher.programme.end_share import end_share
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.filters import basis_points
from voucher.web.forms import DateField, HouseForm, PercentField, show_refusal
from voucher.web.services import services
from voucher.web.views import id_of


class PartForm(Form):  # type: ignore[misc]  # WTForms ships no types
    """The share of a funder that remains."""

    share = PercentField("Part", validators=[InputRequired()])


class EndShareForm(HouseForm):
    """From which day, and how the others share new orders."""

    id = HiddenField()
    seen = SeenField()
    ends_on = DateField("Dernières commandes avec ce financeur avant le", validators=[InputRequired()])
    shares = FieldList(FormField(PartForm), min_entries=0)


@blueprint.route("/conventions/<uuid:agreement_id>/financeurs/<uuid:funder_id>/arreter", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
@asks_again("arrêter la part d’un financeur")
def end_share_of(agreement_id: UUID, funder_id: UUID) -> str | Response:
    """Say what follows of a funder's stop; do it once the person has seen that."""
    here = services()
    page = read.agreement(here.database, agreement_id)
    present = [share for share in page.shares if not share.is_ended] if page else []
    leaving = next((share for share in present if share.funder_id == funder_id), None)
    if page is None or leaving is None or len(present) == 1:
        abort(404)
    others = [share for share in present if share.funder_id != funder_id]
    form = _form(others, leaving.share_basis_points)
    consequences: list[str] = []
    if form.validate_on_submit():
        said = _consequences(form, leaving, others)
        shares = {one.funder_id: line.form.share.data for one, line in zip(others, form.shares, strict=True)}
        try:
            if sum(shares.values()) != BASIS_POINTS:
                total = basis_points(sum(shares.values()))
                raise Refused("shares_not_whole", f"Les parts font {total} en tout. Corrigez-les pour arriver à 100 %.")
            consequences = said
            if is_seen(form, consequences):
                end_share(
                    here.database,
                    id_of(form),
                    agreement_id,
                    funder_id,
                    form.ends_on.data,
                    shares,
                    by=viewer().account_id,
                    now=here.now(),
                )
                flash(f"{leaving.funder_name} : sa part finit le {french_date(form.ends_on.data)}.", "success")
                return redirect(url_for("programme.agreement", agreement_id=agreement_id))
        except Refused as refused:
            consequences = []
            show_refusal(form, refused)
    return render_template(
        "programme/end_share.html", page=page, form=form, leaving=leaving, others=others, consequences=consequences
    )


def _form(others: list[read.ShareStages], leaving_basis_points: int) -> Any:
    """Return the form; the others' shares are first proposed in the proportion of what they were."""
    form: Any = EndShareForm(id=str(new_id()), ends_on=paris_day(services().now()))
    rest, given = BASIS_POINTS - leaving_basis_points, 0
    if not form.is_submitted():
        for one in others[:-1]:
            share = one.share_basis_points * BASIS_POINTS // rest
            given += share
            form.shares.append_entry({"share": share})
        form.shares.append_entry({"share": BASIS_POINTS - given})
    elif len(form.shares) != len(others):
        abort(400)
    for one, line in zip(others, form.shares, strict=True):
        line.form.share.label.text = f"Nouvelle part de {one.funder_name}"
    return form


def _consequences(form: Any, leaving: read.ShareStages, others: list[read.ShareStages]) -> list[str]:
    day = french_date(form.ends_on.data)
    out = leaving.issued_cents + leaving.handed_over_cents
    return [
        f"À partir du {day}, {leaving.funder_name} ne paie rien des nouvelles commandes.",
        *(
            f"{one.funder_name} en paiera {basis_points(line.form.share.data)}."
            for one, line in zip(others, form.shares, strict=True)
        ),
        f"{leaving.funder_name} paie toujours sa part des chèques déjà commandés : {format_euros(out)} peuvent encore servir.",
        f"Son crédit non commandé retourne à son enveloppe : {format_euros(leaving.available_cents)} aujourd’hui.",
        "Cette décision ne se reprend pas.",
    ]
