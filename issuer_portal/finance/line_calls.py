"""Share a credit out between calls for funds: the part of each, what is left of the line, and the match once that was seen."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import FieldList, Form, FormField, HiddenField
from wtforms.validators import Optional

from issuer_portal.finance.folder import blueprint, scope
from issuer_portal.programme.folder import SeenField, is_seen
from voucher.access.rules import Role
from voucher.kernel.calendar import french_date
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.settlement.reconciliation import read as read_bank
from voucher.settlement.reconciliation.split_over_calls import (
    CallPart,
    OpenCall,
    match_with_calls,
    open_calls,
    proposed_parts,
    refuse_wrong_parts,
)
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.filters import plural
from voucher.web.forms import EurosField, HouseForm
from voucher.web.services import services


class PartForm(Form):  # type: ignore[misc]  # WTForms ships no types
    """What the line pays of one call; empty, nothing. It carries the id of the match that it would make."""

    id = HiddenField()
    call = HiddenField()
    part_cents = EurosField("Part", validators=[Optional()])


class SplitForm(HouseForm):
    """The parts of all calls; `seen` says which consequences the person has read."""

    seen = SeenField()
    parts = FieldList(FormField(PartForm), min_entries=0)


@blueprint.route("/banque/lignes/<uuid:line_id>/appels", methods=["GET", "POST"])
@staff(Role.FINANCE_PREPARER)
@asks_again("rapprocher une ligne de banque")
def split_line(line_id: UUID) -> str | Response:
    """Let a line pay calls, each the part that the person writes; show what would be left before it is done."""
    here = services()
    found = read_bank.line(here.database, line_id, issuer_id=scope())
    if found is None:
        abort(404)
    line, _ = found
    calls = open_calls(here.database, line_id, issuer_id=scope())
    form = _form(line.left_cents, calls)
    consequences: list[str] = []
    if not form.is_submitted() and _parts(form):
        consequences = _consequences(line.left_cents, form, calls)
        is_seen(form, consequences)
    elif form.validate_on_submit():
        try:
            refuse_wrong_parts(line.left_cents, calls, parts := _parts(form))
            consequences = _consequences(line.left_cents, form, calls)
            if is_seen(form, consequences):
                act: dict[str, Any] = {"by": viewer().account_id, "now": here.now(), "issuer_id": scope()}
                taken_cents = match_with_calls(here.database, line_id, parts, **act)
                flash(
                    f"{format_euros(taken_cents)} de la ligne paient maintenant {plural(len(parts), 'appel')}.",
                    "success",
                )
                return redirect(url_for("finance.line", line_id=line_id))
        except Refused as refused:
            consequences = []
            _show_refusal(form, refused)
    return render_template(
        "finance/split_line.html", line=line, form=form, consequences=consequences, act=_act_label(_parts(form))
    )


def _form(left_cents: int, calls: Sequence[OpenCall]) -> Any:
    """Return the form with a row a call; the parts are first those that the line tells."""
    form: Any = SplitForm()
    by_id = {str(one.id): one for one in calls}
    if not form.is_submitted():
        proposed = proposed_parts(left_cents, calls)
        for one in calls:
            form.parts.append_entry({"id": str(new_id()), "call": str(one.id), "part_cents": proposed.get(one.id)})
    for row in form.parts:
        call = by_id.get(row.form.call.data)
        row.form.part_cents.label.text = (
            "Un appel qui n’attend plus rien"
            if call is None
            else f"{call.funder_name}, appel {call.reference}, {format_euros(call.due_cents)} à recevoir"
        )
        row.form.part_cents.description = "" if call is None else _about(call)
    return form


def _about(call: OpenCall) -> str:
    named = " Le libellé de la ligne porte sa référence." if call.is_named else ""
    return f"Convention {call.agreement_number}, à recevoir avant le {french_date(call.due_on)}.{named}"


def _parts(form: Any) -> list[CallPart]:
    """Return the parts that were written. Stops with 400 on an id that no page of ours gave."""
    try:
        return [
            CallPart(UUID(row.form.id.data), UUID(row.form.call.data), row.form.part_cents.data)
            for row in form.parts
            if row.form.part_cents.data is not None
        ]
    except (TypeError, ValueError):
        abort(400)


def _consequences(left_cents: int, form: Any, calls: Sequence[OpenCall]) -> list[str]:
    """Say what parts that can be matched would do."""
    by_id, parts = {call.id: call for call in calls}, _parts(form)
    rest_cents = left_cents - sum(part.amount_cents for part in parts)
    rest = (
        f"Il restera {format_euros(rest_cents)} de la ligne à identifier."
        if rest_cents
        else "Il ne restera rien de la ligne."
    )
    return [*(_of_call(by_id[part.call_id], part) for part in parts), rest]


def _of_call(call: OpenCall, part: CallPart) -> str:
    rest_cents = call.due_cents - part.amount_cents
    after = f"il restera {format_euros(rest_cents)} à recevoir" if rest_cents else "il sera reçu en entier"
    return f"Appel {call.reference} : {format_euros(part.amount_cents)} de cette ligne, {after}."


def _show_refusal(form: Any, refused: Refused) -> None:
    """Put a refusal at the part of the call that it names, or on top."""
    for row in form.parts:
        if refused.field and row.form.call.data == refused.field:
            row.form.part_cents.errors = [*row.form.part_cents.errors, refused.sentence]
            return
    form.form_errors.append(refused.sentence)


def _act_label(parts: Sequence[CallPart]) -> str:
    return f"Rapprocher {plural(len(parts), 'appel')} : {format_euros(sum(part.amount_cents for part in parts))}"
