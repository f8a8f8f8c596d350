"""How pages ask a browser for a passkey, and what it sends back. The markup is templates/passkey.html, the script static/passkey.js."""

from collections.abc import Callable
from http import HTTPStatus

from flask import jsonify, make_response, request
from werkzeug.wrappers import Response

from voucher.access.factors.passkeys import Step
from voucher.kernel.refusals import Refused


def answer_step(begin: Callable[[], Step]) -> Response:
    """Answer the script with a step, its token and its options, or with the sentence of a refusal (409)."""
    try:
        step = begin()
    except Refused as refused:
        return make_response(jsonify(refusal=refused.sentence), HTTPStatus.CONFLICT)
    return make_response(jsonify(step=step.token, options=step.options))


def passkey_answer(prefix: str = "") -> tuple[str, str]:
    """Return the step and the device's answer that the form brings, empty where it brings none."""
    return request.form.get(f"{prefix}passkey_step", ""), request.form.get(f"{prefix}passkey_answer", "")
