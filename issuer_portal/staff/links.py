"""One-time links: the page of a link, where its person chooses a password; and « Mot de passe oublié »."""

import time
from datetime import timedelta
from http import HTTPStatus

from flask import flash, make_response, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response
from wtforms import EmailField, PasswordField
from wtforms.validators import EqualTo, InputRequired

from issuer_portal.staff.accounts import AGAIN, blueprint
from voucher.access import links
from voucher.access.rules import LINK_LIVES, LinkPurpose
from voucher.access.strength import PASSWORD_LENGTH_MIN
from voucher.access.tries import Guess, TooManyTries, begin_try
from voucher.kernel.refusals import Refused
from voucher.web.access import keep_browser, public
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.headers import shows_code
from voucher.web.limits import too_early
from voucher.web.services import services
from voucher.web.visit import visit

FORGOTTEN_SECONDS = 0.2
"""After how long it is answered, many times what either answer takes: an account costs some milliseconds more than none."""


class ChosenForm(HouseForm):
    """One's password, chosen with a link."""

    asks_secrets = True
    wanted = PasswordField("Votre mot de passe", validators=[InputRequired()])
    again = PasswordField("Votre mot de passe, encore une fois", validators=[InputRequired(), EqualTo("wanted", AGAIN)])


class ForgottenForm(HouseForm):
    """The address of who lost a password."""

    email = EmailField("Votre adresse électronique", validators=[InputRequired()])


@blueprint.get("/lien/<token>")
@public
@shows_code
def link(token: str) -> str | Response:
    """Show where to choose a password. Nothing is used up: scanners of mail open links too."""
    return _link_page(token, ChosenForm(formdata=None))


@blueprint.post("/lien/<token>")
@public
@shows_code
def use_link(token: str) -> str | Response:
    """Choose the password: the link has served."""
    form, here = ChosenForm(), services()
    if form.validate_on_submit():
        try:
            links.use_link(
                here.database,
                token,
                form.wanted.data,
                now=here.now(),
                programme_name=here.settings.programme_name,
                visit=visit(),
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            session.clear()
            flash("Votre mot de passe est choisi. Connectez-vous.", "success")
            return keep_browser(make_response(redirect(url_for("staff.sign_in"))))
    return _link_page(token, form)


def _link_page(token: str, form: ChosenForm) -> str | Response:
    here = services()
    found = links.open_link(here.database, token, now=here.now())
    if found is None:
        try:
            begin_try(here.database, Guess.LINK, None, visit=visit(), now=here.now())
        except TooManyTries as refused:
            return too_early(refused, render_template("staff/link_ended.html", sentence=refused.sentence))
        return make_response(render_template("staff/link_ended.html", sentence=links.LINK_ENDED), HTTPStatus.GONE)
    return render_template(
        "staff/link.html",
        form=form,
        link=found,
        token=token,
        is_first=found.purpose is LinkPurpose.INVITATION,
        length_min=PASSWORD_LENGTH_MIN,
    )


@blueprint.route("/mot-de-passe-oublie", methods=["GET", "POST"])
@public
def forgotten() -> str | Response:
    """Send a link to the address typed, if it has an account: the same words after the same time whether it has one or not."""
    form, here = ForgottenForm(), services()
    if form.validate_on_submit():
        try:
            begin_try(here.database, Guess.FORGOTTEN, None, visit=visit(), now=here.now())
        except TooManyTries as refused:
            show_refusal(form, refused)
            return too_early(refused, render_template("staff/forgotten.html", form=form))
        answer_at = time.monotonic() + FORGOTTEN_SECONDS
        links.ask_forgotten(here.database, form.email.data, now=here.now())
        time.sleep(max(0.0, answer_at - time.monotonic()))
        return redirect(url_for("staff.forgotten", demande="1"))
    return render_template(
        "staff/forgotten.html",
        form=form,
        is_asked="demande" in request.args,
        hours=LINK_LIVES[LinkPurpose.RESET] // timedelta(hours=1),
        contact=here.settings.help_contact,
    )
