"""ProConnect on one's own account: since when it opens it, and no more."""

from flask import abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from issuer_portal.own_account.folder import blueprint
from voucher.access.provider.client import provider_of
from voucher.access.provider.identities import linked, unlink_own
from voucher.kernel.refusals import Refused
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.services import services
from voucher.web.views import flash_refusal


@blueprint.get("/proconnect")
@staff()
def provider() -> str:
    """Say whether ProConnect opens this account, and how to make it."""
    here = services()
    if provider_of(here.settings) is None:
        abort(404)
    return render_template("own_account/provider.html", linked=linked(here.database, viewer().account_id))


@blueprint.post("/proconnect/retirer")
@staff()
@asks_again("ne plus entrer par ProConnect")
def unlink_provider() -> Response:
    """Let ProConnect open this account no more."""
    here = services()
    try:
        was_linked = unlink_own(here.database, viewer(), now=here.now())
    except Refused as refused:
        flash_refusal(refused)
    else:
        flash(
            "ProConnect n’ouvre plus votre compte." if was_linked else "ProConnect n’ouvrait pas votre compte.",
            "success",
        )
    return redirect(url_for("own_account.provider"))
