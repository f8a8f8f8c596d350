"""When something cannot be done: a French page that says what happened to the money and what to do; RFC 9457 for programs.

One table maps each HTTP status to its words. A `Refused` that no view has caught becomes a 409 with its own sentence.
"""

import secrets
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType

from flask import Flask, Response, current_app, g, json, redirect, render_template, request, request_started, url_for
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BuildError
from werkzeug.wrappers import Response as AnyResponse

from voucher.kernel.database import commits_begun
from voucher.kernel.refusals import Refused

NOTHING_TAKEN = "Rien n’a été débité."
NOT_KNOWN = (
    "Nous ne savons pas si votre demande est allée au bout. "
    "Vérifiez dans la liste avant de recommencer : une demande déjà prise en compte y figure."
)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
REFERENCE_BYTES = 4
RETRY_SECONDS = 30
TYPE_BASE = "urn:pass-numerique:problem:"


ExceptionInfo = tuple[type, BaseException, TracebackType] | tuple[None, None, None]


@dataclass(frozen=True, slots=True)
class Words:
    """What a page says of a status: a name for programs, a title, and what to do next."""

    code: str
    title: str
    next: str


WORDS: dict[int, Words] = {
    400: Words("bad-request", "Cette demande est incomplète.", "Revenez à la page précédente et recommencez."),
    401: Words("not-signed-in", "Connectez-vous pour continuer.", "Votre session est peut-être terminée."),
    403: Words(
        "forbidden",
        "Cette page n’est pas ouverte à votre rôle.",
        "Demandez l’accès à la personne qui gère vos comptes.",
    ),
    404: Words("not-found", "Cette page n’existe pas.", "Vérifiez l’adresse, ou repartez de l’accueil."),
    405: Words("method-not-allowed", "Cette adresse ne s’utilise pas ainsi.", "Repartez de l’accueil."),
    409: Words("refused", "Cette action n’est pas possible.", "Revenez à la page précédente."),
    410: Words("gone", "Cette page n’existe plus.", "Repartez de l’accueil."),
    413: Words(
        "too-large", "Ce fichier est trop lourd.", "Choisissez un fichier plus petit, ou coupez-le en plusieurs."
    ),
    415: Words(
        "unsupported-type", "Ce format n’est pas accepté.", "Choisissez un fichier dans un des formats indiqués."
    ),
    422: Words("invalid", "Certaines réponses ne vont pas.", "Revenez à la page précédente et vérifiez vos réponses."),
    429: Words("too-many", "Trop de demandes en peu de temps.", "Attendez une minute, puis recommencez."),
    500: Words("failure", "Un problème est survenu de notre côté.", "Réessayez dans quelques minutes."),
    503: Words("unavailable", "Le service est momentanément indisponible.", "Attendez une minute, puis recommencez."),
}
EXPIRED = Words(
    "form-expired", "Cette page est restée ouverte trop longtemps.", "Rechargez-la, puis envoyez à nouveau."
)


def wants_json() -> bool:
    """Say whether a program asks: an API path, or a request that prefers JSON to a page."""
    if "/api/" in request.path:
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json", "application/problem+json"])
    return best in ("application/json", "application/problem+json")


def install(app: Flask) -> None:
    """Answer every error of `app` in French, to a person or to a program; keep codes out of its error log."""
    app.log_exception = _log_exception  # type: ignore[method-assign]  # Flask's own writes the path, which may hold a code
    app.register_error_handler(HTTPException, _answer)
    app.register_error_handler(CSRFError, _answer_expired)
    app.register_error_handler(Refused, _answer_refused)
    app.register_error_handler(OperationalError, _answer_unavailable)
    app.register_error_handler(InterfaceError, _answer_unavailable)
    app.register_error_handler(NoConnectionFree, _answer_unavailable)
    # Twice: the commit that notes when the person was last seen, in between, is not one of the request.
    request_started.connect(_note_commits, app)
    app.before_request(_note_commits)


def problem(
    status: int, words: Words, reference: str | None = None, original: Response | AnyResponse | None = None
) -> AnyResponse:
    """Return the answer to a problem, keeping the headers of the `original` one (`Allow`, `Retry-After`…)."""
    money = _money(status)
    if wants_json():
        fields = {"type": TYPE_BASE + words.code, "title": words.title, "status": status, "detail": words.next}
        fields |= {"money": money} | ({"reference": reference} if reference else {})
        response: AnyResponse = Response(json.dumps(fields, ensure_ascii=False), mimetype="application/problem+json")
    else:
        page = render_template("problem.html", words=words, money=money, status=status, reference=reference)
        response = Response(page, mimetype="text/html")
    response.status_code = status
    for name, value in original.headers if original else ():
        if name.lower() not in ("content-type", "content-length"):
            response.headers.add(name, value)
    return response


def _money(status: int) -> str:
    # A failure of ours during a change may come after it was recorded; everything else is answered before anything is. So is a
    # database that does not answer, as long as no transaction began to be committed.
    is_ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR and request.method not in SAFE_METHODS
    is_before = status == HTTPStatus.SERVICE_UNAVAILABLE and commits_begun() == g.get("commits_begun")
    return NOT_KNOWN if is_ours and not is_before else NOTHING_TAKEN


def _note_commits(*_: object) -> None:
    g.commits_begun = commits_begun()


def _answer(error: HTTPException) -> AnyResponse:
    status = error.code
    original = error.get_response()
    if status is None or status < HTTPStatus.BAD_REQUEST:
        return original
    if status == HTTPStatus.UNAUTHORIZED and not wants_json() and (address := _sign_in_address()):
        return redirect(address)
    fallback = 500 if status >= HTTPStatus.INTERNAL_SERVER_ERROR else 400
    return problem(status, WORDS.get(status, WORDS[fallback]), g.get("failure_reference"), original)


def _log_exception(exc_info: ExceptionInfo) -> None:
    g.failure_reference = secrets.token_hex(REFERENCE_BYTES)
    # The rule that matched never holds a code; the address may.
    current_app.logger.error(
        "failure %s at %s %s", g.failure_reference, request.method, request.url_rule, exc_info=exc_info
    )


def _answer_expired(error: CSRFError) -> AnyResponse:
    return problem(HTTPStatus.BAD_REQUEST, EXPIRED, original=error.get_response())


def _answer_refused(refused: Refused) -> AnyResponse:
    return problem(HTTPStatus.CONFLICT, Words(refused.code, refused.sentence, WORDS[409].next))


def _answer_unavailable(error: Exception) -> AnyResponse:
    current_app.logger.error("the database does not answer at %s", request.url_rule, exc_info=error)
    response = problem(HTTPStatus.SERVICE_UNAVAILABLE, WORDS[503])
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _sign_in_address() -> str | None:
    endpoint = current_app.config.get("SIGN_IN_ENDPOINT")
    if not endpoint:
        return None
    try:
        # Only a page can be come back to; a POST cannot be sent again by a link.
        return url_for(endpoint, suite=request.full_path.rstrip("?") if request.method in SAFE_METHODS else None)
    except BuildError:
        return None
