"""How distribution is said in French: what a state, a kind or a reason is called on pages, and in lists to choose from."""

from collections.abc import Mapping

from voucher.distribution.model import PrescriberKind, StopReason
from voucher.issuing.model import BookletState, VoucherState

PRESCRIBER_KINDS: Mapping[str, str] = {
    PrescriberKind.CCAS: "CCAS ou CIAS",
    PrescriberKind.FRANCE_SERVICES: "France services",
    PrescriberKind.MISSION_LOCALE: "Mission locale",
    PrescriberKind.FRANCE_TRAVAIL: "France Travail",
    PrescriberKind.ASSOCIATION: "Association",
    PrescriberKind.OTHER: "Autre",
}

STOP_REASONS: Mapping[str, str] = {
    StopReason.LOST: "Perdu",
    StopReason.STOLEN: "Volé",
    StopReason.MISPRINTED: "Mal imprimé",
    StopReason.OTHER: "Autre raison",
}

BOOKLET_STATES: Mapping[str, str] = {
    BookletState.ISSUED: "En stock",
    BookletState.HANDED_OVER: "Remis",
    BookletState.STOPPED: "Bloqué",
    BookletState.VOID: "Annulé",
}

VOUCHER_STATES: Mapping[str, str] = {
    VoucherState.ISSUED: "en stock",
    VoucherState.HANDED_OVER: "à utiliser",
    VoucherState.REDEEMED: "utilisés",
    VoucherState.STOPPED: "bloqués",
    VoucherState.LAPSED: "caducs",
    VoucherState.VOID: "annulés",
}
