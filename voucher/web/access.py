"""Who may see a page. Every view has an access class, said under its route; one without stops the application.

    @blueprint.get("/commandes")
    @staff(Role.ISSUER)
    def orders() -> str: ...

The session lives in the database; the cookie holds only its token. A public page touches no session at all, but for the few
that show the second step of a sign-in (`@second_step`). Whoever must have a second factor and has shown none is led to the page
where one is added (`@staff(before_factor=True)`), and to nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID

from flask import Flask, Response, abort, after_this_request, current_app, flash, g, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from voucher.access import sessions
from voucher.access.browsers import BROWSER_LIVES, is_remembered
from voucher.access.read import person
from voucher.access.rules import PAYING_ROLES, ROLE_NAMES, SECOND_FACTOR_ROLES, SLEEPS_FOR_DEPUTIES, Role, idle_limit
from voucher.access.sessions import Viewer, note_seen, viewer_of, waiting_account
from voucher.access.tokens import token_hash
from voucher.access.visits import Visit
from voucher.kernel.calendar import french_date
from voucher.settlement.batches.read_deputies import Deputyship, standing_in
from voucher.web.navigation import NavItem, home_for, links_for
from voucher.web.services import services
from voucher.web.shell import Person, Shell

View = TypeVar("View", bound=Callable[..., Any])

SESSION_COOKIE = "pass_session"
BROWSER_COOKIE = "pass_navigateur"
EVERYONE: frozenset[Role] = frozenset()
"""The access class of a public view."""

SIGNED_IN = frozenset(Role)
"""The access class of what anyone signed in may do, even without a role yet."""

FRAMEWORK_ENDPOINTS = frozenset({"web.static"})


def public(view: View) -> View:
    """Open a view to everybody, without a session."""
    view.__dict__["access"] = EVERYONE
    return view


def second_step(view: View) -> View:
    """Open a view to whoever showed a password and has a second factor to show: `waiting()` says who. Others sign in first."""
    view.__dict__["second_step"] = True
    return public(view)


def staff(*roles: Role, deputies: bool = False, before_factor: bool = False) -> Callable[[View], View]:
    """Open a view to people who are signed in with one of `roles`; with none named, to anyone signed in.

    `deputies` opens it too to whoever stands in for an approver, while they do; `before_factor` to whoever has still to add the
    second factor that their role asks for.
    """

    def mark(view: View) -> View:
        view.__dict__["access"] = frozenset(roles) or SIGNED_IN
        view.__dict__["deputies"] = deputies
        view.__dict__["before_factor"] = before_factor
        return view

    return mark


def access_of(app: Flask, endpoint: str) -> frozenset[Role] | None:
    """Return the roles that may call an endpoint; empty for a public one, None when nothing was said."""
    if endpoint in FRAMEWORK_ENDPOINTS:
        return EVERYONE
    found = app.view_functions[endpoint].__dict__.get("access")
    return found if isinstance(found, frozenset) else None


def is_second_step(app: Flask, endpoint: str) -> bool:
    """Say whether an endpoint is of the second step of a sign-in."""
    return _is_marked(app, endpoint, "second_step")


def is_open_before_factor(app: Flask, endpoint: str) -> bool:
    """Say whether whoever has still to add a second factor may call an endpoint."""
    return _is_marked(app, endpoint, "before_factor")


def _is_marked(app: Flask, endpoint: str, mark: str) -> bool:
    return bool(app.view_functions[endpoint].__dict__.get(mark)) if endpoint in app.view_functions else False


def is_open_to_deputies(app: Flask, endpoint: str) -> bool:
    """Say whether whoever stands in for an approver may call an endpoint."""
    return _is_marked(app, endpoint, "deputies")


def deputyship() -> Deputyship | None:
    """Return as whose deputy the person behind this request approves batches now, or None."""
    found = g.get("deputyship")
    return found if isinstance(found, Deputyship) else None


def viewer() -> Viewer:
    """Return the person behind this request; only in views marked `@staff`."""
    found = g.viewer
    assert isinstance(found, Viewer)
    return found


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sign-in whose password was right: of which account, and the token of its session, which waits for a second factor."""

    account_id: UUID
    token: str


def waiting() -> Waiting:
    """Return the sign-in behind this request; only in views marked `@second_step`."""
    found = g.waiting
    assert isinstance(found, Waiting)
    return found


def must_have_factor() -> bool:
    """Say whether the person behind this request may not be without a second factor: their role, or whose deputy they are."""
    return bool(g.get("must_have_factor"))


def lacks_factor() -> bool:
    """Say whether that person has yet to show one: every page but those that add it is closed to them."""
    return bool(g.get("lacks_factor"))


def install(app: Flask) -> None:
    """Guard every view of `app`, first of all. Call it last: it refuses an application with a view that has no access class."""
    without = sorted(rule.endpoint for rule in app.url_map.iter_rules() if access_of(app, rule.endpoint) is None)
    if without:
        raise RuntimeError(f"these views do not say who may come: {', '.join(without)}")
    # The first to run: access is refused before the body of a request is read.
    app.before_request_funcs.setdefault(None, []).insert(0, _guard)
    app.context_processor(_shell)


