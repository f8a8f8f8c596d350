"""What filters and sorts of lists are called in addresses, in French, and what capabilities call them."""

from collections.abc import Mapping

ADDRESS_KEYS: Mapping[str, str] = {
    "a": "at_most",
    "annee": "year",
    "appel": "call",
    "au": "until",
    "banque": "bank",
    "carnet": "booklet",
    "circuit": "channel",
    "compte": "account",
    "convention": "agreement",
    "de": "at_least",
    "departement": "department",
    "du": "since",
    "etape": "step",
    "etat": "state",
    "jour": "day",
    "lieu": "place",
    "lot": "batch",
    "mois": "month",
    "montant": "amount",
    "motif": "reason",
    "nom": "name",
    "numero": "number",
    "ouverts": "open",
    "prescripteur": "prescriber",
    "qui": "who",
    "quoi": "event",
    "retard": "late",
    "rib": "bank_details",
    "solde": "balance",
    "sujet": "subject",
    "texte": "text",
    "tiers": "third",
    "type": "kind",
}
"""Those that have one name on both sides are left out."""


def asked_name(name: str) -> str:
    """Return the name that capabilities know for a filter or a sort; what only a page knows keeps its own."""
    return ADDRESS_KEYS.get(name, name)


def asked_filters(filters: Mapping[str, str]) -> dict[str, str]:
    """Return filters by the names that capabilities know."""
    return {asked_name(name): value for name, value in filters.items()}
