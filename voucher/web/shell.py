"""What surrounds a page: whose it is, where else to go. A portal's blueprint gives it by a context processor.

@portal.context_processor
def shell() -> dict[str, object]:
    who = viewer()
    person = Person(who.name, "Finances, préparation", url_for("access.sign_out"))
    return {"shell": Shell(url_for("finance.home"), person, (Link("Règlements", url_for("finance.batches")),))}
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """A word and where it leads."""

    label: str
    url: str
    is_exact: bool = False
    """True for a home page: its link is not current on the pages below it."""
    group: str = ""
    """The section of the menu that it belongs to; without one it stands alone."""

    def is_current(self, path: str) -> bool:
        """Say whether the page at `path` is this one or stands below it."""
        if path == self.url:
            return True
        return not self.is_exact and path.startswith(self.url.rstrip("/") + "/")


@dataclass(frozen=True, slots=True)
class Section:
    """An entry of the main menu: a page alone, or a group that leads to its first page and holds `links`."""

    label: str
    url: str
    is_current: bool
    links: tuple[Link, ...] = ()
    current: Link | None = None
    """The one of `links` that the page in view is, or stands below."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in, as the header says it; `role` is in French, with the scope where it helps."""

    name: str
    role: str
    sign_out_url: str | None = None
    account_url: str | None = None
    """The page of their own."""


FOOTER = (
    Link("Aide", "/aide"),
    Link("Accessibilité", "/accessibilite"),
    Link("Mentions légales", "/mentions-legales"),
)


@dataclass(frozen=True, slots=True)
class Shell:
    """The surroundings of a page: product's home, person, main menu, links at the foot."""

    home_url: str = "/"
    person: Person | None = None
    nav: tuple[Link, ...] = ()
    footer: tuple[Link, ...] = FOOTER

    def sections(self, path: str) -> list[Section]:
        """Return the main menu as it stands on a page: links by group, in their order; a group of one is that link."""
        below = [one for one in self.nav if path.startswith(one.url)]
        current = max(below, key=lambda one: len(one.url), default=None)
        shown = current if current is not None and current.is_current(path) else None
        groups: dict[str, list[Link]] = {}
        for link in self.nav:
            groups.setdefault(link.group or link.url, []).append(link)
        found = []
        for links in groups.values():
            first = links[0]
            if len(links) == 1:
                found.append(Section(first.label, first.url, first.is_current(path)))
            else:
                here = shown if shown in links else None
                found.append(Section(first.group, first.url, current in links, tuple(links), here))
        return found
