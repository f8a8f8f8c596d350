"""Pure decisions of the counter: every way it says no, in order of precedence, and the limits it keeps."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from voucher.kernel.calendar import ThreeDates, french_date, french_instant
from voucher.kernel.number_labels import serial_label

VOUCHERS_MAX = 31  # what one booklet can hold, and so one act at the counter
WRONG_CODES_WINDOW = timedelta(hours=1)
WRONG_CODES_BY_MEDIATOR_MAX = 10
WRONG_CODES_BY_VOUCHER_MAX = 5


class CounterRefusal(StrEnum):
    """Why the counter says no. The first that applies is told: what the paper is, then the place, then the voucher's life."""

    UNREADABLE = "unreadable"
    NO_CODE = "no_code"
    TOO_MANY = "too_many"
    SERVICE_UNKNOWN = "service_unknown"
    BOOKLET_COVER = "booklet_cover"
    FOREIGN = "foreign"
    FORGED = "forged"
    OTHER_BODY = "other_body"
    UNDONE_ALREADY = "undone_already"
    SEVERAL_BOOKLETS = "several_booklets"
    PLACE_CLOSED = "place_closed"
    STRUCTURE_SUSPENDED = "structure_suspended"
    TYPING_LOCKED = "typing_locked"
    VOUCHER_LOCKED = "voucher_locked"
    WRONG_CODE = "wrong_code"
    UNKNOWN_VOUCHER = "unknown_voucher"
    REVOKED_KEY = "revoked_key"
    VOID = "void"
    STOPPED = "stopped"
    NOT_HANDED_OVER = "not_handed_over"
    REDEEMED_HERE = "redeemed_here"
    REDEEMED_ELSEWHERE = "redeemed_elsewhere"
    LAPSED = "lapsed"
    EXPIRED = "expired"
    ONE_BY_ONE = "one_by_one"
    BUSY = "busy"
    UNDO_UNKNOWN = "undo_unknown"
    UNDO_TOO_LATE = "undo_too_late"
    UNDO_STOPPED = "undo_stopped"
    UNDO_DISPUTED = "undo_disputed"

    @property
    def template(self) -> str:
        """The French sentence, with what is known left open: it says what to do next."""
        return _TEMPLATES[self]

    @property
    def may_retry(self) -> bool:
        """Say whether the same voucher may pass later, or by another way."""
        return self in _MAY_RETRY

    @property
    def is_misunderstanding(self) -> bool:
        """Say whether the request itself cannot be honoured, whatever the state of vouchers: it is told but not recorded."""
        return self in _MISUNDERSTANDINGS


