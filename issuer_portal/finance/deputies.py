"""Who approves batches in whose place: named by an approver, accepted by the programme, ended early by either."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField
from wtforms.validators import InputRequired

from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.access import read as accounts
from voucher.access.rules import Role
from voucher.kernel.calendar import french_date
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.settlement.batches.deputies import NewDeputy, Person, decide_deputy, end_deputy, name_deputy
from voucher.settlement.batches.read_deputies import Deputyship, deputyship, deputyships
from voucher.web.access import staff, viewer
from voucher.web.acts import note_act
from voucher.web.asks_again import asks_again
from voucher.web.forms import DateField, HouseForm, SelectField, show_refusal
from voucher.web.services import services
from voucher.web.tags import DEPUTY_TAGS
from voucher.web.views import flash_refusal, id_of

DEPUTY_READERS = (*READERS, Role.PROGRAMME)


class NameForm(HouseForm):
    """Who stands in, and when."""

    id = HiddenField()
    deputy = SelectField("Qui vous remplace", validators=[InputRequired()])
    from_on = DateField("Premier jour", validators=[InputRequired()])
    until_on = DateField("Dernier jour", validators=[InputRequired()])


@blueprint.get("/remplacements")
@staff(*DEPUTY_READERS, deputies=True)
def all_deputies() -> str:
    """List who stands in for whom: what waits, what lasts, what is over."""
    here = services()
    rows = deputyships(here.database, now=here.now(), issuer_id=scope(Role.PROGRAMME))
    return render_template(
        "finance/deputies.html",
        live=[row for row in rows if row.may_end],
        past=[row for row in rows if not row.may_end],
        names=_names(rows),
        states=DEPUTY_TAGS,
        may_name=viewer().may(Role.FINANCE_APPROVER),
        may_decide=viewer().may(Role.PROGRAMME),
    )


@blueprint.route("/remplacements/nouveau", methods=["GET", "POST"])
@staff(Role.FINANCE_APPROVER)
@asks_again("nommer qui vous remplace")
def new_deputy() -> str | Response:
    """Name who approves batches in one's place; it waits for the programme."""
    here = services()
    form: Any = NameForm(id=str(new_id()))
    people = {str(deputy.id): deputy for deputy in accounts.may_be_deputies(here.database, now=here.now())}
    form.deputy.choices = [("", "Choisissez une personne")] + [
        (key, f"{one.name}, {one.email}") for key, one in people.items()
    ]
    if form.validate_on_submit():
        chosen = people[form.deputy.data]
        new = NewDeputy(
            id=id_of(form),
            deputy_id=chosen.id,
            from_on=form.from_on.data,
            until_on=form.until_on.data,
            issuer_id=scope(),
        )
        programme = [_to(holder) for holder in accounts.holders(here.database, Role.PROGRAMME, now=here.now())]
        try:
            by = Person(viewer().account_id, viewer().name, viewer().email)
            name_deputy(here.database, new, by=by, deputy=_to(chosen), programme=programme, now=here.now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            note_act(chosen.email)
            flash(
                f"{chosen.name} validera à votre place dès qu’une personne du programme aura accepté. Prévenez-la.",
                "success",
            )
            return redirect(url_for("finance.all_deputies"))
    return render_template("finance/new_deputy.html", form=form, has_people=bool(people))


@blueprint.route("/remplacements/<uuid:deputyship_id>", methods=["GET", "POST"])
@staff(Role.PROGRAMME, Role.FINANCE_APPROVER)
@asks_again("accepter un remplacement")
def one_deputy(deputyship_id: UUID) -> str | Response:
    """Show a deputyship, and accept it: a third person, of the programme, does."""
    row, form = _row(deputyship_id), HouseForm()
    if form.validate_on_submit():
        if not viewer().may(Role.PROGRAMME):
            abort(403)
        approver, deputy = _person(row.approver_id), _person(row.deputy_id)
        try:
            if deputy.id not in {one.id for one in accounts.may_be_deputies(services().database, now=services().now())}:
                raise Refused(
                    "deputy_has_roles",
                    f"{deputy.name} a maintenant un autre rôle, ou plus de compte ouvert. Rien n’a changé. Refusez ce remplacement.",
                )
            _decide(row, approver, deputy, is_accepted=True)
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(
                f"{deputy.name} valide à la place de {approver.name} à partir du {french_date(row.from_on)}.", "success"
            )
            return redirect(url_for("finance.all_deputies"))
    return _page(row, form)


@blueprint.route("/remplacements/<uuid:deputyship_id>/refuser", methods=["POST"])
@staff(Role.PROGRAMME)
@asks_again("refuser un remplacement")
def refuse_deputy(deputyship_id: UUID) -> Response:
    """Refuse what an approver asked."""
    row = _row(deputyship_id)
    try:
        _decide(row, _person(row.approver_id), _person(row.deputy_id), is_accepted=False)
    except Refused as refused:
        return _refused(row, refused)
    flash("Le remplacement est refusé. Rien n’a changé.", "success")
    return redirect(url_for("finance.all_deputies"))


@blueprint.route("/remplacements/<uuid:deputyship_id>/arreter", methods=["POST"])
@staff(Role.PROGRAMME, Role.FINANCE_APPROVER)
@asks_again("arrêter un remplacement")
def stop_deputy(deputyship_id: UUID) -> Response:
    """End a deputyship before its last day, or take back what was asked: its approver does, or the programme."""
    row, here = _row(deputyship_id), services()
    if not _may_end(row):
        abort(403)
    approver, deputy = _person(row.approver_id), _person(row.deputy_id)
    try:
        end_deputy(here.database, row.id, approver=approver, deputy=deputy, by=viewer().account_id, now=here.now())
    except Refused as refused:
        return _refused(row, refused)
    note_act(deputy.email)
    flash(f"{deputy.name} ne valide plus à la place de {approver.name}.", "success")
    return redirect(url_for("finance.all_deputies"))


def _refused(row: Deputyship, refused: Refused) -> Response:
    flash_refusal(refused)
    return redirect(url_for("finance.one_deputy", deputyship_id=row.id))


def _decide(row: Deputyship, approver: Person, deputy: Person, *, is_accepted: bool) -> None:
    here = services()
    decide_deputy(
        here.database,
        row.id,
        is_accepted=is_accepted,
        approver=approver,
        deputy=deputy,
        by=viewer().account_id,
        now=here.now(),
    )
    note_act(deputy.email)


def _page(row: Deputyship, form: Any) -> str:
    row = _row(row.id)
    deputy = accounts.person(services().database, row.deputy_id, now=services().now())
    return render_template(
        "finance/one_deputy.html",
        row=row,
        form=form,
        names=_names([row]),
        address=deputy.email if deputy else "",
        is_preparer=deputy is not None and any(role is Role.FINANCE_PREPARER for role, _ in deputy.roles),
        state=DEPUTY_TAGS[row.state],
        may_decide=row.is_waiting
        and viewer().may(Role.PROGRAMME)
        and viewer().account_id not in (row.approver_id, row.deputy_id),
        may_end=row.may_end and _may_end(row),
    )


def _may_end(row: Deputyship) -> bool:
    return viewer().may(Role.PROGRAMME) or viewer().account_id == row.approver_id


def _row(deputyship_id: UUID) -> Deputyship:
    here = services()
    found = deputyship(here.database, deputyship_id, now=here.now(), issuer_id=scope(Role.PROGRAMME))
    if found is None:
        abort(404)
    return found


def _person(account_id: UUID) -> Person:
    found = accounts.person(services().database, account_id, now=services().now())
    assert found is not None, "accounts are closed, never deleted"
    return _to(found)


def _to(found: accounts.Person) -> Person:
    return Person(found.id, found.name, found.email)


def _names(rows: Iterable[Deputyship]) -> dict[UUID, str]:
    return accounts.names_of(services().database, {person for row in rows for person in row.people})
