"""What the counter's script asks, in JSON. A refusal is an answer, with its sentence; a broken request is a problem (RFC 9457).

    POST /comptoir/api/check   {"place", "code"}                   200 usable, cover or refused
    POST /comptoir/api/redeem  {"place", "id", "codes", "service"} 200 redeemed, 409 refused by the state of things, 422 by the request itself
    POST /comptoir/api/undo    {"place", "id"}                     200 undone, 409 refused
    POST /comptoir/api/answer  {"place", "id"}                     200 what this id was answered: redeemed, refused, or unknown
    GET  /comptoir/api/token                                       200 a fresh token for the header X-CSRFToken

`place` is the one that the screen shows: it is where an act counts, whatever the session chose since. `id` is a UUIDv7 made by the
client before it sends; it is kept when the same request is sent again. A code is a text as scanned or typed, or a part of a booklet
by its cover: {"cover", "ranks"}.
"""

from typing import Any
from uuid import UUID

from flask import Response, abort, json
from flask_wtf.csrf import generate_csrf

from merchant_portal.counter import blueprint, own_structure
from merchant_portal.scan import label_of
from voucher.access.rules import Role
from voucher.kernel.calendar import french_hour
from voucher.kernel.number_labels import booklet_label
from voucher.redemption.answers import Counter, Redeemed, Usable, UsableCover
from voucher.redemption.check_voucher import check
from voucher.redemption.redeem import redeem
from voucher.redemption.replayed_requests import find_answer
from voucher.redemption.rules import VOUCHERS_MAX, Refusal, undo_limit
from voucher.redemption.tray import CoverPart, Laid
from voucher.redemption.undo import undo
from voucher.web.access import staff, viewer
from voucher.web.filters import plural, round_euros
from voucher.web.json_body import json_body
from voucher.web.services import services
from voucher.web.uploads import takes_at_most

BODY_BYTES_MAX = 64 * 1024
CODES_MAX = 2 * VOUCHERS_MAX
UUID_VERSION = 7


@blueprint.get("/api/token")
@staff(Role.MEDIATOR)
def api_token() -> Response:
    """Give the page a fresh form token: a counter stays open all day."""
    return _answer({"token": generate_csrf()})


@blueprint.post("/api/check")
@staff(Role.MEDIATOR)
@takes_at_most(BODY_BYTES_MAX)
def api_check() -> Response:
    """Say what a code is worth; nothing changes."""
    here, body = services(), json_body()
    answer = check(here.database, _text(body, "code"), _counter(body), by=viewer().account_id, now=here.now())
    match answer:
        case Usable():
            return _answer(_usable(answer))
        case UsableCover():
            return _answer(_cover(answer))
        case _:
            return _answer(_refused(answer))


@blueprint.post("/api/redeem")
@staff(Role.MEDIATOR)
@takes_at_most(BODY_BYTES_MAX)
def api_redeem() -> Response:
    """Redeem vouchers of one booklet."""
    here, body = services(), json_body()
    laid, service = _laid(body), _text(body, "service")
    answer = redeem(here.database, _id(body), laid, service, _counter(body), by=viewer().account_id, now=here.now())
    if isinstance(answer, Refusal):
        return _answer(_refused(answer), 422 if answer.reason.is_misunderstanding else 409)
    return _answer(_redeemed(answer))


@blueprint.post("/api/undo")
@staff(Role.MEDIATOR)
@takes_at_most(BODY_BYTES_MAX)
def api_undo() -> Response:
    """Undo a redemption of this place."""
    here, body = services(), json_body()
    minutes = here.settings.redemption_undo_minutes
    answer = undo(
        here.database, _id(body), _counter(body), undo_minutes=minutes, by=viewer().account_id, now=here.now()
    )
    if isinstance(answer, Refusal):
        return _answer(_refused(answer), 409)
    count = plural(len(answer.serials), "chèque")
    sentence = f"{count}, {round_euros(answer.amount_cents)} : encaissement annulé. Les chèques peuvent resservir."
    return _answer({"outcome": "undone", "id": str(answer.id), "sentence": sentence})


