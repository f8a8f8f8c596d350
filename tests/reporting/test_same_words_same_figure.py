"""The same words give the same figure wherever they are read: the demonstration's pages are walked, their figures compared."""

import re
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.clients import app_for
from tests.demonstrated import NOW
from tests.said_figures import said_figures
from voucher.access import sessions
from voucher.access.rules import Role
from voucher.demonstration import DEMO_PASSWORD, DEMO_STAFF
from voucher.funding.read import overdue_calls
from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.settlement.batches.read_periods import to_do
from voucher.web.access import SESSION_COOKIE, access_of

OF_EACH_LIST = "the head of a column in many lists: the caption says of what"
ALONE = "a unit that the sentence around it gives its meaning"
EXCEPTIONS = {
    "Chèques": OF_EACH_LIST,
    "Montant": OF_EACH_LIST,
    "Total": OF_EACH_LIST,
    "en tout": "« 3 rejets en tout », « 3 800,00 € en tout »: what is counted stands before",
    "jours": ALONE,
    "lignes": ALONE,
    "structures": ALONE,
    **dict.fromkeys(
        [
            "janvier",
            "février",
            "mars",
            "avril",
            "mai",
            "juin",
            "juillet",
            "août",
            "septembre",
            "octobre",
            "novembre",
            "décembre",
        ],
        "a date",
    ),
}
"""Labels that stand for several figures, each with its reason."""

# What is typed, not read; and pages that everybody has.
NOT_WALKED = re.compile(r"/(static|personnes|\.well-known)|/nouve|\.csv$")


def test_the_same_words_give_the_same_figure_on_every_page_of_the_demonstration(
    open_demonstration: Callable[[str], AbstractContextManager[Database]],
) -> None:
    figures: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    with open_demonstration("sqlite") as database:
        app = app_for(database, NOW, is_demo=True)
        client = app.test_client()
        token = sessions.sign_in(database, DEMO_STAFF[Role.AUDITOR][0], DEMO_PASSWORD, now=NOW)
        client.set_cookie(SESSION_COOKIE, token)
        for rule in app.url_map.iter_rules():
            access = access_of(app, rule.endpoint) or frozenset()
            is_read = "GET" in (rule.methods or ()) and not rule.arguments and not NOT_WALKED.search(rule.rule)
            if is_read and (not access or Role.AUDITOR in access):
                answer = client.get(rule.rule)
                # A page that leads elsewhere (the second step of a sign-in) shows no figure.
                for label, figure in () if answer.location else said_figures(answer.get_data(as_text=True)):
                    figures[label][figure].add(rule.rule)
        todo = to_do(database)
        with database.read() as session:
            overdue = overdue_calls(session, today=paris_day(NOW))
    told = {
        label: {figure: sorted(pages)[:3] for figure, pages in found.items()}
        for label, found in figures.items()
        if len(found) > 1 and len(set().union(*found.values())) > 1
    }
    assert {label: found for label, found in told.items() if label not in EXCEPTIONS} == {}
    assert set(EXCEPTIONS) - set(told) <= set(EXCEPTIONS) - {"Montant", "Total", "Chèques"}, (
        "the walk reads what it says it does"
    )
    # What the walk compares is there to compare.
    shared = {label for label, found in figures.items() if len(set().union(*found.values())) > 1}
    assert {"lignes à identifier", "à régler", "dû aux structures", "en transit"} <= shared
    # And the figures that one page says in a table and another in a sentence.
    (owed,) = figures["En attente"]
    assert (
        owed.replace("\u202f", "").replace("\u00a0", " ") == f"{todo.held_cents // 100},{todo.held_cents % 100:02d} €"
    )
    assert (overdue is None) is ("appels en retard" not in figures and "appel en retard" not in figures)


def test_words_with_two_figures_would_be_seen() -> None:
    page = '<main><p class="figure-value"><strong>2</strong> <span>lignes à identifier</span></p><p>6 lignes à identifier.</p></main>'
    assert list(said_figures(page)) == [("lignes à identifier", "2"), ("lignes à identifier", "6")]


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (
            "<main><p>En attente : 1\u202f010,00\u00a0€, 4 règlements.</p></main>",
            [("règlements", "4"), ("En attente", "1\u202f010,00\u00a0€")],
        ),
        (
            '<main><dl class="definitions"><div><dt>Tenu</dt><dd>3,00\u00a0€</dd></div></dl></main>',
            [("Tenu", "3,00\u00a0€")],
        ),
        (
            "<main><table><thead><tr><th>Nom</th><th>Dû ↕</th></tr></thead><tfoot><tr><th>Total</th><td>5</td></tr></tfoot></table></main>",
            [("Dû", "5")],
        ),
    ],
)
def test_figures_are_read_with_their_words(page: str, said: list[tuple[str, str]]) -> None:
    assert list(said_figures(page)) == said
