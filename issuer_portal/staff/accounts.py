"""Sign in, sign out, change one's own password."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import EmailField, PasswordField
from wtforms.validators import EqualTo, InputRequired

from issuer_portal.sign_in.folder import enter
from issuer_portal.sign_in.provider import leave
from issuer_portal.staff.scopes import scope_names, scope_word
from voucher.access import accounts, sessions
from voucher.access.own import did_lately
from voucher.access.provider.identities import linked
from voucher.access.read_changes import waiting_address
from voucher.access.read_roles import roles_of
from voucher.access.rules import ROLE_NAMES
from voucher.access.strength import PASSWORD_LENGTH_MIN
from voucher.access.tries import TooManyTries
from voucher.kernel.refusals import Refused
from voucher.web.access import SESSION_COOKIE, keep_session, public, staff, viewer
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.headers import passkey_page
from voucher.web.limits import too_early
from voucher.web.services import services
from voucher.web.visit import visit

blueprint = Blueprint("staff", __name__, url_prefix="/personnes", template_folder="templates")

AGAIN = "Ce n’est pas le même mot de passe. Écrivez-le de nouveau."
WITHOUT_WAITING = "Pour ne pas attendre, choisissez un autre mot de passe avec « Mot de passe oublié »."


LATELY_MAX = 20


@dataclass(frozen=True, slots=True)
class OwnRole:
    """A role of one's own, in words."""

    name: str
    scope: str
    granted_at: datetime
    until_on: date | None


class SignInForm(HouseForm):
    """Address and password."""

    asks_secrets = True
    email = EmailField("Adresse électronique", validators=[InputRequired()])
    password = PasswordField("Mot de passe", validators=[InputRequired()])


class PasswordForm(HouseForm):
    """One's own new password."""

    asks_secrets = True
    current = PasswordField("Mot de passe actuel", validators=[InputRequired()])
    wanted = PasswordField("Nouveau mot de passe", validators=[InputRequired()])
    again = PasswordField(
        "Nouveau mot de passe, encore une fois",
        validators=[InputRequired(), EqualTo("wanted", AGAIN)],
    )


@blueprint.route("/connexion", methods=["GET", "POST"])
@public
@passkey_page
def sign_in() -> str | Response:
    """Let a person in, and lead them to the page they asked for or to their own."""
    form = SignInForm()
    if form.validate_on_submit():
        here = services()
        try:
            token = sessions.sign_in(here.database, form.email.data, form.password.data, now=here.now(), visit=visit())
        except TooManyTries as refused:
            is_long = refused.seconds > timedelta(minutes=1).total_seconds()
            form.form_errors.append(f"{refused.sentence} {WITHOUT_WAITING}" if is_long else refused.sentence)
            return too_early(refused, render_template("staff/sign_in.html", form=form))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return enter(token, request.args.get("suite", ""))
    return render_template("staff/sign_in.html", form=form)


@blueprint.post("/deconnexion")
@staff(before_factor=True)
def sign_out() -> Response:
    """End this session, and the provider's where it opened this one."""
    response = leave(sessions.sign_out(services().database, viewer(), now=services().now()))
    response.delete_cookie(SESSION_COOKIE)
    return response


@blueprint.route("/moi", methods=["GET", "POST"])
@staff()
def me() -> str | Response:
    """Show one's roles and what one did lately; change one's password."""
    form, here, who = PasswordForm(), services(), viewer()
    if form.validate_on_submit():
        try:
            token = accounts.change_password(
                here.database,
                who,
                form.current.data,
                form.wanted.data,
                now=here.now(),
                visit=visit(),
                programme_name=here.settings.programme_name,
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash("Votre mot de passe est changé. Vos autres connexions sont fermées.", "success")
            return keep_session(make_response(redirect(url_for("staff.me"))), token)
    scopes = scope_names(here.database)
    return render_template(
        "staff/me.html",
        form=form,
        who=who,
        roles=[
            OwnRole(ROLE_NAMES[one.role], scope_word(scopes, one.scope_id), one.granted_at, one.until_on)
            for one in roles_of(here.database, who.account_id)
            if one.holds_at(here.now())
        ],
        waiting=waiting_address(here.database, who.account_id),
        lately=[
            # Which account one came in to, one knows.
            {"what": one.action, "at": one.at, "detail": "" if one.subject == who.email else one.subject}
            for one in did_lately(here.database, who.account_id, LATELY_MAX)
        ],
        lately_max=LATELY_MAX,
        has_password=linked(here.database, who.account_id).has_password,
        length_min=PASSWORD_LENGTH_MIN,
    )
