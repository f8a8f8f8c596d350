"""The composition root: settings, database, portals. Gunicorn calls `create_app()`; nobody else imports this but tests."""

import sys
from collections.abc import Callable
from datetime import datetime

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

import merchant_portal
from issuer_portal import (
    board,
    books,
    finance,
    funding,
    issuer,
    ledger,
    own_account,
    prescriber,
    programme,
    sign_in,
    staff,
)
from merchant_portal import payments, place
from voucher import wallet
from voucher.kernel.collector import collect_less_often
from voucher.kernel.database import Database
from voucher.kernel.settings import Settings, WrongSettings
from voucher.ledger.chart_file import chart_numbers
from voucher.startup import settings_of_environment
from voucher.web import access, install
from voucher.web.navigation import NavItem
from voucher.web.own_address import OwnAddress
from voucher.web.services import Services, utc_now

PORTALS = (
    wallet,
    merchant_portal,
    place,
    payments,
    board,
    finance,
    funding,
    programme,
    issuer,
    prescriber,
    books,
    ledger,
    staff,
    sign_in,
    own_account,
)
"""The folders of pages, in the order of their menu entries: the first that a role sees is where it lands."""

UPLOAD_BYTES_MAX = 64 * 1024 * 1024
# The exit code at which gunicorn stops instead of starting the worker again (its APP_LOAD_ERROR).
CANNOT_START = 4


def create_app(settings: Settings | None = None, now: Callable[[], datetime] = utc_now) -> Flask:
    """Return the application. Settings come from the environment unless they are given (tests do); so does the hour."""
    settings = settings or _settings_of_environment()
    # A chart of accounts that is wrong is said now, with every error, and not on the first page that shows it.
    chart_numbers(settings.chart_file)
    app = Flask(__name__, static_folder=None)
    is_https = settings.base_url.startswith("https:")
    app.config.update(
        SECRET_KEY=settings.secret_key.get_secret_value(),
        PROGRAMME_NAME=settings.programme_name,
        IS_DEMO=settings.is_demo,
        HELP_CONTACT=settings.help_contact,
        HAS_PROVIDER=bool(settings.provider_discovery_url),
        RELYING_PARTY=settings.relying_party,
        SIGN_IN_ENDPOINT="staff.sign_in",
        MAX_CONTENT_LENGTH=UPLOAD_BYTES_MAX,
        PREFERRED_URL_SCHEME="https" if is_https else "http",
        SESSION_COOKIE_NAME="pass_form",
        SESSION_COOKIE_SECURE=is_https,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    app.wsgi_app = OwnAddress(app.wsgi_app, settings.base_url)  # type: ignore[method-assign]
    if settings.proxy_count:
        forwarded = settings.proxy_count
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=forwarded, x_proto=forwarded)  # type: ignore[method-assign]
    database = Database(settings.database_url, settings.database_pool_size, settings.page_limits)
    app.extensions["services"] = Services(database, settings, now)
    install(app)
    navigation: list[NavItem] = []
    for portal in PORTALS:
        app.register_blueprint(portal.blueprint)
        navigation += portal.NAVIGATION
    app.extensions["navigation"] = tuple(navigation)
    access.install(app)
    return app


def _settings_of_environment() -> Settings:
    """Return the settings, or say what is wrong in them and end the process: a trace of calls would help nobody."""
    collect_less_often()
    try:
        return settings_of_environment()
    except WrongSettings as wrong:
        sys.stderr.write(f"{wrong}\n")
        sys.exit(CANNOT_START)