@blueprint.post("/api/answer")
@staff(Role.MEDIATOR)
@takes_at_most(BODY_BYTES_MAX)
def api_answer() -> Response:
    """Say what an attempt that another person left here was answered; nothing changes."""
    body = json_body()
    answer = find_answer(services().database, _id(body), _counter(body))
    if answer is None:
        return _answer({"outcome": "unknown", "sentence": "L’encaissement n’est pas passé."})
    return _answer(_redeemed(answer) if isinstance(answer, Redeemed) else _refused(answer))


def _counter(body: dict[str, Any]) -> Counter:
    """Return the counter that the request names; whether its place is the structure's and open is for the use case to say."""
    return Counter(_uuid(body, "place"), own_structure())


def _laid(body: dict[str, Any]) -> list[Laid]:
    codes = body.get("codes")
    if not isinstance(codes, list) or len(codes) > CODES_MAX:
        abort(400)
    return [_one_laid(code) for code in codes]


def _one_laid(code: object) -> Laid:
    if isinstance(code, str):
        return code
    cover, ranks = (code.get("cover"), code.get("ranks")) if isinstance(code, dict) else (None, None)
    if not isinstance(cover, str) or not isinstance(ranks, list) or len(ranks) > VOUCHERS_MAX:
        abort(400)
    if not all(type(rank) is int for rank in ranks):
        abort(400)
    return CoverPart(cover, tuple(ranks))


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        abort(400)
    return value


def _uuid(body: dict[str, Any], name: str) -> UUID:
    try:
        return UUID(_text(body, name))
    except ValueError:
        abort(400)


def _id(body: dict[str, Any]) -> UUID:
    found = _uuid(body, "id")
    if found.version != UUID_VERSION:
        abort(400)
    return found


def _usable(answer: Usable) -> dict[str, Any]:
    return {
        "outcome": "usable",
        "serial": answer.serial,
        "label": label_of(answer.serial),
        "booklet": booklet_label(answer.booklet_number),
        "face_value_cents": answer.face_value_cents,
        "face_value": round_euros(answer.face_value_cents),
        "remaining_count": answer.remaining_count,
        "sentence": f"Ce chèque vaut {round_euros(answer.face_value_cents)}. Il peut être encaissé.",
    }


def _cover(answer: UsableCover) -> dict[str, Any]:
    count = len(answer.ranks)
    can = "peut être encaissé" if count == 1 else "peuvent être encaissés"
    return {
        "outcome": "cover",
        "first_serial": answer.first_serial,
        "booklet": booklet_label(answer.booklet_number),
        "ranks": list(answer.ranks),
        "face_value_cents": answer.face_value_cents,
        "sentence": f"{plural(count, 'chèque')} de {round_euros(answer.face_value_cents)} {can}.",
    }


def _redeemed(answer: Redeemed) -> dict[str, Any]:
    left = answer.remaining_count
    remains = f"Il reste {plural(left, 'chèque')} dans le carnet." if left else "Le carnet est fini."
    undo_until = undo_limit(answer.redeemed_at, services().settings.redemption_undo_minutes)
    return {
        "outcome": "redeemed",
        "id": str(answer.id),
        "serials": list(answer.serials),
        "amount_cents": answer.amount_cents,
        "remaining_count": left,
        "redeemed_at": answer.redeemed_at.isoformat(),
        "hour": french_hour(answer.redeemed_at),
        "undo_until": undo_until.isoformat(),
        "undo_hour": french_hour(undo_until),
        "sentence": f"{plural(len(answer.serials), 'chèque')}, {round_euros(answer.amount_cents)}.",
        "remains": remains,
    }


def _refused(answer: Refusal) -> dict[str, Any]:
    return {
        "outcome": "refused",
        "code": answer.reason.value,
        "sentence": answer.sentence,
        "may_retry": answer.reason.may_retry,
        "serial": answer.serial,
    }


def _answer(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, mimetype="application/json")
