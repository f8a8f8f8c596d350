"""What must be true at the counter (invariants.md §6, §7, §11 and §12)."""

from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from voucher.distribution.words import VOUCHER_STATES
from voucher.issuing.model import Booklet, IssueBatch, IssuerKey, Voucher, VoucherState
from voucher.kernel.calendar import end_of_day, french_date, french_instant
from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.kernel.number_labels import serial_label
from voucher.ledger.chart import EventType
from voucher.ledger.model import Entry
from voucher.redemption import checks_periods
from voucher.redemption.model import USED_STATES, Period, RedeemedVoucher, Redemption, RedemptionState, RefusedAttempt

CLOCKS_DIFFER = timedelta(minutes=1)  # of the machine that revokes a key and of the one that redeems
STATES = {
    RedemptionState.CONFIRMED: "confirmé",
    RedemptionState.UNDONE: "annulé",
    RedemptionState.DISPUTED: "contesté",
    RedemptionState.REVERSED: "repris",
}
ROWS_MAX = 100  # what is wrong a hundred times is said a hundred times, not a million
_REDEEMED = (EventType.VOUCHERS_REDEEMED, EventType.VOUCHERS_REDEEMED_FROM_STOCK)


@cache
def _query_a_voucher_is_used_once() -> Select[*tuple[Any, ...]]:
    return (
        select(RedeemedVoucher.serial, func.count().label("found"))
        .where(RedeemedVoucher.is_live)
        .group_by(RedeemedVoucher.serial)
        .having(func.count() > 1)
        .limit(ROWS_MAX)
    )


def check_a_voucher_is_used_once(session: Session) -> list[Violation]:
    """Un chèque a au plus un encaissement qui compte."""
    rows = session.execute(_query_a_voucher_is_used_once())
    return [
        Violation(
            "a_voucher_is_used_once", f"chèque {serial_label(row.serial)}", f"{row.found} encaissements qui comptent"
        )
        for row in rows
    ]


@cache
def _query_states_and_redemptions_agree() -> Select[*tuple[Any, ...]]:
    live = exists().where(RedeemedVoucher.serial == Voucher.serial, RedeemedVoucher.is_live)
    return (
        select(Voucher.serial, Voucher.state)
        .where(
            or_(and_(Voucher.state == VoucherState.REDEEMED, ~live), and_(Voucher.state != VoucherState.REDEEMED, live))
        )
        .limit(ROWS_MAX)
    )


def check_states_and_redemptions_agree(session: Session) -> list[Violation]:
    """Un chèque est « encaissé » exactement quand un encaissement ni annulé ni repris le dit."""
    rows = session.execute(_query_states_and_redemptions_agree())
    return [
        Violation(
            "states_and_redemptions_agree",
            f"chèque {serial_label(row.serial)}",
            f"« {VOUCHER_STATES[row.state]} », contraire à ses encaissements",
        )
        for row in rows
    ]


@cache
def _query_lines_follow_their_redemption() -> Select[*tuple[Any, ...]]:
    lines = (
        select(
            RedeemedVoucher.redemption_id,
            func.count().label("found"),
            func.count().filter(RedeemedVoucher.is_live).label("live"),
            func.min(Voucher.booklet_number).label("first_booklet"),
            func.max(Voucher.booklet_number).label("last_booklet"),
        )
        .join(Voucher, Voucher.serial == RedeemedVoucher.serial)
        .group_by(RedeemedVoucher.redemption_id)
        .subquery()
    )
    return (
        select(Redemption.id, Redemption.voucher_count, Redemption.state, lines.c.found, lines.c.live)
        .outerjoin(lines, lines.c.redemption_id == Redemption.id)
        .where(
            or_(
                func.coalesce(lines.c.found, 0) != Redemption.voucher_count,
                and_(Redemption.state.in_(USED_STATES), lines.c.live != Redemption.voucher_count),
                and_(Redemption.state.not_in(USED_STATES), lines.c.live != 0),
                lines.c.first_booklet != Redemption.booklet_number,
                lines.c.last_booklet != Redemption.booklet_number,
            )
        )
        .limit(ROWS_MAX)
    )


