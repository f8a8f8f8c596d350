"""What the counter's script asks, in JSON. A refusal is an answer, with its sentence; a broken request is a problem (RFC 9457).

    POST /comptoir/api/check   {"code"}                      200 usable or refused
    POST /comptoir/api/redeem  {"id", "codes", "service"}    200 redeemed, 409 refused by the state of things, 422 by the request itself
    POST /comptoir/api/undo    {"id"}                        200 undone, 409 refused
    GET  /comptoir/api/token                                 200 a fresh token for the header X-CSRFToken

`id` is a UUIDv7 made by the client before it sends; it is kept when the same request is sent again.
"""

from typing import Any
from uuid import UUID

from flask import Response, abort, json
from flask_wtf.csrf import generate_csrf

from merchant_portal.counter import blueprint, own_counter
from merchant_portal.scan import label_of, remember_service
from voucher.access.rules import Role
from voucher.kernel.number_labels import booklet_label
from voucher.redemption.answers import Redeemed, Usable
from voucher.redemption.check_voucher import check
from voucher.redemption.redeem import redeem
from voucher.redemption.rules import VOUCHERS_MAX, Refusal
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
    here, counter, body = services(), own_counter(), json_body()
    if counter is None:
        return _no_place()
    answer = check(here.database, _text(body, "code"), counter, by=viewer().account_id, now=here.now())
    return _answer(_usable(answer) if isinstance(answer, Usable) else _refused(answer))


@blueprint.post("/api/redeem")
@staff(Role.MEDIATOR)
@takes_at_most(BODY_BYTES_MAX)
def api_redeem() -> Response:
    """Redeem vouchers of one booklet."""
    here, counter, body = services(), own_counter(), json_body()
    if counter is None:
        return _no_place()
    codes = body.get("codes")
    if not isinstance(codes, list) or len(codes) > CODES_MAX or not all(isinstance(code, str) for code in codes):
        abort(400)
    service = _text(body, "service")
    answer = redeem(here.database, _id(body), codes, service, counter, by=viewer().account_id, now=here.now())
    if isinstance(answer, Refusal):
        return _answer(_refused(answer), 422 if answer.reason.is_misunderstanding else 409)
    response = _answer(_redeemed(answer))
    remember_service(response, service)
    return response


@blueprint.post("/api/undo")
@staff(Role.MEDIATOR)
@takes_at_most(BODY_BYTES_MAX)
def api_undo() -> Response:
    """Undo a redemption of this place."""
    here, counter, body = services(), own_counter(), json_body()
    if counter is None:
        return _no_place()
    minutes = here.settings.redemption_undo_minutes
    answer = undo(here.database, _id(body), counter, undo_minutes=minutes, by=viewer().account_id, now=here.now())
    if isinstance(answer, Refusal):
        return _answer(_refused(answer), 409)
    count = plural(len(answer.serials), "chèque")
    sentence = f"{count}, {round_euros(answer.amount_cents)} : encaissement annulé. Les chèques peuvent resservir."
    return _answer({"outcome": "undone", "id": str(answer.id), "sentence": sentence})


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        abort(400)
    return value


def _id(body: dict[str, Any]) -> UUID:
    try:
        found = UUID(_text(body, "id"))
    except ValueError:
        abort(400)
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


def _redeemed(answer: Redeemed) -> dict[str, Any]:
    left = answer.remaining_count
    remains = f"Il reste {plural(left, 'chèque')} dans le carnet." if left else "Le carnet est fini."
    return {
        "outcome": "redeemed",
        "id": str(answer.id),
        "serials": list(answer.serials),
        "amount_cents": answer.amount_cents,
        "remaining_count": left,
        "redeemed_at": answer.redeemed_at.isoformat(),
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


def _no_place() -> Response:
    sentence = "Vous n’avez pas encore choisi votre lieu. Ouvrez « Mon lieu » et choisissez-le."
    return _answer({"outcome": "refused", "code": "no_place", "sentence": sentence, "may_retry": True}, 409)


def _answer(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, mimetype="application/json")
