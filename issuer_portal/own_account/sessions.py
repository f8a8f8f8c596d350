"""« Mes connexions »: where one is signed in; each ended alone, or all the others."""

from datetime import timedelta
from uuid import UUID

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from issuer_portal.own_account.folder import blueprint
from voucher.access import open_sessions as own
from voucher.access.rules import idle_limit
from voucher.kernel.refusals import Refused
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.filters import plural
from voucher.web.services import services
from voucher.web.views import flash_refusal


@blueprint.get("/connexions")
@staff()
def sessions() -> str:
    """Show where one is signed in."""
    here, who = services(), viewer()
    minutes = idle_limit((role for role, _ in who.grants), here.settings.idle_limits) // timedelta(minutes=1)
    return render_template(
        "own_account/sessions.html",
        rows=own.open_sessions(
            here.database, who.account_id, idle=here.settings.idle_limits, now=here.now(), this=who.token_sha256
        ),
        idle=plural(minutes // 60, "heure") if minutes % 60 == 0 else plural(minutes, "minute"),
    )


@blueprint.post("/connexions/<uuid:session_id>/fermer")
@staff()
@asks_again("fermer une connexion")
def end_session(session_id: UUID) -> Response:
    """End one session elsewhere."""
    try:
        own.end_session(services().database, viewer(), session_id, now=services().now())
    except Refused as refused:
        flash_refusal(refused)
    else:
        flash("Cette connexion est fermée. Si ce n’était pas vous, changez votre mot de passe.", "success")
    return redirect(url_for("own_account.sessions"))


@blueprint.post("/connexions/fermer-les-autres")
@staff()
@asks_again("fermer vos autres connexions")
def end_other_sessions() -> Response:
    """End every session but this one."""
    own.end_other_sessions(services().database, viewer(), now=services().now())
    flash("Vos autres connexions sont fermées. Vous restez connecté ici.", "success")
    return redirect(url_for("own_account.sessions"))
