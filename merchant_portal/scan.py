"""The Scan page. With its script the camera reads and answers come in place; without it, the same form is posted."""

import re
from dataclasses import dataclass
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from merchant_portal.counter import blueprint, own_counter, own_structure, place_of
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.number_labels import booklet_label, serial_label
from voucher.kernel.typed_numbers import whole_number
from voucher.network.services import Service
from voucher.redemption.answers import Counter, Redeemed, Usable, UsableCover
from voucher.redemption.check_voucher import check
from voucher.redemption.read import services_lately
from voucher.redemption.redeem import redeem
from voucher.redemption.rules import VOUCHERS_MAX, CounterRefusal, Refusal
from voucher.redemption.tray import CODE_CHARACTERS_MAX, CoverPart, Laid
from voucher.web.access import staff, viewer
from voucher.web.filters import plural, round_euros
from voucher.web.headers import scanner_page
from voucher.web.services import services

_FIELDS = ("tray", "label", "booklet", "count", "cents")
_PART = re.compile(r"(?P<cover>[^*]+)\*(?P<ranks>[0-9]{1,2}(,[0-9]{1,2})*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class ServiceChoice:
    """A service as the page offers it."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class TrayLine:
    """What is laid on the tray: its code (a cover's, with the ranks of its vouchers), what it is called, what it is worth."""

    code: str
    label: str
    booklet: str
    count: int
    cents: int

    @property
    def shown(self) -> tuple[tuple[str, str | int], ...]:
        """The line as the page holds it, by the names of its hidden fields."""
        return tuple(zip(_FIELDS, (self.code, self.label, self.booklet, self.count, self.cents), strict=True))

    @property
    def laid(self) -> Laid:
        """The line as the counter takes it."""
        part = _PART.fullmatch(self.code)
        return CoverPart(part["cover"], tuple(int(rank) for rank in part["ranks"].split(","))) if part else self.code


@blueprint.get("/")
@staff(Role.MEDIATOR)
@scanner_page
def scan() -> str | Response:
    """Show an empty tray."""
    counter = own_counter()
    return redirect(url_for("counter.places")) if counter is None else _page(counter, [], "", str(new_id()))


@blueprint.post("/")
@staff(Role.MEDIATOR)
@scanner_page
def act() -> str | Response:
    """Do what one button of the page says: add a code to the tray, test it, take one off, redeem the tray."""
    form = request.form
    counter = _counter_of(form)
    if counter is None:
        return redirect(url_for("counter.places"))
    tray = _tray(form)
    attempt = form.get("attempt_id", "")
    service = form.get("service", "")
    if "retirer" in form:
        tray = [line for line in tray if line.code != form["retirer"]]
        return _page(counter, tray, service, str(new_id()))
    if "poser" in form:
        return _lay_cover(counter, tray, form.get("cover", ""), form["poser"], service)
    typed = form.get("code", "").strip()
    match form.get("action", "ajouter"):
        case "encaisser":
            return _redeem(counter, tray, typed, service, attempt)
        case "tester":
            return _test(counter, tray, typed, service, attempt)
        case _:
            return _add(counter, tray, typed, service)


@blueprint.get("/papier")
@staff(Role.MEDIATOR)
def paper() -> str:
    """Show what to do on the day the device is dead, ready to print on one page."""
    return render_template(
        "counter/paper.html", place=place_of(own_counter()), help_phone=services().settings.help_phone
    )


def label_of(serial_number: int) -> str:
    """Return what a voucher is called at the counter."""
    return f"Chèque {serial_label(serial_number)}"


def _counter_of(form: MultiDict[str, str]) -> Counter | None:
    """Return the counter that the posted page shows: another tab may have chosen another place since."""
    try:
        return Counter(UUID(form["place_id"]), own_structure()) if "place_id" in form else own_counter()
    except ValueError:
        return None


def _check(counter: Counter, typed: str) -> Usable | UsableCover | Refusal:
    here = services()
    return check(here.database, typed, counter, by=viewer().account_id, now=here.now())


def _add(counter: Counter, tray: list[TrayLine], typed: str, service: str) -> str | Response:
    answer = _check(counter, typed)
    if isinstance(answer, Refusal):
        return _page(counter, tray, service, str(new_id()), refusal=answer, typed=typed)
    if isinstance(answer, UsableCover):
        return _page(counter, tray, service, str(new_id()), cover=answer, cover_code=typed)
    line = TrayLine(typed, label_of(answer.serial), booklet_label(answer.booklet_number), 1, answer.face_value_cents)
    if line.label not in {one.label for one in tray}:
        tray = [*tray, line][:VOUCHERS_MAX]
    return _page(counter, tray, service, str(new_id()))


def _lay_cover(counter: Counter, tray: list[TrayLine], code: str, asked: str, service: str) -> str | Response:
    answer = _check(counter, code)
    if not isinstance(answer, UsableCover):
        refusal = answer if isinstance(answer, Refusal) else None
        return _page(counter, tray, service, str(new_id()), refusal=refusal)
    count = max(1, min(whole_number(asked) or 1, len(answer.ranks)))
    booklet = booklet_label(answer.booklet_number)
    label = f"Carnet {booklet} : {plural(count, 'chèque')}"
    cents = count * answer.face_value_cents
    line = TrayLine(str(CoverPart(code, answer.ranks[:count])), label, booklet, count, cents)
    tray = [*(one for one in tray if not one.code.startswith(f"{code}*")), line]
    return _page(counter, tray, service, str(new_id()))


def _test(counter: Counter, tray: list[TrayLine], typed: str, service: str, attempt: str) -> str | Response:
    answer = _check(counter, typed)
    if isinstance(answer, Refusal):
        return _page(counter, tray, service, attempt, refusal=answer, typed=typed)
    if isinstance(answer, UsableCover):
        return _page(counter, tray, service, attempt, cover=answer, cover_code=typed)
    return _page(counter, tray, service, attempt, tested=answer, typed=typed)


def _redeem(counter: Counter, tray: list[TrayLine], typed: str, service: str, attempt: str) -> str | Response:
    here = services()
    laid = [line.laid for line in tray] or ([typed] if typed else [])
    try:
        attempt_id = UUID(attempt)
    except ValueError:
        attempt_id = new_id()
    answer = redeem(here.database, attempt_id, laid, service, counter, by=viewer().account_id, now=here.now())
    if isinstance(answer, Redeemed):
        flash(f"{plural(len(answer.serials), 'chèque')} : {round_euros(answer.amount_cents)} encaissés.", "success")
        return redirect(url_for("counter.receipt", redemption_id=answer.id, fait=1))
    return _page(counter, tray, service, str(new_id()), refusal=answer, typed=typed)


def _page(
    counter: Counter,
    tray: list[TrayLine],
    service: str,
    attempt_id: str,
    *,
    refusal: Refusal | None = None,
    tested: Usable | None = None,
    cover: UsableCover | None = None,
    cover_code: str = "",
    typed: str = "",
) -> str | Response:
    here = services()
    place = place_of(counter)
    if place is None:
        return redirect(url_for("counter.places"))
    usual = services_lately(here.database, counter)
    chosen = Service(service) if service in set(Service) else (usual[0] if usual else None)
    near = dict.fromkeys([*usual, *([chosen] if chosen else [])])
    return render_template(
        "counter/scan.html",
        place=place,
        person_id=viewer().account_id,
        tray=tray,
        voucher_count=sum(line.count for line in tray),
        total_cents=sum(line.cents for line in tray),
        near_services=[_choice(one, chosen) for one in near],
        other_services=[_choice(one, chosen) for one in Service if one not in near],
        attempt_id=attempt_id,
        is_several=len({line.booklet for line in tray}) > 1,
        is_service_missing=refusal is not None and refusal.reason is CounterRefusal.SERVICE_UNKNOWN,
        refusal=refusal,
        tested=tested,
        cover=cover,
        cover_code=cover_code,
        typed=typed,
        help_phone=here.settings.help_phone,
    )


def _choice(service: Service, chosen: Service | None) -> ServiceChoice:
    return ServiceChoice(service.value, service.label, service is chosen)


def _tray(form: MultiDict[str, str]) -> list[TrayLine]:
    """Read back the tray that the page holds in hidden fields; what it says of each line is only for show."""
    lines = []
    posted = zip(*(form.getlist(name) for name in _FIELDS), strict=False)
    for code, label, booklet, count, cents in list(posted)[:VOUCHERS_MAX]:
        shown = (label[:60], booklet[:20], whole_number(count) or 1, whole_number(cents) or 0)
        lines.append(TrayLine(code[:CODE_CHARACTERS_MAX], *shown))
    return lines
