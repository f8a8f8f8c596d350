"""What may be signed and committed: pure decisions on amounts, shares and dates. Every refusal says what to do next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from voucher.kernel.calendar import ThreeDates, french_date
from voucher.kernel.money import BASIS_POINTS, format_euros, format_round_euros
from voucher.kernel.refusals import Refused
from voucher.kernel.share_rounding import shares_of
from voucher.kernel.typed_numbers import CENTS_MAX

FUNDERS_MAX = 5
FACE_VALUE_CENTS_MIN = 100
FACE_VALUE_CENTS_MAX = 16_777_215  # three bytes of the signed code
BOOKLET_SIZE_MAX = 31  # five bits of the signed code

# Insee gives communes SIREN numbers that begin with 21 (22 département, 23 région, 20 and 24 groupings). Paris keeps its old
# number although it has been a collectivité with the powers of a département since 2019 (art. L.2512-1 CGCT).
COMMUNE_SIREN_START = "21"
PARIS_SIREN = "217500016"
LONE_COMMUNE = "commune"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementTerms:
    """What an agreement's numbers say, whoever signs it. Amounts in cents, shares in basis points by rank."""

    ceiling_cents: int
    face_value_cents: int
    booklet_size: int
    signed_on: date
    use_by: date
    grace_until: date
    present_by: date
    share_basis_points: tuple[int, ...]


def refuse_lone_commune(kind: str, siren: str) -> None:
    """A commune alone was never eligible (call for projects, domain.md §1). Raises Refused."""
    if kind == LONE_COMMUNE or (siren.startswith(COMMUNE_SIREN_START) and siren != PARIS_SIREN):
        raise Refused(
            "lone_commune",
            "Une commune seule ne peut pas émettre de chèques : le programme s’adresse à des territoires plus larges. "
            "Demandez à son intercommunalité (EPCI) de signer, puis rattachez la commune comme prescripteur.",
            "kind",
        )


def three_dates_of(signed_on: date) -> ThreeDates:
    """Return the usual ends for an agreement signed on a day: 31/12/N, 31/01 and 28/02/N+1 (R.1611-11 and following CGCT)."""
    year = signed_on.year
    return ThreeDates(date(year, 12, 31), date(year + 1, 1, 31), date(year + 1, 2, 28))


def refuse_bad_terms(terms: AgreementTerms) -> None:
    """Refuse terms that no code could carry, no rounding could share or no calendar could hold. Raises Refused."""
    _refuse_bad_voucher(terms)
    _refuse_bad_ceiling(terms)
    _refuse_bad_dates(terms)
    refuse_bad_shares(terms.face_value_cents, terms.share_basis_points)


def refuse_bad_amount(amount_cents: int, field: str) -> None:
    """Refuse an amount of nothing, or one beyond what anybody types. Raises Refused."""
    if not 0 < amount_cents <= CENTS_MAX:
        raise Refused("amount_out_of_range", "Écrivez un montant au-dessus de zéro.", field)


def refuse_part_of_voucher(amount_cents: int, face_value_cents: int, field: str) -> None:
    """An amount of vouchers is a whole number of vouchers. Raises Refused with the nearest amounts."""
    below = amount_cents // face_value_cents * face_value_cents
    if below == amount_cents:
        return
    above = below + face_value_cents
    near = format_euros(above) if below == 0 else f"{format_euros(below)} ou {format_euros(above)}"
    raise Refused(
        "part_of_voucher",
        f"Ce montant ne fait pas un nombre entier de chèques de {format_round_euros(face_value_cents)}. Écrivez {near}.",
        field,
    )


def parts_of(amount_cents: int, face_value_cents: int, shares: Sequence[int], before_cents: int = 0) -> tuple[int, ...]:
    """Return each funder's part, in cents, of vouchers worth `amount_cents` that come after `before_cents` of them.

    Cumulative over the agreement's positions, so that the parts of several commitments sum to the part of their sum.
    """
    return shares_of(face_value_cents, shares, before_cents // face_value_cents, amount_cents // face_value_cents)


def _refuse_bad_voucher(terms: AgreementTerms) -> None:
    if not FACE_VALUE_CENTS_MIN <= terms.face_value_cents <= FACE_VALUE_CENTS_MAX:
        raise Refused(
            "face_value_out_of_range",
            f"Un chèque vaut de {format_round_euros(FACE_VALUE_CENTS_MIN)} à {format_euros(FACE_VALUE_CENTS_MAX)}. Écrivez une valeur entre les deux.",
            "face_value_cents",
        )
    if not 1 <= terms.booklet_size <= BOOKLET_SIZE_MAX:
        raise Refused(
            "booklet_size_out_of_range",
            f"Un carnet compte de 1 à {BOOKLET_SIZE_MAX} chèques. Choisissez-en le nombre.",
            "booklet_size",
        )


def _refuse_bad_ceiling(terms: AgreementTerms) -> None:
    refuse_bad_amount(terms.ceiling_cents, "ceiling_cents")
    refuse_part_of_voucher(terms.ceiling_cents, terms.face_value_cents, "ceiling_cents")


def _refuse_bad_dates(terms: AgreementTerms) -> None:
    if terms.use_by < terms.signed_on:
        raise Refused(
            "use_by_before_signature",
            f"Les chèques doivent servir après la signature. Choisissez le {french_date(terms.signed_on)} ou un jour suivant.",
            "use_by",
        )
    if terms.grace_until < terms.use_by:
        raise Refused(
            "grace_before_use_by",
            f"La tolérance finit le jour de la fin d’usage ou après. Choisissez le {french_date(terms.use_by)} ou un jour suivant.",
            "grace_until",
        )
    if terms.present_by < terms.grace_until:
        raise Refused(
            "present_by_before_grace",
            f"La présentation finit avec la tolérance ou après. Choisissez le {french_date(terms.grace_until)} ou un jour suivant.",
            "present_by",
        )


def refuse_bad_shares(face_value_cents: int, shares: Sequence[int]) -> None:
    """Refuse shares that are not 100 % in all, or worth less than a cent of a voucher. Raises Refused."""
    if not 1 <= len(shares) <= FUNDERS_MAX:
        raise Refused(
            "funders_out_of_range", f"Une convention a de un à {FUNDERS_MAX} financeurs. Choisissez-les.", "shares"
        )
    total = sum(shares)
    if min(shares) <= 0 or total != BASIS_POINTS:
        raise Refused(
            "shares_not_whole",
            f"Les parts des financeurs font {_percent(total)} en tout. Corrigez-les pour arriver à 100 %.",
            "shares",
        )
    # Below one cent, rounding could make a funder's part of a voucher negative.
    if any(face_value_cents * share < BASIS_POINTS for share in shares):
        raise Refused(
            "share_too_small",
            f"Chaque financeur doit payer au moins un centime d’un chèque de {format_round_euros(face_value_cents)}. Augmentez la plus petite part.",
            "shares",
        )


def _percent(basis_points: int) -> str:
    return f"{basis_points / 100:.2f}".rstrip("0").rstrip(".").replace(".", ",") + "\u00a0%"
