"""A note beside a bank line, and who is on it."""

from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField
from wtforms.validators import Length

from issuer_portal.finance.folder import blueprint, scope
from voucher.access.read import holders
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.settlement.reconciliation.line_notes import NOTE_LENGTH_MAX, NoteRow, write_note
from voucher.web.access import staff, viewer
from voucher.web.acts import leaves_line
from voucher.web.forms import HouseForm, SelectField
from voucher.web.services import services
from voucher.web.views import flash_refusal, id_of


class NoteForm(HouseForm):
    """What to know of the line, and who is on it; it carries the note's id, so that a double click writes one."""

    id = HiddenField()
    note = StringField("Ce qu’il faut savoir de cette ligne", validators=[Length(max=NOTE_LENGTH_MAX)])
    assignee = SelectField("Qui s’en occupe")


def note_form(last: NoteRow | None) -> Any:
    """Return the form, filled with what stands; people are those of finance whom this scope shows."""
    people = {
        person.id: person.name for role in (Role.FINANCE_PREPARER, Role.FINANCE_APPROVER) for person in _people(role)
    }
    form: Any = NoteForm(
        id=str(new_id()),
        note=last.note if last else "",
        assignee=str(last.assignee_id) if last and last.assignee_id in people else "",
    )
    form.assignee.choices = [("", "Personne"), *((str(one), name) for one, name in people.items())]
    return form


def _people(role: Role) -> list[Any]:
    mine = scope()
    return [
        holder
        for holder in holders(services().database, role, now=services().now())
        if mine is None or (role, mine) in holder.roles or holder.id == viewer().account_id
    ]


@blueprint.post("/banque/lignes/<uuid:line_id>/note")
@staff(Role.FINANCE_PREPARER, Role.FINANCE_APPROVER)
@leaves_line("écrire une note sur une ligne de banque")
def note_line(line_id: UUID) -> Response:
    """Write a note, and who is on the line."""
    here = services()
    form = note_form(None)
    if form.validate_on_submit():
        assignee = UUID(form.assignee.data) if form.assignee.data else None
        act: dict[str, Any] = {"by": viewer().account_id, "now": here.now(), "issuer_id": scope()}
        try:
            write_note(here.database, id_of(form), line_id, form.note.data or "", assignee, **act)
        except Refused as refused:
            if refused.code == "unknown_line":
                abort(404)
            flash_refusal(refused)
        else:
            flash("C’est noté.", "success")
    else:
        flash(f"Écrivez {NOTE_LENGTH_MAX} caractères au plus, et choisissez une personne de la liste.", "danger")
    return redirect(url_for("finance.line", line_id=line_id))
