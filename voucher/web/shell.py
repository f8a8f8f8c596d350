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

    def is_current(self, path: str) -> bool:
        """Say whether the page at `path` is this one or stands below it."""
        if path == self.url:
            return True
        return not self.is_exact and path.startswith(self.url.rstrip("/") + "/")


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in, as the header says it; `role` is in French, with the scope where it helps."""

    name: str
    role: str
    sign_out_url: str | None = None


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
