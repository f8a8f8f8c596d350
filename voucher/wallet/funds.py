"""The public page of the funds behind the vouchers: the signed figure of each day, its meaning, and how to check it."""

from datetime import date
from http import HTTPStatus

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Response, abort, render_template

from voucher.funding.publish import first_published_on, published_days, published_figure
from voucher.programme.programme_key import programme_key
from voucher.wallet.pages import blueprint
from voucher.web.access import public
from voucher.web.headers import cacheable
from voucher.web.services import services

DAYS_SHOWN = 30
FILE_SECONDS = 300


@blueprint.get("/fonds")
@public
@cacheable(FILE_SECONDS)
def funds() -> str:
    """Show the last published figure, by agreement and in all, and the days before it."""
    database = services().database
    return render_template(
        "wallet/funds.html",
        figure=published_figure(database),
        days=published_days(database, DAYS_SHOWN),
        first_on=first_published_on(database),
        settings=services().settings,
    )


@blueprint.get("/.well-known/pass-numerique/fonds/<day>.txt")
@public
@cacheable(FILE_SECONDS)
def funds_file(day: str) -> Response:
    """Give the signed text of a day (« 2026-11-21 »), or of the last one (« latest »), as it was published."""
    try:
        asked = None if day == "latest" else date.fromisoformat(day)
    except ValueError:
        abort(HTTPStatus.NOT_FOUND)
    figure = published_figure(services().database, asked)
    if figure is None:
        abort(HTTPStatus.NOT_FOUND)
    return Response(figure.file, content_type="text/plain; charset=utf-8")


@blueprint.get("/.well-known/pass-numerique/programme.pem")
@public
@cacheable(FILE_SECONDS)
def programme_public_key() -> Response:
    """Give the public key of the programme, which signs what it publishes."""
    public_key: Ed25519PublicKey = programme_key(services().settings.master_secret).public_key()
    pem = public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return Response(pem, content_type="application/x-pem-file")