def _guard() -> BaseResponse | None:
    if request.endpoint is None:
        return None
    roles = access_of(current_app, request.endpoint)
    if roles is None:
        abort(500)
    if not roles:
        return _second_step() if is_second_step(current_app, request.endpoint) else None
    token = request.cookies.get(SESSION_COOKIE, "")
    here, now = services(), services().now()
    found = person_of(token)
    found = _awake(found) if found else None
    if found is None or (deputyship() and now - found.seen_at > idle_limit(PAYING_ROLES, here.settings.idle_limits)):
        return _ask_to_sign_in(token)
    note_seen(here.database, found, now)
    asks = services().settings.asks_second_factor
    g.must_have_factor = asks and (found.may(*SECOND_FACTOR_ROLES) or deputyship() is not None)
    g.lacks_factor = g.must_have_factor and not found.is_strong
    if lacks_factor() and not is_open_before_factor(current_app, request.endpoint):
        return _ask_for_factor()
    if (
        roles != SIGNED_IN
        and not found.may(*roles)
        and not (deputyship() and is_open_to_deputies(current_app, request.endpoint))
    ):
        abort(403)
    g.viewer = found
    return None


def _awake(found: Viewer) -> Viewer:
    """Return a person with the roles that hold now: while they stand in for an approver, a preparer's sleeps (ADR 34)."""
    if any(role is not SLEEPS_FOR_DEPUTIES for role, _ in found.grants):
        return found
    database = services().database
    standing = standing_in(database, found.account_id, now=services().now())
    if standing is None:
        return found
    approver = person(database, standing.approver_id, now=services().now())
    is_approver = approver is not None and (Role.FINANCE_APPROVER, standing.issuer_id) in approver.roles
    if approver is None or approver.closed_at is not None or not is_approver:
        return found
    g.deputyship = standing
    return replace(found, grants=())


def _second_step() -> BaseResponse | None:
    token = request.cookies.get(SESSION_COOKIE, "")
    account_id = waiting_account(services().database, token, now=services().now()) if token else None
    if account_id is None:
        return redirect(url_for("staff.sign_in", suite=request.args.get("suite")))
    g.waiting = Waiting(account_id, token)
    return None


def _ask_to_sign_in(token: str) -> BaseResponse:
    if request.method != "GET" or "/api/" in request.path:
        abort(401)
    here = services()
    is_waiting = token and waiting_account(here.database, token, now=here.now()) is not None
    there = "sign_in.second_factor" if is_waiting else "staff.sign_in"
    if token and not is_waiting:
        flash("Votre connexion est terminée. Reconnectez-vous : vous reviendrez à cette page.", "info")
    return redirect(url_for(there, suite=request.full_path.rstrip("?")))


def _ask_for_factor() -> BaseResponse:
    if "/api/" in request.path:
        abort(403)
    return redirect(url_for("own_account.factors"))


def _shell() -> dict[str, object]:
    found = g.get("viewer")
    if not isinstance(found, Viewer):
        return {}
    roles = ", ".join(ROLE_NAMES[role] for role, _ in found.grants)
    if standing := deputyship():
        roles = f"Valide des lots jusqu’au {french_date(standing.until_on)}"

    def opens(item: NavItem) -> bool:
        return found.may(*item.roles) or (standing is not None and is_open_to_deputies(current_app, item.endpoint))

    if lacks_factor():
        return {"shell": Shell(url_for("own_account.factors"), Person(found.name, roles, url_for("staff.sign_out")))}
    links = links_for(opens)
    home_url = links[0].url if standing else home_for(found)
    return {"shell": Shell(home_url, Person(found.name, roles, url_for("staff.sign_out"), url_for("staff.me")), links)}


def keep_session(response: Response, token: str) -> Response:
    """Give the browser the token of its session, until it is closed, and the one by which it is known again."""
    return keep_browser(_keep_token(response, SESSION_COOKIE, token))


def person_of(token: str) -> Viewer | None:
    """Return the person of a session that is still good, by the limits of this installation, or None."""
    here = services()
    return viewer_of(here.database, token, now=here.now(), idle=here.settings.idle_limits) if token else None


def change_token(who: Viewer) -> None:
    """Give the session of who is behind this request another token: they have just proved again who they are. Raises Refused."""
    token = sessions.change_token(services().database, who)
    if "viewer" in g:
        g.viewer = replace(who, token_sha256=token_hash(token))

    def keep(response: Response) -> Response:
        # What the view itself gave the browser (another token still, or none) came after.
        is_given = any(one.startswith(f"{SESSION_COOKIE}=") for one in response.headers.getlist("Set-Cookie"))
        return response if is_given else _keep_token(response, SESSION_COOKIE, token)

    after_this_request(keep)


def keep_browser(response: Response) -> Response:
    """Give the browser its new token, where this visit made it known: for as long as it is remembered."""
    visit = g.get("visit")
    if not isinstance(visit, Visit) or not is_remembered(services().database, visit):
        return response
    return _keep_token(response, BROWSER_COOKIE, visit.new_browser_token, int(BROWSER_LIVES.total_seconds()))


def _keep_token(response: Response, name: str, token: str, seconds: int | None = None) -> Response:
    """Keep a token in the browser, out of reach of scripts, never sent by another site's form."""
    response.set_cookie(
        name,
        token,
        max_age=seconds,
        httponly=True,
        samesite="Lax",
        secure=services().settings.base_url.startswith("https:"),
        path="/",
    )
    return response
