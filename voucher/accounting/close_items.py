"""What two people look at before a year is closed: each item, its name, what to do about it, and which of them block."""

from collections.abc import Mapping
from enum import StrEnum


class CloseItem(StrEnum):
    """An item of the list, in its order. The first two block; the rest may be accepted, with a reason."""

    OPEN_PERIODS = "open_periods"
    STATEMENT_GAPS = "statement_gaps"
    NO_RECENT_STATEMENT = "no_recent_statement"
    LINES_TO_IDENTIFY = "lines_to_identify"
    USES_NOT_CALLED = "uses_not_called"
    IN_TRANSIT = "in_transit"


BLOCKING = frozenset({CloseItem.OPEN_PERIODS, CloseItem.STATEMENT_GAPS})

ITEM_NAMES: Mapping[CloseItem, str] = {
    CloseItem.OPEN_PERIODS: "Périodes de règlement encore ouvertes",
    CloseItem.STATEMENT_GAPS: "Relevés manquants",
    CloseItem.NO_RECENT_STATEMENT: "Comptes sans relevé jusqu’au 31 décembre",
    CloseItem.LINES_TO_IDENTIFY: "Lignes de banque à identifier",
    CloseItem.USES_NOT_CALLED: "Usages non appelés aux financeurs",
    CloseItem.IN_TRANSIT: "Virements transmis, non débités",
}

WHAT_TO_DO: Mapping[CloseItem, str] = {
    CloseItem.OPEN_PERIODS: "Arrêtez-les : elles prennent encore des encaissements.",
    CloseItem.STATEMENT_GAPS: "Demandez à la banque les relevés qui manquent, puis importez-les.",
    CloseItem.NO_RECENT_STATEMENT: "Importez le relevé du 31 décembre.",
    CloseItem.LINES_TO_IDENTIFY: "Dites ce qu’elles sont.",
    CloseItem.USES_NOT_CALLED: "Appelez-les.",
    CloseItem.IN_TRANSIT: "Importez le relevé qui les dit.",
}
