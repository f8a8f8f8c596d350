"""RIBs that wait for another person than who recorded them: seen and confirmed by the programme and by finance."""

from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.access.audit import note_access
from voucher.access.read import names_of
from voucher.access.read_changes import had_hand_in
from voucher.access.rules import Role
from voucher.kernel.refusals import Refused
from voucher.network.confirm_rib import confirm_bank_details, dismiss_bank_details
from voucher.settlement.payable.ribs_to_confirm import ROWS_MAX, RibToConfirm, rib_to_confirm, ribs_to_confirm
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.services import services
from voucher.web.views import flash_refusal

RIB_READERS = (*READERS, Role.PROGRAMME)
CONFIRMERS = (Role.PROGRAMME, Role.FINANCE_PREPARER, Role.FINANCE_APPROVER)


@blueprint.get("/ribs-a-confirmer")
@staff(*RIB_READERS, deputies=True)
def waiting_ribs() -> str:
    """List the RIBs that wait, the oldest first."""
    here = services()
    rows = ribs_to_confirm(here.database, issuer_id=scope(Role.PROGRAMME))
    if rows:
        note_access(here.database, viewer().account_id, "Lecture de RIB à confirmer", str(len(rows)), here.now())
    return render_template(
        "finance/ribs.html",
        rows=rows,
        rows_max=ROWS_MAX,
        names=names_of(here.database, {row.recorded_by for row in rows}),
        may_confirm=viewer().may(*CONFIRMERS),
        me=viewer().account_id,
    )


@blueprint.route("/ribs-a-confirmer/<uuid:details_id>", methods=["GET", "POST"])
@staff(*CONFIRMERS)
@asks_again("confirmer un RIB")
def confirm_rib(details_id: UUID) -> str | Response:
    """Show what a RIB changes, and confirm it."""
    here, row = services(), _row(details_id)
    form: Any = HouseForm()
    if row is not None and form.validate_on_submit():
        try:
            _refuse_own_hand(row)
            confirm_bank_details(here.database, details_id, by=viewer().account_id, now=here.now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(
                f"Le RIB de {row.structure_name} est confirmé. Ses prochains règlements iront sur ce compte.", "success"
            )
            return redirect(url_for("finance.waiting_ribs"))
    return _page(row, form)


@blueprint.route("/ribs-a-confirmer/<uuid:details_id>/ecarter", methods=["GET", "POST"])
@staff(*CONFIRMERS)
@asks_again("écarter un RIB")
def dismiss_rib(details_id: UUID) -> Response:
    """Say that a RIB is not the structure's: it is never used."""
    here, row = services(), _row(details_id)
    if row is None or request.method == "GET":  # who gave up before the act comes back to the RIB
        return redirect(url_for("finance.confirm_rib", details_id=details_id))
    try:
        dismiss_bank_details(here.database, details_id, by=viewer().account_id, now=here.now())
    except Refused as refused:
        flash_refusal(refused)
        return redirect(url_for("finance.confirm_rib", details_id=details_id))
    flash(f"Le RIB de {row.structure_name} est écarté. Demandez-lui le bon.", "success")
    return redirect(url_for("finance.waiting_ribs"))


def _refuse_own_hand(row: RibToConfirm) -> None:
    # A place manager's role is given by one person: whoever opened that account may be the one who recorded the RIB with it.
    if had_hand_in(services().database, row.recorded_by, viewer().account_id):
        raise Refused(
            "four_eyes",
            "Vous avez invité la personne qui a enregistré ce RIB, ou changé son accès. Une autre personne, du programme ou des"
            " finances, doit le confirmer.",
        )


def _row(details_id: UUID) -> RibToConfirm | None:
    return rib_to_confirm(services().database, details_id, issuer_id=scope(Role.PROGRAMME))


def _page(row: RibToConfirm | None, form: Any) -> str | Response:
    here = services()
    row = row and _row(row.id)
    if row is None:
        flash("Ce RIB n’attend plus : une autre personne s’en est occupée, ou il est remplacé.", "warn")
        return redirect(url_for("finance.waiting_ribs"))
    note_access(here.database, viewer().account_id, "Lecture d’un RIB", f"structure {row.structure_id}", here.now())
    return render_template(
        "finance/confirm_rib.html",
        row=row,
        form=form,
        recorder=names_of(here.database, {row.recorded_by}).get(row.recorded_by, ""),
        is_recorder=row.recorded_by == viewer().account_id,
        may_approve=viewer().may(Role.FINANCE_APPROVER),
    )
