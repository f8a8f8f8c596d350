"""Payments that a preparer blocks, with the reason, and lifts."""

from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length, Optional

from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.access.read import names_of
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.settlement.deadlines.finance_calendar import calendar
from voucher.settlement.payable.hold_by_hand import (
    HOLDS_MAX,
    REASON_CHARACTERS_MAX,
    HoldRow,
    NewHold,
    lift_hold,
    payment_holds,
    place_hold,
)
from voucher.web.access import staff, viewer
from voucher.web.acts import note_act
from voucher.web.asks_again import asks_again
from voucher.web.forms import HouseForm, SelectField, show_refusal
from voucher.web.services import services
from voucher.web.views import id_of


class HoldForm(HouseForm):
    """Whom not to pay for now, and why."""

    id = HiddenField()
    pivot = StringField("SIRET ou RNA de la structure", validators=[InputRequired(), Length(max=20)])
    agreement_id = SelectField("Convention", validators=[Optional()])
    reason = StringField("Raison", validators=[InputRequired(), Length(max=REASON_CHARACTERS_MAX)])


class LiftForm(HouseForm):
    """Why a structure may be paid again."""

    reason = StringField("Raison", validators=[InputRequired(), Length(max=REASON_CHARACTERS_MAX)])


@blueprint.get("/blocages")
@staff(*READERS, deputies=True)
def all_holds() -> str:
    """List the payments that are blocked, and those that were."""
    database, issuer_id = services().database, scope()
    live = payment_holds(database, is_live=True, issuer_id=issuer_id)
    lifted = payment_holds(database, is_live=False, issuer_id=issuer_id)
    people = {one for row in (*live, *lifted) for one in (row.placed_by, row.lifted_by) if one is not None}
    return render_template(
        "finance/holds.html", live=live, lifted=lifted, holds_max=HOLDS_MAX, names=names_of(database, people)
    )


@blueprint.route("/blocages/nouveau", methods=["GET", "POST"])
@staff(Role.FINANCE_PREPARER)
@asks_again("bloquer des paiements")
def new_hold() -> str | Response:
    """Block a structure's payments."""
    here = services()
    form: Any = HoldForm(id=str(new_id()), pivot=request.args.get("structure", ""))
    everywhere = [("", "Toutes les conventions")] if scope() is None else [("", "Choisissez")]
    agreements = calendar(here.database, here.now(), issuer_id=scope())
    form.agreement_id.choices = [
        *everywhere,
        *((str(row.agreement_id), f"{row.number} — {row.name}") for row in agreements),
    ]
    if form.validate_on_submit():
        agreement_id = UUID(form.agreement_id.data) if form.agreement_id.data else None
        hold = NewHold(id_of(form), form.pivot.data, agreement_id, form.reason.data)
        try:
            place_hold(here.database, hold, by=viewer().account_id, now=here.now(), issuer_id=scope())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            note_act(f"structure {form.pivot.data}")
            flash("Les paiements de cette structure sont bloqués. Ce qui lui est dû reste dû.", "success")
            return redirect(url_for("finance.all_holds"))
    return render_template("finance/new_hold.html", form=form)


@blueprint.route("/blocages/<uuid:hold_id>/lever", methods=["GET", "POST"])
@staff(Role.FINANCE_PREPARER)
@asks_again("lever un blocage")
def lift(hold_id: UUID) -> str | Response:
    """Let a structure be paid again."""
    here, row = services(), _hold(hold_id)
    form: Any = LiftForm()
    if form.validate_on_submit():
        try:
            lift_hold(
                here.database, hold_id, form.reason.data, by=viewer().account_id, now=here.now(), issuer_id=scope()
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            note_act(f"structure {row.pivot}")
            flash(f"Le blocage de {row.structure_name} est levé. Il ne retient plus ses règlements.", "success")
            return redirect(url_for("finance.all_holds"))
    return render_template("finance/lift_hold.html", form=form, row=row)


def _hold(hold_id: UUID) -> HoldRow:
    database, issuer_id = services().database, scope()
    known = [
        hold for is_live in (True, False) for hold in payment_holds(database, is_live=is_live, issuer_id=issuer_id)
    ]
    found = next((one for one in known if one.id == hold_id), None)
    if found is None:
        abort(404)
    return found
