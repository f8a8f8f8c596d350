"""What waits for a second person of the programme: who asked what, for whom; confirm it or refuse it."""

from uuid import UUID

from flask import abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from issuer_portal.staff.accounts import blueprint
from issuer_portal.staff.scopes import scope_names
from voucher.access import changes
from voucher.access.read_changes import Change, change, waiting_changes
from voucher.access.rules import Role
from voucher.kernel.refusals import Refused
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.services import services
from voucher.web.views import flash_refusal


@blueprint.get("/a-confirmer")
@staff(Role.PROGRAMME)
def waiting() -> str:
    """List what waits for a second person."""
    database = services().database
    return render_template(
        "staff/waiting.html", rows=waiting_changes(database), scopes=scope_names(database), own=viewer().account_id
    )


@blueprint.route("/a-confirmer/<uuid:change_id>", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
@asks_again("confirmer une demande")
def confirm(change_id: UUID) -> str | Response:
    """Show what was asked and by whom; confirm it."""
    here, form = services(), HouseForm()
    found = change(here.database, change_id)
    if found is None:
        abort(404)
    if form.validate_on_submit():
        try:
            changes.confirm_change(here.database, change_id, by=viewer().account_id, now=here.now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            done = f"La deuxième preuve de {found.name} est remise à zéro." if found.is_reset else None
            flash(done or f"{found.name} a maintenant {found.what}.", "success")
            return redirect(url_for("staff.person", account_id=found.account_id))
    return render_template(
        "staff/confirm.html",
        row=found,
        form=form,
        scopes=scope_names(here.database),
        is_own=found.asked_by == viewer().account_id,
        before=_before(found),
    )


@blueprint.post("/a-confirmer/<uuid:change_id>/refuser")
@staff(Role.PROGRAMME)
@asks_again("refuser une demande")
def refuse(change_id: UUID) -> Response:
    """Refuse what was asked, or take it back."""
    here = services()
    try:
        changes.refuse_change(here.database, change_id, by=viewer().account_id, now=here.now())
    except Refused as refused:
        flash_refusal(refused)
    else:
        flash("La demande est refusée. Rien n’a changé.", "success")
    return redirect(url_for("staff.waiting"))


def _before(found: Change) -> list[str]:
    """Return what a second person checks and knows before they confirm."""
    told = f"Un courriel en avertit {found.name}."
    if found.is_reset:
        return [
            f"Vérifiez de vive voix que {found.name} l’a demandé. Appelez un numéro que vous connaissez, pas celui d’un message.",
            "Son téléphone, ses clés d’accès, ses codes de secours et ProConnect n’ouvrent plus rien. Ses connexions se ferment.",
            "Son mot de passe suffit alors pour entrer et ajouter un autre téléphone.",
            told,
        ]
    address = found.new_email or found.known_email
    before = [
        f"Vérifiez de vive voix que {address} est bien l’adresse de {found.name}.",
        "Qui lit ses messages ouvre le compte.",
        told,
    ]
    if found.new_email and found.asked_by == found.account_id:
        before.append(
            "Si cette personne n’a jamais eu de rôle qui se donne à deux, un lien lui fait choisir un autre mot de passe."
        )
    return before
