"""Sign in, sign out, change one's own password."""

from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Blueprint, flash, make_response, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response
from wtforms import EmailField, PasswordField
from wtforms.validators import EqualTo, InputRequired

from voucher.access import accounts, sessions
from voucher.access.rules import ROLE_NAMES
from voucher.access.strength import PASSWORD_LENGTH_MIN
from voucher.kernel.refusals import Refused
from voucher.web.access import SESSION_COOKIE, keep_session, public, staff, viewer
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.limits import Limiter, client_address
from voucher.web.navigation import home_for
from voucher.web.services import services

blueprint = Blueprint("staff", __name__, url_prefix="/personnes", template_folder="templates")

AGAIN = "Ce n’est pas le même mot de passe. Écrivez-le de nouveau."

failed_sign_ins = Limiter("sign_ins", count_max=30, window=timedelta(minutes=10))
"""By address, whatever the accounts: who tries them one after the other, or locks them out, is slowed down."""


class SignInForm(HouseForm):
    """Address and password."""

    email = EmailField("Adresse électronique", validators=[InputRequired()])
    password = PasswordField("Mot de passe", validators=[InputRequired()])


class PasswordForm(HouseForm):
    """One's own new password."""

    current = PasswordField("Mot de passe actuel", validators=[InputRequired()])
    wanted = PasswordField("Nouveau mot de passe", validators=[InputRequired()])
    again = PasswordField(
        "Nouveau mot de passe, encore une fois",
        validators=[InputRequired(), EqualTo("wanted", AGAIN)],
    )


@blueprint.route("/connexion", methods=["GET", "POST"])
@public
def sign_in() -> str | Response:
    """Let a person in, and lead them to the page they asked for or to their own."""
    form = SignInForm()
    if form.validate_on_submit():
        database, now, address = services().database, services().now(), client_address()
        if not failed_sign_ins.allows(address, now):
            form.form_errors.append("Trop d’essais depuis votre réseau. Attendez dix minutes, puis recommencez.")
            return make_response(render_template("staff/sign_in.html", form=form), HTTPStatus.TOO_MANY_REQUESTS)
        try:
            token = sessions.sign_in(database, form.email.data, form.password.data, now=now)
        except Refused as refused:
            show_refusal(form, refused)
        else:
            failed_sign_ins.uncount(address, now)
            # A new person, a new form token: what was set before the sign-in is not kept.
            session.clear()
            found = sessions.viewer_of(database, token, now=now)
            there = _local_path(request.args.get("suite", "")) or (home_for(found) if found else url_for("staff.me"))
            return keep_session(make_response(redirect(there)), token)
    return render_template("staff/sign_in.html", form=form)


def _local_path(text: str) -> str | None:
    """Return a path of this site, never an address elsewhere."""
    is_local = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if is_local and not urlsplit(text).netloc else None


@blueprint.post("/deconnexion")
@staff()
def sign_out() -> Response:
    """End this session."""
    sessions.sign_out(services().database, viewer(), now=services().now())
    session.clear()
    response = make_response(redirect(url_for("staff.sign_in")))
    response.delete_cookie(SESSION_COOKIE)
    return response


@blueprint.route("/moi", methods=["GET", "POST"])
@staff()
def me() -> str | Response:
    """Show one's roles; change one's password."""
    form, here, who = PasswordForm(), services(), viewer()
    if form.validate_on_submit():
        try:
            token = accounts.change_password(
                here.database,
                who.account_id,
                form.current.data,
                form.wanted.data,
                now=here.now(),
                place_id=who.place_id,
                programme_name=here.settings.programme_name,
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash("Votre mot de passe est changé. Vos autres connexions sont fermées.", "success")
            return keep_session(make_response(redirect(url_for("staff.me"))), token)
    roles = [ROLE_NAMES[role] for role, _ in viewer().grants]
    return render_template("staff/me.html", form=form, who=viewer(), roles=roles, length_min=PASSWORD_LENGTH_MIN)
