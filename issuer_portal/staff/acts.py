"""What the programme does on somebody's account: each act says what follows, and asks who is there again."""

from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import EmailField
from wtforms.validators import InputRequired, Optional

from issuer_portal.staff.accounts import blueprint
from issuer_portal.staff.scopes import misfit, scope_choices
from voucher.access import accounts, changes, links, read
from voucher.access.grants import until
from voucher.access.rules import ROLE_NAMES, TWO_PEOPLE_ROLES, LinkPurpose, Role
from voucher.kernel.refusals import Refused
from voucher.settlement.batches.read_deputies import was_named
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.forms import DateField, HouseForm, SelectField, show_refusal
from voucher.web.services import services

WAITS = "La demande attend une autre personne du programme : prévenez-la."
TWO_PEOPLE = f"Il faut deux personnes du programme pour : {', '.join(ROLE_NAMES[one] for one in Role if one in TWO_PEOPLE_ROLES)}."


class RoleForm(HouseForm):
    """A role and, where it asks for one, its organisation."""

    role = SelectField(
        "Rôle", choices=[(str(role), name) for role, name in ROLE_NAMES.items()], validators=[InputRequired()]
    )
    scope = SelectField("Pour quel organisme", validators=[Optional()])
    until_on = DateField("Dernier jour", validators=[Optional()])


class AddressForm(HouseForm):
    """The address that replaces the one an account has."""

    email = EmailField("Nouvelle adresse électronique", validators=[InputRequired()])


