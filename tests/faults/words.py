"""How what `voucher verify` finds must be said: in French, of things by their names, with both sums; no word of English or Python."""

import importlib
import pkgutil
import re
from enum import StrEnum

import voucher
from voucher.kernel.checks import Violation

# What only Python, a table or a database writes.
CODE = re.compile(
    r"\b(None|True|False|UUID|datetime|Decimal)\b|[\[\]{}]|\(\(|\d{4}-\d\d-\d\d|\+00:00|[a-z]_[a-z]|\bcentimes\b"
)
# Codes of the house that are French words too, or names that others gave.
FRENCH_TOO = frozenset({
    "action", "association", "attendu", "attente", "autre", "batch", "ccas", "client", "code", "complaint",
    "comptable", "csv", "department", "direct", "europe", "euros", "finance", "france", "impossible", "json", "locale", "message",
    "mission", "mobile", "note", "operator", "page", "paris", "part", "pdf", "period", "programme", "public", "region",
    "report", "rna", "services", "siret", "state", "stock", "structure", "tout", "transit", "transmis",
    "travail",
})  # fmt: skip
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
EUROS = re.compile(r"-?[\d\u202f]+,\d\d\u00a0€")


def english() -> frozenset[str]:
    """Return the words of every state, kind and event of the house, which are English."""
    for module in pkgutil.walk_packages(voucher.__path__, "voucher."):
        if not module.name.startswith("voucher.cli"):
            importlib.import_module(module.name)
    waiting, words = [StrEnum], set()
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("voucher."):
            words |= {word for one in kind for word in one.value.split("_") if word.isascii() and len(word) > 2}
    return frozenset(words) - FRENCH_TOO


# Of these, the only sum says what it is about; none differs from another.
ONE_SUM = frozenset(
    (
        "two_people_decide",
        "payments_go_to_confirmed_ribs",
        "a_duplicate_is_offered_again_by_two_people",
        "reconciliations_explain_every_cent",  # what no line of either side explains
    )
)


def badly_said(found: Violation, known: frozenset[str], *, is_gone: bool) -> list[str]:
    """Return what is wrong with how a violation is said; what `is_gone` from the database has its identifier alone."""
    said = f"{found.subject} : {found.detail}"
    # A name that a person or a file gave may be in any language: it stands in guillemets, or is a reference.
    ours = re.sub(r"« [^»]* »|\S+@\S+", "", said)
    troubles = [f"code: {one[0]}" for one in CODE.finditer(ID.sub("", ours))]
    troubles += [f"English: {word}" for word in re.findall(r"[^\W\d_]{3,}", ours) if word in known]
    # An identifier alone names nothing; beside a name, it says which row.
    without = re.sub(rf"\({ID.pattern}\)", "", said)
    troubles += ["an identifier alone"] if ID.search(without) and not is_gone else []
    sums = EUROS.findall(found.detail)
    troubles += ["one sum alone"] if len(sums) == 1 and found.check not in ONE_SUM else []
    return troubles
