"""Where each decision is taken: the first page that exists and that the viewer may open."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import current_app, url_for

from voucher.access.sessions import Viewer
from voucher.ledger.chart import Code
from voucher.reporting.decisions import Decision, Risk
from voucher.web.access import access_of
from voucher.web.filters import plural


@dataclass(frozen=True, slots=True)
class Wording:
    """How a risk is counted and what its amount is, then the pages where it is dealt with."""

    one: str
    many: str
    amount: str
    act: str
    pages: tuple[tuple[str, Mapping[str, Any]], ...]


WORDINGS: Mapping[Risk, Wording] = {
    Risk.BATCH_WAITS: Wording(
        "lot",
        "lots",
        "à valider ou à transmettre",
        "Voir l’argent qui attend",
        (("finance.batches", {}), ("ledger.stages", {})),
    ),
    Risk.NO_BANK_DETAILS: Wording(
        "structure",
        "structures",
        "dus",
        "Voir les structures sans RIB",
        (("programme.structures", {"rib": "without"}),),
    ),
    Risk.RIB_TO_CONFIRM: Wording(
        "structure", "structures", "dus", "Voir les RIB à confirmer", (("finance.waiting_ribs", {}),)
    ),
    Risk.TRANSFER_UNCONFIRMED: Wording(
        "virement",
        "virements",
        "en transit",
        "Voir le compte d’attente",
        (("ledger.accounts", {"compte": Code.IN_TRANSIT}),),
    ),
    Risk.BANK_LINES: Wording(
        "ligne",
        "lignes",
        "à identifier",
        "Voir ces lignes",
        (("finance.lines", {"etat": "a-identifier"}), ("ledger.accounts", {"compte": Code.UNIDENTIFIED})),
    ),
    Risk.LAST_DAY_NEAR: Wording(
        "chèque", "chèques", "à utiliser", "Voir les conventions", (("programme.agreements", {}),)
    ),
    Risk.CREDIT_LOW: Wording(
        "convention", "conventions", "encore disponibles", "Voir les conventions", (("programme.agreements", {}),)
    ),
    Risk.STOCK_STILL: Wording(
        "prescripteur", "prescripteurs", "en stock", "Joindre les émetteurs", (("programme.issuers", {}),)
    ),
}


def how_many(decision: Decision) -> str:
    """Return « 3 structures »."""
    words = WORDINGS[decision.risk]
    return plural(decision.count, words.one, words.many)


def link_of(decision: Decision, viewer: Viewer) -> tuple[str, str] | None:
    """Return the address where the decision is taken and the words of its button; None where the viewer may go nowhere."""
    words = WORDINGS[decision.risk]
    for endpoint, values in words.pages:
        if endpoint in current_app.view_functions and viewer.may(*(access_of(current_app, endpoint) or ())):
            return url_for(endpoint, **values), words.act
    return None
