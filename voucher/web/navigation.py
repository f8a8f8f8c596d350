"""The main menu: each folder of pages says its entries and for whom; a person sees those of their roles."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app, url_for

from voucher.access.rules import Role
from voucher.access.sessions import Viewer
from voucher.web.shell import Link


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry: its words, the endpoint it leads to, the roles that see it, its group. The first of a role is its home."""

    label: str
    endpoint: str
    roles: tuple[Role, ...]
    is_exact: bool = False
    group: str = ""


def links_for(opens: Callable[[NavItem], bool]) -> tuple[Link, ...]:
    """Return the menu of a person to whom these entries open, in the portals' order."""
    items: tuple[NavItem, ...] = current_app.extensions["navigation"]
    return tuple(Link(item.label, url_for(item.endpoint), item.is_exact, item.group) for item in items if opens(item))


def home_for(viewer: Viewer) -> str:
    """Return the first page of a person: the first entry of their first role."""
    items: tuple[NavItem, ...] = current_app.extensions["navigation"]
    for role, _ in viewer.grants:
        for item in items:
            if role in item.roles:
                return url_for(item.endpoint)
    return url_for("staff.me")
