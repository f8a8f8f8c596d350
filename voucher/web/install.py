"""One call puts the web room into an application: templates, static files, filters, forms, headers, error pages."""

from typing import Any

from flask import Blueprint, Flask
from werkzeug.routing import IntegerConverter

from voucher.web import acts, asks_again, filters, forms, headers, logs, patience, problems, uploads
from voucher.web.shell import Shell

PROGRAMME_NAME = "Pass numérique"
STORED_INTEGER_MAX = 2**63 - 1


class StoredInteger(IntegerConverter):
    """A number in an address, `<int:…>`, that a table can hold: a greater one is found nowhere."""

    def __init__(self, map: Any) -> None:  # noqa: A002 - Werkzeug's name
        super().__init__(map, max=STORED_INTEGER_MAX)


def install(app: Flask) -> None:
    """Make `app` look and answer as this product does.

    Reads `app.config`: PROGRAMME_NAME, IS_DEMO (shows the demonstration strip), HELP_CONTACT (shown on error pages),
    HAS_PROVIDER (offers ProConnect where people sign in) and SIGN_IN_ENDPOINT (where an HTML page that needs a person sends who has none). Raises RuntimeError when the application
    serves static files of its own, which would hide ours.
    """
    if app.static_folder is not None:
        raise RuntimeError("make the application with static_folder=None: static files are served by voucher.web")
    app.config.setdefault("PROGRAMME_NAME", PROGRAMME_NAME)
    app.config.setdefault("IS_DEMO", False)
    app.config.setdefault("HELP_CONTACT", "")
    app.config.setdefault("HAS_PROVIDER", False)
    app.config.setdefault("SIGN_IN_ENDPOINT", None)
    app.url_map.converters["int"] = StoredInteger
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    web = Blueprint("web", __name__, template_folder="templates", static_folder="static", static_url_path="/static")
    app.register_blueprint(web)
    app.context_processor(lambda: {"shell": Shell()})
    logs.install(app)
    filters.install(app)
    uploads.install(app)
    patience.install(app)
    forms.install(app)
    asks_again.install(app)
    acts.install(app)
    headers.install(app)
    problems.install(app)
