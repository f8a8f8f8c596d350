"""Acts before which a person proves again who they are: money that moves, accounts, RIBs, disputes, closed years (ADR 38).

    @blueprint.post("/lots/<uuid:batch_id>/transmettre")
    @staff(Role.FINANCE_PREPARER)
    @asks_again("transmettre un lot")
    def export(batch_id: UUID) -> Response: ...

A proof is good for five minutes, that of the sign-in too. After that the POST is answered by « Qui est là ? », whose form carries what was
posted: with the proof it comes back, and the act goes on in the same POST. No page can carry a file: a page that takes files asks when it
is opened. The view knows nothing of this, and is not called before.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, redirect, render_template, request
from werkzeug.wrappers import Response
from wtforms import HiddenField, PasswordField

from voucher.access.confirm import confirm_password
from voucher.access.factors import passkey_proof
from voucher.access.factors.passkeys import own_passkeys
from voucher.access.provider.identities import linked
from voucher.access.read import person
from voucher.access.rules import is_fresh
from voucher.access.tries import TooManyTries
from voucher.kernel.refusals import Refused
from voucher.web.access import change_token, viewer
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.limits import too_early
from voucher.web.passkey_steps import passkey_answer
from voucher.web.services import services

View = TypeVar("View", bound=Callable[..., Any])

PREFIX = "who-"
"""What the names of the page's own fields begin with: they are nobody else's, and are not carried."""


class WhoForm(HouseForm):
    """A proof of who is there."""

    asks_secrets = True
    password = PasswordField("Votre mot de passe")
    # Of a page that was to be opened: once the proof is good it is asked for again, and nothing is done.
    opens = HiddenField()


def asks_again(act: str) -> Callable[[View], View]:
    """Say that a view's POST takes a fresh proof of who is there. `act` ends « prouvez que c’est bien vous, pour… »."""

    def mark(view: View) -> View:
        view.__dict__["asks_again"] = act
        return view

    return mark


def act_of(app: Flask, endpoint: str) -> str | None:
    """Return the act of an endpoint that asks who is there again, or None."""
    found = app.view_functions[endpoint].__dict__.get("asks_again")
    return found if isinstance(found, str) else None


def install(app: Flask) -> None:
    """Ask before the acts of `app` that say so. Call it once the form's token is checked."""
    app.before_request(_ask)


def _ask() -> Response | str | None:
    act = act_of(current_app, request.endpoint) if request.endpoint else None
    is_post = request.method == "POST"
    if act is None or not (is_post or _takes_files()):
        return None
    here, who = services(), viewer()
    form: Any = WhoForm(prefix=PREFIX)
    if not is_fresh(who.confirmed_at, here.now()):
        if not (is_post and any(name.startswith(PREFIX) for name in request.form)):
            return ask_page(form, act)
        try:
            _prove(form, act)
            change_token(who)
        except Refused as refused:
            show_refusal(form, refused)
            page = ask_page(form, act)
            return too_early(refused, page) if isinstance(refused, TooManyTries) else page
    return redirect(request.full_path.rstrip("?")) if is_post and form.opens.data else None


def ask_page(form: Any, act: str) -> str:
    """Write the page that asks who is there, carrying what was posted; `form` may hold why a proof is refused."""
    here = services()
    found = person(here.database, viewer().account_id, now=here.now())
    form.opens.data = form.opens.data or ("" if request.method == "POST" else "1")
    # Not to a page that asks in its turn.
    may_go_back = not _takes_files() and request.url_rule is not None and "GET" in (request.url_rule.methods or ())
    return render_template(
        "asks_again.html",
        form=form,
        act=act,
        has_password=found is not None and found.has_password,
        has_passkey=own_passkeys(here.database, viewer().account_id) != [],
        by_provider=current_app.config["HAS_PROVIDER"]
        and linked(here.database, viewer().account_id).linked_at is not None,
        prefix=PREFIX,
        action=request.full_path.rstrip("?"),
        carried=[(name, text) for name, text in request.form.items(multi=True) if _is_carried(name)],
        loses_files=any(file.filename for file in request.files.values()),
        back_url=request.path if may_go_back else None,
    )


def _prove(form: Any, act: str) -> None:
    """Raise Refused unless what was sent proves who is there."""
    here, who = services(), viewer()
    step, answer = passkey_answer(PREFIX)
    if answer:
        passkey_proof.confirm(here.database, here.settings.relying_party, who, step, answer, act, now=here.now())
    elif not form.password.data and not linked(here.database, who.account_id).has_password:
        # The provider proves it in another tab; where it has, the session is fresh and nobody comes here.
        raise Refused(
            "not_proved", "Rien n’a changé : personne n’a encore prouvé qui vous êtes. Faites-le, puis continuez."
        )
    else:
        confirm_password(here.database, who, form.password.data or "", act, now=here.now())


def _is_carried(name: str) -> bool:
    return not name.startswith(PREFIX) and not name.endswith("csrf_token")


def _takes_files() -> bool:
    return bool(current_app.view_functions[request.endpoint or ""].__dict__.get("takes_files"))
