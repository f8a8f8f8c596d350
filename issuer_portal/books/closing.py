"""A fiscal year: what is left of it before it is closed, who proposed, who confirmed, and what each of them accepted."""

from collections.abc import Mapping
from typing import Any

from flask import abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, TextAreaField
from wtforms.validators import InputRequired, Length

from issuer_portal.books.folder import READERS, blueprint
from voucher.access.read import names_of
from voucher.access.rules import Role
from voucher.accounting.close_items import ITEM_NAMES, WHAT_TO_DO, CloseItem
from voucher.accounting.close_year import (
    REASON_LENGTH_MAX,
    Signed,
    close_year,
    propose_close,
    signed_lists,
    withdraw_proposal,
)
from voucher.accounting.year_end import CloseLine, Left, before_closing
from voucher.kernel.calendar import paris_day
from voucher.kernel.refusals import Refused
from voucher.ledger.close_year import YearState, years
from voucher.web.access import staff, viewer
from voucher.web.acts import leaves_line
from voucher.web.asks_again import asks_again
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.patience import takes_long
from voucher.web.services import services
from voucher.web.views import FINANCE, flash_refusal, whole_programme


def close_form(lines: list[CloseLine]) -> Any:
    """Return the form by which a person signs the list: a reason for each item that is left, the figures seen."""

    class CloseForm(HouseForm):
        """What is accepted."""

    for line in lines:
        setattr(CloseForm, f"seen_{line.item}", HiddenField(default="{}:{}".format(*line.figures)))
        if line.count and not line.is_blocking:
            label = f"Pourquoi accepter : {ITEM_NAMES[line.item].lower()}"
            field = TextAreaField(label, validators=[InputRequired(), Length(max=REASON_LENGTH_MAX)])
            setattr(CloseForm, f"reason_{line.item}", field)
    return CloseForm()


@blueprint.get("/exercices/<int:year>")
@staff(*READERS)
def year(year: int) -> str:
    """Show a year: what is left before its close, and who signed what."""
    whole_programme()
    state = _state(year)
    lines = [] if state.closed_at else before_closing(services().database, year)
    return _page(state, lines, close_form(lines))


@blueprint.post("/exercices/<int:year>/proposer")
@staff(Role.FINANCE_PREPARER)
@asks_again("proposer de clore un exercice")
@takes_long
def propose(year: int) -> str | Response:
    """Propose to close a year."""
    return _sign(year, is_proposal=True)


@blueprint.post("/exercices/<int:year>/clore")
@staff(Role.FINANCE_APPROVER)
@asks_again("clore un exercice")
@takes_long
def close(year: int) -> str | Response:
    """Close a year that another person proposed."""
    return _sign(year, is_proposal=False)


@blueprint.post("/exercices/<int:year>/renoncer")
@staff(*FINANCE)
@leaves_line("renoncer à clore un exercice")
def withdraw(year: int) -> Response:
    """Take a proposal back."""
    whole_programme()
    try:
        withdraw_proposal(services().database, year, by=viewer().account_id, now=services().now())
    except Refused as refused:
        flash_refusal(refused)
    else:
        flash(f"La clôture de {year} n’est plus proposée. L’exercice reste ouvert.", "success")
    return redirect(url_for("books.home"))


def _sign(year: int, *, is_proposal: bool) -> str | Response:
    """Let a person sign the list of a year."""
    whole_programme()
    here, state = services(), _state(year)
    lines = before_closing(here.database, year)
    form = close_form(lines)
    if not form.validate():
        return _page(state, lines, form)
    command: dict[str, Any] = {
        "reasons": {line.item: form[name].data for line in lines if (name := f"reason_{line.item}") in form},
        "seen": {line.item: _figures(form[f"seen_{line.item}"].data) for line in lines},
        "by": viewer().account_id,
        "now": here.now(),
    }
    try:
        if is_proposal:
            propose_close(here.database, year, **command)
            said = f"La clôture de {year} est proposée. Une autre personne doit la confirmer."
        else:
            carried = close_year(here.database, year, **command)
            said = f"L’exercice {year} est clos. {carried} comptes ouvrent {year + 1} avec leur solde."
    except Refused as refused:
        if refused.field is None:  # the list is read again, with its present figures
            flash_refusal(refused)
            return redirect(url_for("books.year", year=year))
        show_refusal(form, refused)
        return _page(state, lines, form)
    flash(said, "success")
    return redirect(url_for("books.year", year=year))


def _figures(text: str) -> tuple[int, int]:
    """Return the count and the cents that a page showed."""
    count, _, cents = text.partition(":")
    try:
        return int(count), int(cents)
    except ValueError:
        abort(400)


def _state(year: int) -> YearState:
    found = next((one for one in years(services().database, now=services().now()) if one.year == year), None)
    if found is None:
        abort(404)
    return found


def _page(state: YearState, lines: list[CloseLine], form: Any) -> str:
    here = services()
    signed = signed_lists(here.database, state.proposal_id) if state.proposal_id else []
    people = {one for one in (state.proposed_by, state.closed_by) if one} | {one.said_by for one in signed}
    return render_template(
        "books/year.html",
        year=state,
        lines=lines,
        form=form,
        signed=_by_item(signed),
        item_names=ITEM_NAMES,
        what_to_do=WHAT_TO_DO,
        links={line.item: [_link(line.item, row) for row in line.rows] for line in lines},
        names=names_of(here.database, people),
        is_over=paris_day(here.now()).year > state.year,
        is_blocked=any(line.is_blocking for line in lines),
        sees_finance=viewer().may(*FINANCE, Role.AUDITOR),
        me=viewer().account_id,
    )


def _by_item(signed: list[Signed]) -> Mapping[CloseItem, list[Signed]]:
    found: dict[CloseItem, list[Signed]] = {}
    for one in signed:
        found.setdefault(one.item, []).append(one)
    return found


def _link(item: CloseItem, row: Left) -> str:
    """Return the page on which what is left can be put right."""
    match item:
        case CloseItem.OPEN_PERIODS:
            return url_for("finance.calendar")
        case CloseItem.STATEMENT_GAPS:
            return url_for("finance.bank_day", account_id=row.id, day=row.on.isoformat() if row.on else "")
        case CloseItem.NO_RECENT_STATEMENT:
            return url_for("finance.reconciliation")
        case CloseItem.LINES_TO_IDENTIFY:
            return url_for("finance.lines", etat="a-identifier")
        case CloseItem.USES_NOT_CALLED:
            return url_for("funding.home")
        case CloseItem.IN_TRANSIT:
            return url_for("finance.batch", batch_id=row.id)
