"""Pay again at once what failed, for chosen structures: a batch apart, while the open period stays open."""

from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField

from issuer_portal.finance.folder import blueprint, scope
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.settlement.batches.freeze_urgent import freeze_urgent_batch, urgent_preview
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.filters import plural
from voucher.web.forms import CheckboxesField, HouseForm, show_refusal
from voucher.web.patience import takes_long
from voucher.web.services import services
from voucher.web.views import id_of


class UrgentForm(HouseForm):
    """Which structures are paid again now; it carries the batch's id, so that a double click makes one batch."""

    id = HiddenField()
    structures = CheckboxesField("Structures à payer sans attendre")


@blueprint.route("/conventions/<uuid:agreement_id>/urgence", methods=["GET", "POST"])
@staff(Role.FINANCE_PREPARER)
@asks_again("arrêter un lot d’urgence")
@takes_long
def urgent(agreement_id: UUID) -> str | Response:
    """Show what failed and may be paid again; freeze it for the structures chosen."""
    here = services()
    preview = urgent_preview(here.database, agreement_id, now=here.now(), issuer_id=scope())
    if preview is None:
        abort(404)
    ready = [line for line in preview.lines if not line.why_not]
    form: Any = UrgentForm(id=str(new_id()))
    form.structures.choices = [
        (str(line.structure_id), f"{line.name}, {format_euros(line.amount_cents)}. {line.why_failed}") for line in ready
    ]
    if request.method == "GET":
        asked = request.args.get("structure", "")
        form.structures.data = [asked] if asked in {str(line.structure_id) for line in ready} else []
    if form.validate_on_submit():
        try:
            frozen = freeze_urgent_batch(
                here.database,
                id_of(form),
                agreement_id,
                [UUID(one) for one in form.structures.data],
                by=viewer().account_id,
                now=here.now(),
                issuer_id=scope(),
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(
                f"Le lot urgent {frozen.number} est arrêté : {plural(frozen.advice_count, 'structure')}, "
                f"{format_euros(frozen.total_cents)}. Une autre personne doit maintenant le valider.",
                "success",
            )
            return redirect(url_for("finance.batch", batch_id=frozen.batch_id))
    waiting = [line for line in preview.lines if line.why_not]
    return render_template("finance/urgent.html", form=form, preview=preview, ready=ready, waiting=waiting)