_TEMPLATES = {
    CounterRefusal.UNREADABLE: "{detail}",
    CounterRefusal.NO_CODE: "Aucun chèque n’est prêt. Scannez un chèque ou tapez son code.",
    CounterRefusal.TOO_MANY: "Il y a trop de chèques. Encaissez ceux d’un seul carnet à la fois.",
    CounterRefusal.SERVICE_UNKNOWN: "Le service rendu n’est pas choisi. Choisissez-le, puis encaissez.",
    CounterRefusal.BOOKLET_COVER: (
        "Ce code est celui de la couverture du carnet. Ouvrez le carnet et scannez le code d’un chèque."
    ),
    CounterRefusal.FOREIGN: "Ce chèque n’est pas de ce programme. Demandez un autre chèque.",
    CounterRefusal.FORGED: "Ce code n’est pas authentique. N’acceptez pas ce papier et prévenez le programme.",
    CounterRefusal.OTHER_BODY: "Cette demande a déjà servi pour autre chose. Scannez à nouveau le chèque.",
    CounterRefusal.UNDONE_ALREADY: "Cet encaissement a été annulé le {at}. Pour encaisser, scannez à nouveau le chèque.",
    CounterRefusal.SEVERAL_BOOKLETS: "Ces chèques viennent de plusieurs carnets. Encaissez un carnet à la fois.",
    CounterRefusal.PLACE_CLOSED: "Ce lieu est fermé dans le programme. Choisissez un autre lieu ou prévenez votre responsable.",
    CounterRefusal.STRUCTURE_SUSPENDED: (
        "Votre structure ne peut pas encaisser en ce moment. Gardez le chèque et prévenez votre responsable."
    ),
    CounterRefusal.TYPING_LOCKED: "Vous avez tapé trop de codes faux. Scannez le code, ou revenez après le {at}.",
    CounterRefusal.VOUCHER_LOCKED: "Le code de ce chèque a été mal tapé trop de fois. Scannez-le, ou revenez après le {at}.",
    CounterRefusal.WRONG_CODE: "Ce code ne correspond à aucun chèque. Comparez avec le papier et tapez-le de nouveau.",
    CounterRefusal.UNKNOWN_VOUCHER: "{voucher} n’est pas dans nos registres. Ne l’acceptez pas et prévenez le programme.",
    CounterRefusal.REVOKED_KEY: "{voucher} vient d’une série retirée. Ne l’acceptez pas et prévenez le programme.",
    CounterRefusal.VOID: "{voucher} a été détruit avant sa remise. Ne l’acceptez pas et prévenez le programme.",
    CounterRefusal.STOPPED: "{voucher} est en opposition. Ne l’acceptez pas. La personne peut voir qui lui a remis le carnet.",
    CounterRefusal.NOT_HANDED_OVER: (
        "{voucher} n’est pas encore remis. La personne doit d’abord faire remettre le carnet par son prescripteur."
    ),
    CounterRefusal.REDEEMED_HERE: "{voucher} a déjà été encaissé le {at}, ici. Prenez un autre chèque du carnet.",
    CounterRefusal.REDEEMED_ELSEWHERE: (
        "{voucher} a déjà été encaissé le {at}, dans un autre lieu. Prenez un autre chèque du carnet."
    ),
    CounterRefusal.LAPSED: "{voucher} est perdu depuis le {on} : il ne peut plus être payé. Demandez un autre chèque.",
    CounterRefusal.EXPIRED: "{voucher} est périmé : il fallait l’encaisser au plus tard le {on}. Demandez un autre chèque.",
    CounterRefusal.ONE_BY_ONE: "Ces chèques n’ont pas été remis ensemble. Encaissez-les un par un.",
    CounterRefusal.BUSY: "Ce chèque change en ce moment même. Attendez un instant et recommencez.",
    CounterRefusal.UNDO_UNKNOWN: "Cet encaissement n’est pas de ce lieu. Annulez-le depuis le lieu où il a été fait.",
    CounterRefusal.UNDO_TOO_LATE: "Il est trop tard pour annuler : c’était possible jusqu’au {at}. Prévenez votre responsable.",
    CounterRefusal.UNDO_STOPPED: "Le carnet est en opposition depuis. Cet encaissement ne s’annule plus. Prévenez votre responsable.",
    CounterRefusal.UNDO_DISPUTED: (
        "Le service des finances regarde cet encaissement. Il ne s’annule plus ici. Prévenez votre responsable."
    ),
}
_MAY_RETRY = frozenset(
    {
        CounterRefusal.UNREADABLE,
        CounterRefusal.NO_CODE,
        CounterRefusal.TOO_MANY,
        CounterRefusal.SERVICE_UNKNOWN,
        CounterRefusal.BOOKLET_COVER,
        CounterRefusal.SEVERAL_BOOKLETS,
        CounterRefusal.TYPING_LOCKED,
        CounterRefusal.VOUCHER_LOCKED,
        CounterRefusal.WRONG_CODE,
        CounterRefusal.NOT_HANDED_OVER,
        CounterRefusal.ONE_BY_ONE,
        CounterRefusal.BUSY,
    }
)
_MISUNDERSTANDINGS = frozenset(
    {
        CounterRefusal.UNREADABLE,
        CounterRefusal.NO_CODE,
        CounterRefusal.TOO_MANY,
        CounterRefusal.SERVICE_UNKNOWN,
        CounterRefusal.BOOKLET_COVER,
        CounterRefusal.FOREIGN,
        CounterRefusal.FORGED,
        CounterRefusal.SEVERAL_BOOKLETS,
    }
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal with what is known: which voucher, since or until when. Given again word for word to a retry."""

    reason: CounterRefusal
    serial: int | None = None
    is_one_of_several: bool = False
    at: datetime | None = None
    on: date | None = None
    detail: str = ""

    @property
    def sentence(self) -> str:
        """The French sentence for the mediator; it names the voucher when several were laid down."""
        return self.reason.template.format(
            voucher=f"Le chèque {serial_label(self.serial)}" if self.is_one_of_several and self.serial else "Ce chèque",
            at=french_instant(self.at) if self.at else "",
            on=french_date(self.on) if self.on else "",
            detail=self.detail,
        )


def end_of_life(dates: ThreeDates, today: date) -> tuple[CounterRefusal, date] | None:
    """Say what a Paris day makes of a voucher: lapsed, expired (with the last good day), or None while it may be used.

    It is used until `use_by`, tolerated at counters until `grace_until` (CGCT R.1611-2 and following; domain.md §2), and
    what was not presented by `present_by` is definitively lapsed.
    """
    if today > dates.present_by:
        return CounterRefusal.LAPSED, dates.present_by
    if today > dates.grace_until:
        return CounterRefusal.EXPIRED, dates.grace_until
    return None


def undo_limit(redeemed_at: datetime, undo_minutes: int) -> datetime:
    """Return the instant from which a mediator may no longer undo a redemption."""
    return redeemed_at + timedelta(minutes=undo_minutes)
