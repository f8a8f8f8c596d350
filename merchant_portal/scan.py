"""The Scan page. With its script the camera reads and answers come in place; without it, the same form is posted."""

from dataclasses import dataclass
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from merchant_portal.counter import blueprint, own_counter, own_place
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.number_labels import serial_label
from voucher.kernel.typed_numbers import whole_number
from voucher.network.services import Service
from voucher.redemption.answers import Counter, Redeemed
from voucher.redemption.check_voucher import check
from voucher.redemption.redeem import redeem
from voucher.redemption.rules import VOUCHERS_MAX, Refusal
from voucher.web.access import staff, viewer
from voucher.web.filters import plural, round_euros
from voucher.web.headers import scanner_page
from voucher.web.services import services

SERVICE_COOKIE = "pass_service"
SERVICE_SECONDS = 180 * 86_400
SERVICES = tuple((service.value, service.label) for service in Service)


@dataclass(frozen=True, slots=True)
class TrayLine:
    """A voucher laid on the tray: its code, what it is called, what it is worth."""

    code: str
    label: str
    face_value_cents: int


@blueprint.get("/")
@staff(Role.MEDIATOR)
@scanner_page
def scan() -> str | Response:
    """Show an empty tray."""
    if own_counter() is None:
        return redirect(url_for("counter.places"))
    return _page([], _remembered_service(), str(new_id()))


@blueprint.post("/")
@staff(Role.MEDIATOR)
@scanner_page
def act() -> str | Response:
    """Do what one button of the page says: add a code to the tray, test it, take one off, redeem the tray."""
    counter = own_counter()
    if counter is None:
        return redirect(url_for("counter.places"))
    form = request.form
    tray = _tray(form)
    attempt = form.get("attempt_id", "")
    service = form.get("service", "")
    if "retirer" in form:
        tray = [line for line in tray if line.code != form["retirer"]]
        return _page(tray, service, str(new_id()))
    typed = form.get("code", "").strip()
    match form.get("action", "ajouter"):
        case "encaisser":
            return _redeem(counter, tray, typed, service, attempt)
        case "tester":
            return _test(counter, tray, typed, service, attempt)
        case _:
            return _add(counter, tray, typed, service)


def label_of(serial_number: int) -> str:
    """Return what a voucher is called at the counter."""
    return f"Chèque {serial_label(serial_number)}"


def remember_service(response: Response, service: str) -> None:
    """Keep the chosen service in the browser, when it is not there already."""
    if request.cookies.get(SERVICE_COOKIE) != service:
        response.set_cookie(
            SERVICE_COOKIE,
            service,
            max_age=SERVICE_SECONDS,
            samesite="Lax",
            httponly=True,
            secure=services().settings.base_url.startswith("https:"),
            path=url_for("counter.scan"),
        )


def _add(counter: Counter, tray: list[TrayLine], typed: str, service: str) -> str | Response:
    here = services()
    answer = check(here.database, typed, counter, by=viewer().account_id, now=here.now())
    if isinstance(answer, Refusal):
        return _page(tray, service, str(new_id()), refusal=answer, typed=typed)
    line = TrayLine(typed, label_of(answer.serial), answer.face_value_cents)
    if line.label not in {one.label for one in tray}:
        tray = [*tray, line][:VOUCHERS_MAX]
    return _page(tray, service, str(new_id()))


def _test(counter: Counter, tray: list[TrayLine], typed: str, service: str, attempt: str) -> str | Response:
    here = services()
    answer = check(here.database, typed, counter, by=viewer().account_id, now=here.now())
    if isinstance(answer, Refusal):
        return _page(tray, service, attempt, refusal=answer, typed=typed)
    return _page(tray, service, attempt, tested=answer, typed=typed)


def _redeem(counter: Counter, tray: list[TrayLine], typed: str, service: str, attempt: str) -> str | Response:
    here = services()
    codes = [line.code for line in tray] or ([typed] if typed else [])
    try:
        attempt_id = UUID(attempt)
    except ValueError:
        attempt_id = new_id()
    answer = redeem(here.database, attempt_id, codes, service, counter, by=viewer().account_id, now=here.now())
    if isinstance(answer, Redeemed):
        flash(f"{plural(len(answer.serials), 'chèque')} : {round_euros(answer.amount_cents)} encaissés.", "success")
        response = redirect(url_for("counter.receipt", redemption_id=answer.id, fait=1))
        remember_service(response, service)
        return response
    return _page(tray, service, str(new_id()), refusal=answer, typed=typed)


def _page(
    tray: list[TrayLine],
    service: str,
    attempt_id: str,
    *,
    refusal: Refusal | None = None,
    tested: object = None,
    typed: str = "",
) -> str | Response:
    place = own_place()
    if place is None:
        return redirect(url_for("counter.places"))
    return render_template(
        "counter/scan.html",
        place=place,
        tray=tray,
        total_cents=sum(line.face_value_cents for line in tray),
        service=service,
        services=SERVICES,
        attempt_id=attempt_id,
        refusal=refusal,
        tested=tested,
        typed=typed,
        undo_minutes=services().settings.redemption_undo_minutes,
    )


def _tray(form: MultiDict[str, str]) -> list[TrayLine]:
    """Read back the tray that the page holds in hidden fields; what it says of each voucher is only for show."""
    lines = []
    shown = zip(form.getlist("tray"), form.getlist("label"), form.getlist("cents"), strict=False)
    for code, label, cents in list(shown)[:VOUCHERS_MAX]:
        lines.append(TrayLine(code[:300], label[:60], whole_number(cents) or 0))
    return lines


def _remembered_service() -> str:
    kept = request.cookies.get(SERVICE_COOKIE, "")
    return kept if kept in {code for code, _ in SERVICES} else ""