@blueprint.route("/<uuid:account_id>/roles", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
@asks_again("donner un rôle")
def give_role(account_id: UUID) -> str | Response:
    """Give a role, or ask a second person to confirm it."""
    found, form, here = _open_person(account_id), RoleForm(), services()
    form.scope.choices = [("", "Tout le programme"), *scope_choices(here.database)]
    if form.validate_on_submit():
        scope_id, role = UUID(form.scope.data) if form.scope.data else None, Role(form.role.data)
        try:
            if scope_id is not None and (sentence := misfit(here.database, role, scope_id)):
                raise Refused("scope_misfit", sentence, "scope")
            waiting = changes.grant_role(
                here.database,
                account_id,
                role,
                scope_id,
                by=viewer().account_id,
                now=here.now(),
                until_on=form.until_on.data,
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            if waiting is None:
                flash(
                    f"{found.name} a maintenant le rôle « {ROLE_NAMES[role]} »{until(form.until_on.data)}.", "success"
                )
            else:
                flash(
                    f"Le rôle « {ROLE_NAMES[role]} » est demandé pour {found.name}{until(form.until_on.data)}. {WAITS}",
                    "success",
                )
            return _back(account_id)
    consequences = [
        f"Un courriel en avertit {found.name}.",
        "Un rôle qui a un dernier jour finit à minuit ce soir-là. Pour le prolonger, donnez-le de nouveau avec un jour plus tardif.",
        TWO_PEOPLE,
    ]
    return _page(found, form, "Donner un rôle", "Donner ce rôle", consequences)


@blueprint.route("/<uuid:account_id>/lien", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
@asks_again("envoyer un lien de mot de passe")
def send_link(account_id: UUID) -> str | Response:
    """Send a link to choose a password: nobody else sees it."""
    found, form, here = _open_person(account_id), HouseForm(), services()
    if form.validate_on_submit():
        try:
            purpose = links.ask_link(here.database, account_id, by=viewer().account_id, now=here.now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            what = "L’invitation part" if purpose is LinkPurpose.INVITATION else "Le lien part"
            flash(f"{what} à {found.email}. Vous ne le voyez pas : lui seul ouvre le compte.", "success")
            return _back(account_id)
    what = "un nouveau mot de passe" if found.has_password else "son mot de passe"
    consequences = [f"{found.email} reçoit un lien pour choisir {what}.", "Vous ne voyez pas ce lien."]
    if here.settings.smtp_url is None:
        consequences.append(
            "Aucun serveur de courriel n’est réglé. Qui tient le serveur affiche un lien avec « voucher account link »."
        )
    label = "Envoyer le lien" if found.has_way_in else "Envoyer l’invitation"
    return _page(found, form, label, label, consequences)


@blueprint.route("/<uuid:account_id>/adresse", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
@asks_again("changer une adresse")
def change_address(account_id: UUID) -> str | Response:
    """Change an address, or ask a second person to confirm it."""
    found, form, here = _open_person(account_id), AddressForm(), services()
    if form.validate_on_submit():
        try:
            waiting = changes.change_address(
                here.database,
                account_id,
                form.email.data,
                by=viewer().account_id,
                now=here.now(),
                is_deputy=was_named(here.database, account_id),
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            if waiting is None:
                flash(f"L’adresse de {found.name} est changée.", "success")
            else:
                flash(f"L’adresse {form.email.data} est demandée pour {found.name}. {WAITS}", "success")
            return _back(account_id)
    consequences = [
        f"L’ancienne adresse, {found.email}, en est avertie.",
        "Les liens déjà envoyés ne servent plus, ni le mot de passe : un lien part à la nouvelle adresse.",
        "Si la personne a, ou a eu, un rôle de finances, de collectivité ou du programme, ou a remplacé quelqu’un qui valide, une seconde personne confirme, et le mot de passe reste. Une seconde personne confirme aussi si elle a une deuxième preuve.",
    ]
    return _page(found, form, "Changer l’adresse", "Changer l’adresse", consequences)


@blueprint.route("/<uuid:account_id>/deuxieme-preuve", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
@asks_again("remettre à zéro une deuxième preuve")
def reset_factors(account_id: UUID) -> str | Response:
    """Ask that somebody's second factors be reset, since a phone is lost: a second person confirms."""
    found, form, here = _open_person(account_id), HouseForm(), services()
    if form.validate_on_submit():
        try:
            changes.ask_reset(here.database, account_id, by=viewer().account_id, now=here.now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(f"La remise à zéro est demandée pour {found.name}. {WAITS}", "success")
            return _back(account_id)
    consequences = [
        f"Vérifiez de vive voix que {found.name} vous le demande. Appelez un numéro que vous connaissez, pas celui d’un message.",
        "Une autre personne du programme confirme, sur sa page « À confirmer ».",
        "Ensuite, son téléphone, ses clés d’accès, ses codes de secours et ProConnect n’ouvrent plus rien. Ses connexions se ferment.",
        f"Un courriel en avertit {found.name}, à la demande et à la confirmation.",
    ]
    return _page(found, form, "Remettre à zéro la deuxième preuve", "Demander la remise à zéro", consequences, "danger")


@blueprint.route("/<uuid:account_id>/fermer", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
@asks_again("fermer un compte")
def close_person(account_id: UUID) -> str | Response:
    """Close an account."""
    found, form, here = _open_person(account_id), HouseForm(), services()
    if account_id == viewer().account_id:
        flash("Vous ne pouvez pas fermer votre propre compte. Demandez à un collègue.", "danger")
        return _back(account_id)
    if form.validate_on_submit():
        try:
            accounts.close_account(here.database, account_id, by=viewer().account_id, now=here.now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(f"Le compte de {found.name} est fermé.", "success")
            return _back(account_id)
    consequences = [
        f"{found.name} ne peut plus se connecter.",
        "Ce compte ne s’ouvre plus : pour revenir, il en faudra un autre, avec une autre adresse.",
    ]
    label = f"Fermer le compte de {found.name}"
    return _page(found, form, "Fermer le compte", label, consequences, "danger")


def _open_person(account_id: UUID) -> read.Person:
    found = read.person(services().database, account_id, now=services().now())
    if found is None or found.closed_at is not None:
        abort(404)
    return found


def _back(account_id: UUID) -> Response:
    return redirect(url_for("staff.person", account_id=account_id))


def _page(
    found: read.Person, form: Any, title: str, label: str, consequences: list[str], variant: str = "primary"
) -> str:
    return render_template(
        "staff/act.html",
        person=found,
        form=form,
        title=title,
        label=label,
        consequences=consequences,
        variant=variant,
    )