def check_lines_follow_their_redemption(session: Session) -> list[Violation]:
    """Les lignes d’un encaissement comptent ses chèques, de son carnet, et vivent avec lui."""
    rows = session.execute(_query_lines_follow_their_redemption())
    return [
        Violation(
            "lines_follow_their_redemption",
            f"encaissement {row.id}",
            f"{row.voucher_count} chèques, {STATES[row.state]} ; {row.found or 0} lignes, {row.live or 0} qui comptent",
        )
        for row in rows
    ]


@cache
def _query_amounts_are_face_values() -> Select[*tuple[Any, ...]]:
    return (
        select(Redemption.id, Redemption.amount_cents, Redemption.voucher_count, IssueBatch.face_value_cents)
        .join(Booklet, Booklet.number == Redemption.booklet_number)
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
        .where(
            or_(
                Redemption.amount_cents != Redemption.voucher_count * IssueBatch.face_value_cents,
                Redemption.agreement_id != IssueBatch.agreement_id,
            )
        )
        .limit(ROWS_MAX)
    )


def check_amounts_are_face_values(session: Session) -> list[Violation]:
    """Un encaissement vaut la valeur faciale de ses chèques."""
    rows = session.execute(_query_amounts_are_face_values())
    return [
        Violation(
            "amounts_are_face_values",
            f"encaissement {row.id}",
            f"{format_euros(row.amount_cents)} pour {row.voucher_count} chèques de {format_euros(row.face_value_cents)}",
        )
        for row in rows
    ]


def check_each_redemption_has_its_entry(session: Session) -> list[Violation]:
    """Chaque encaissement a une écriture de son montant, et chaque annulation la sienne ; et réciproquement."""
    missing = session.execute(
        select(Redemption.id, Redemption.amount_cents, Entry.total_cents)
        .outerjoin(Entry, and_(Entry.event_id == Redemption.id, Entry.event_type.in_(_REDEEMED)))
        # An entry of a redemption moves its amount in both books.
        .where(or_(Entry.id.is_(None), Entry.total_cents != 2 * Redemption.amount_cents))
        .limit(ROWS_MAX)
    )
    found = [
        Violation(
            "each_redemption_has_its_entry",
            f"encaissement {row.id}",
            f"{format_euros(row.amount_cents)} encaissés dans les deux livres, "
            f"{'aucune écriture' if row.total_cents is None else f'écriture de {format_euros(row.total_cents)}'} "
            f"pour {format_euros(2 * row.amount_cents)} attendus",
        )
        for row in missing
    ]
    reversal = exists().where(Entry.event_id == Redemption.id, Entry.event_type == EventType.REDEMPTION_UNDONE)
    unpaired = session.scalars(
        select(Redemption.id)
        .where(
            or_(
                and_(Redemption.state == RedemptionState.UNDONE, ~reversal),
                and_(Redemption.state != RedemptionState.UNDONE, reversal),
            )
        )
        .limit(ROWS_MAX)
    )
    found += [
        Violation(
            "each_redemption_has_its_entry", f"encaissement {one}", "annulation et contre-écriture ne vont pas ensemble"
        )
        for one in unpaired
    ]
    orphans = session.execute(
        select(Entry.id, Entry.event_id)
        .outerjoin(Redemption, Redemption.id == Entry.event_id)
        .where(Entry.event_type.in_((*_REDEEMED, EventType.REDEMPTION_UNDONE)), Redemption.id.is_(None))
        .limit(ROWS_MAX)
    )
    found += [
        Violation("each_redemption_has_its_entry", f"écriture {row.id}", f"l’encaissement {row.event_id} manque")
        for row in orphans
    ]
    return found


def check_nothing_is_redeemed_after_grace(session: Session) -> list[Violation]:
    """Aucun chèque n’est encaissé après son dernier jour de tolérance, à Paris."""
    found = []
    for batch in session.execute(select(IssueBatch.id, IssueBatch.grace_until)):
        rows = session.execute(
            select(Redemption.id, Redemption.redeemed_at)
            .join(Booklet, Booklet.number == Redemption.booklet_number)
            .where(Booklet.batch_id == batch.id, Redemption.redeemed_at >= end_of_day(batch.grace_until))
            .limit(ROWS_MAX)
        )
        found += [
            Violation(
                "nothing_is_redeemed_after_grace",
                f"encaissement {row.id}",
                f"le {french_instant(row.redeemed_at)}, toléré jusqu’au {french_date(batch.grace_until)}",
            )
            for row in rows
        ]
    return found


