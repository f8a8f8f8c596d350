"""The door of an identity provider (ProConnect): there and back, linking an account with an invitation, and the way out (ADR 37).

The browser goes there by a link, never by a form: a browser holds a form to our own address, whatever the redirections.
"""

import secrets
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus

from flask import abort, flash, make_response, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from issuer_portal.sign_in.folder import blueprint, enter, local_path
from voucher.access.provider import journey
from voucher.access.provider.client import Provider, provider_of
from voucher.access.provider.discovery import ProviderDown
from voucher.kernel.refusals import Refused
from voucher.web.access import SESSION_COOKIE, change_token, person_of, public, staff, viewer
from voucher.web.headers import shows_code
from voucher.web.limits import Limiter, client_address
from voucher.web.services import services
from voucher.web.visit import visit

BROWSER_KEY = "provider_browser"
"""What the browser alone holds, in its signed cookie: a way to the provider that another browser began ends nowhere here."""

SIGN_OUT_KEY = "provider_sign_out"
OUR_PAGE = "same-origin"
"""What a browser says of a link that was followed on a page of ours (Fetch Metadata); old ones say nothing."""

SECRET_BYTES = 32

STATUS = {"provider_down": HTTPStatus.SERVICE_UNAVAILABLE, "too_many": HTTPStatus.TOO_MANY_REQUESTS}

ways_begun = Limiter("provider", count_max=30, window=timedelta(minutes=10))
"""By address: each way that is begun and not ended well counts."""


@blueprint.get("/proconnect")
@public
def by_provider() -> Response:
    """Go to the provider, to sign in."""
    return _go(wanted=local_path(request.args.get("suite", "")) or "")


@blueprint.get("/proconnect/lien/<token>")
@public
@shows_code
def link_provider(token: str) -> Response:
    """Go to the provider with a one-time link: the account there opens the link's account. Nothing is used up before the way back.

    Led here by somebody else's page or message, a person first sees whose account it is: theirs is not linked to another's unawares.
    """
    if request.headers.get("Sec-Fetch-Site", OUR_PAGE) != OUR_PAGE:
        return redirect(url_for("staff.link", token=token))
    return _go(link_token=token)


@blueprint.get("/proconnect/confirmer")
@staff(before_factor=True)
def confirm_by_provider() -> Response:
    """Go to the provider, to prove again who is there."""
    return _go(is_again=True)


@blueprint.get("/proconnect/retour")
@public
@shows_code
def from_provider() -> Response:
    """Come back from the provider: the address that is registered there."""
    here, provider = services(), _provider()
    who = person_of(request.cookies.get(SESSION_COOKIE, ""))
    answer = journey.Answer(
        state=request.args.get("state", ""),
        code=request.args.get("code", ""),
        issuer=request.args.get("iss"),
        error=request.args.get("error", ""),
        browser=session.get(BROWSER_KEY, ""),
        viewer=who,
    )
    try:
        arrival = journey.come_back(here.database, provider, answer, _rules(), now=here.now(), visit=visit())
    except Refused as refused:
        return _refused(refused, is_signed_in=who is not None)
    if arrival.url:
        return redirect(arrival.url)
    ways_begun.uncount(client_address(), here.now())
    if arrival.token:
        return enter(arrival.token, arrival.wanted)
    if who is not None:
        change_token(who)
    return make_response(render_template("sign_in/provider_confirmed.html"))


@blueprint.get("/proconnect/deconnexion")
@public
def left_provider() -> Response:
    """Come back from the provider's sign-out."""
    state = session.pop(SIGN_OUT_KEY, "")
    if state and secrets.compare_digest(state, request.args.get("state", "")):
        flash("Vous êtes déconnecté, chez ProConnect aussi.", "success")
    return redirect(url_for("staff.sign_in"))


def leave(hint: str) -> Response:
    """Show who has just signed out where to go: to the provider that had opened the session (`hint`), so that it ends its own too."""
    provider = provider_of(services().settings)
    session.clear()
    there = ""
    if hint and provider is not None:
        session[SIGN_OUT_KEY] = secrets.token_urlsafe(SECRET_BYTES)
        with suppress(ProviderDown):  # signed out here; nobody waits for it
            there = provider.way_out(hint, session[SIGN_OUT_KEY], _own(url_for("sign_in.left_provider")))
    if not there:
        return redirect(url_for("staff.sign_in"))
    response = make_response(render_template("sign_in/leave_provider.html", there=there))
    response.headers["Refresh"] = f"0; url={there}"
    return response


def _go(*, wanted: str = "", link_token: str = "", is_again: bool = False) -> Response:
    here, provider = services(), _provider()
    browser = session.setdefault(BROWSER_KEY, secrets.token_urlsafe(SECRET_BYTES))
    try:
        if not ways_begun.allows(client_address(), here.now()):
            raise Refused("too_many", "Trop d’essais depuis votre réseau. Attendez dix minutes, puis recommencez.")
        going = journey.Journey(
            redirect_uri=_own(url_for("sign_in.from_provider")),
            browser=browser,
            wanted=wanted,
            link_token=link_token,
            viewer=viewer() if is_again else None,
        )
        return redirect(journey.begin(here.database, provider, going, _rules(), now=here.now()))
    except Refused as refused:
        return _refused(refused, is_signed_in=is_again)


def _refused(refused: Refused, *, is_signed_in: bool) -> Response:
    page = render_template("sign_in/provider_refused.html", sentence=refused.sentence, is_signed_in=is_signed_in)
    return make_response(page, STATUS.get(refused.code, HTTPStatus.FORBIDDEN))


def _provider() -> Provider:
    return provider_of(services().settings) or abort(HTTPStatus.NOT_FOUND)


def _rules() -> journey.Rules:
    settings = services().settings
    return journey.Rules(levels=tuple(settings.provider_levels.split()), takes_max_age=settings.provider_max_age)


def _own(path: str) -> str:
    """Return the public address of a page: the one that is registered at the provider, whatever the request says."""
    return services().settings.base_url.removesuffix("/") + path
