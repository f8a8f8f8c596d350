"""The folder's blueprint, and what every door ends with."""

from urllib.parse import urlsplit

from flask import Blueprint, make_response, redirect, session, url_for
from werkzeug.wrappers import Response

from voucher.web.access import keep_session, person_of
from voucher.web.navigation import home_for

blueprint = Blueprint("sign_in", __name__, url_prefix="/connexion", template_folder="templates")


def enter(token: str, wanted: str = "") -> Response:
    """Let a person in whose session was just opened for this visit, and lead them to the page they asked for (`wanted`) or to their own.

    A session that waits leads to its second step first.
    """
    # A new person, a new form token: what was set before the sign-in is not kept.
    session.clear()
    found = person_of(token)
    asked = local_path(wanted)
    there = (asked or home_for(found)) if found else url_for("sign_in.second_factor", suite=asked)
    return keep_session(make_response(redirect(there)), token)


def local_path(text: str) -> str | None:
    """Return a path of this site, never an address elsewhere."""
    is_local = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if is_local and not urlsplit(text).netloc else None