def check_revoked_keys_redeem_nothing(session: Session) -> list[Violation]:
    """Aucun chèque n’est encaissé après la révocation de la clé qui l’a signé, à une minute d’horloge près."""
    found = []
    revoked = select(IssueBatch.id, IssuerKey.revoked_at).join(IssuerKey, IssuerKey.id == IssueBatch.key_id)
    for batch in session.execute(revoked.where(IssuerKey.revoked_at.is_not(None))):
        rows = session.execute(
            select(Redemption.id, Redemption.redeemed_at)
            .join(Booklet, Booklet.number == Redemption.booklet_number)
            .where(Booklet.batch_id == batch.id, Redemption.redeemed_at > batch.revoked_at + CLOCKS_DIFFER)
            .limit(ROWS_MAX)
        )
        found += [
            Violation(
                "revoked_keys_redeem_nothing",
                f"encaissement {row.id}",
                f"le {french_instant(row.redeemed_at)}, clé révoquée le {french_instant(batch.revoked_at)}",
            )
            for row in rows
        ]
    return found


@cache
def _query_closed_periods_stay_closed() -> Select[*tuple[Any, ...]]:
    return (
        select(Redemption.id, Period.number, Period.closed_at)
        .join(Period, Period.id == Redemption.period_id)
        .where(
            or_(
                Redemption.redeemed_at > Period.closed_at,
                Redemption.undone_at > Period.closed_at,
                Redemption.agreement_id != Period.agreement_id,
            )
        )
        .limit(ROWS_MAX)
    )


def check_closed_periods_stay_closed(session: Session) -> list[Violation]:
    """Rien n’entre dans une période ni n’en sort après sa clôture, et elle est de la même convention."""
    rows = session.execute(_query_closed_periods_stay_closed())
    return [
        Violation(
            "closed_periods_stay_closed",
            f"encaissement {row.id}",
            f"dans la période {row.number}, close le {french_instant(row.closed_at) if row.closed_at else 'jamais'}",
        )
        for row in rows
    ]


@cache
def _query_a_month_takes_its_own() -> Select[*tuple[Any, ...]]:
    return (
        select(Redemption.id, Redemption.redeemed_at, Period.number, Period.ends_at)
        .join(Period, Period.id == Redemption.period_id)
        .where(Redemption.redeemed_at >= Period.ends_at)
        .limit(ROWS_MAX)
    )


def check_a_month_takes_its_own(session: Session) -> list[Violation]:
    """Rien n’est encaissé dans une période dont le mois est fini, à Paris."""
    rows = session.execute(_query_a_month_takes_its_own())
    return [
        Violation(
            "a_month_takes_its_own",
            f"encaissement {row.id}",
            f"le {french_instant(row.redeemed_at)}, période {row.number}, finie le {french_instant(row.ends_at)}",
        )
        for row in rows
    ]


def check_an_attempt_has_one_answer(session: Session) -> list[Violation]:
    """Une même demande n’est pas à la fois acceptée et refusée."""
    rows = session.scalars(
        select(Redemption.id).join(RefusedAttempt, RefusedAttempt.id == Redemption.id).limit(ROWS_MAX)
    )
    return [Violation("an_attempt_has_one_answer", f"encaissement {row}", "encaissée et refusée") for row in rows]


CHECKS: tuple[Check, ...] = (
    check_a_voucher_is_used_once,
    check_states_and_redemptions_agree,
    check_lines_follow_their_redemption,
    check_amounts_are_face_values,
    check_each_redemption_has_its_entry,
    check_nothing_is_redeemed_after_grace,
    check_revoked_keys_redeem_nothing,
    check_closed_periods_stay_closed,
    check_a_month_takes_its_own,
    check_an_attempt_has_one_answer,
    *checks_periods.CHECKS,
)
