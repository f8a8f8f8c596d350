"""What `voucher verify` proves of issuing: numbers without a gap, whole batches, money that follows vouchers, good signatures."""

from functools import cache
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session, aliased

from voucher.issuing import checks_signatures
from voucher.issuing.model import BatchShare, Booklet, IssueBatch, SerialCounter, Voucher
from voucher.kernel.calendar import french_instant
from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import BASIS_POINTS, format_euros, sum_cents
from voucher.kernel.number_labels import booklet_label, serial_label
from voucher.ledger import model as ledger
from voucher.ledger.chart import EventType
from voucher.programme.model import Agreement
from voucher.programme.shares import every_share


def check_numbers_are_dense(session: Session) -> list[Violation]:
    """Les numéros de chèques et de carnets se suivent sans trou, d’une commande à l’autre, jusqu’au compteur."""
    found = []
    counter = session.get_one(SerialCounter, 1)
    serial, number = 1, 1
    ordered: dict[UUID, int] = {}
    for batch in session.scalars(select(IssueBatch).order_by(IssueBatch.first_serial)):
        expected = (serial, number)
        stored = (batch.first_serial, batch.first_booklet_number)
        if stored != expected:
            detail = f"commence au chèque {serial_label(stored[0])} et au carnet {booklet_label(stored[1])}, attendus {serial_label(expected[0])} et {booklet_label(expected[1])}"
            found.append(Violation("numbers_are_dense", f"commande {batch.id}", detail))
        serial = batch.first_serial + batch.voucher_count
        number = batch.first_booklet_number + batch.booklet_count
        ordered[batch.agreement_id] = ordered.get(batch.agreement_id, 0) + batch.voucher_count
    if (counter.next_serial, counter.next_booklet_number) != (serial, number):
        detail = f"compteur {counter.next_serial} et {counter.next_booklet_number}, attendu {serial} et {number}"
        found.append(Violation("numbers_are_dense", "compteur", detail))
    for agreement_id, issued in session.execute(select(Agreement.id, Agreement.issued_count)):
        if issued != ordered.get(agreement_id, 0):
            detail = f"{issued} chèques à la convention, {ordered.get(agreement_id, 0)} dans les commandes"
            found.append(Violation("numbers_are_dense", f"convention {agreement_id}", detail))
    return found


def check_batches_are_whole(session: Session) -> list[Violation]:
    """Chaque commande a les carnets qu’elle dit avoir fabriqués, et chaque carnet tous ses chèques."""
    found = []
    counts = {
        row.batch_id: row
        for row in session.execute(
            select(
                Booklet.batch_id,
                func.count().label("booklets"),
                func.min(Booklet.number).label("lowest"),
                func.max(Booklet.number).label("highest"),
                func.sum(Booklet.size).label("vouchers"),
            ).group_by(Booklet.batch_id)
        )
    }
    for batch in session.scalars(select(IssueBatch)):
        row = counts.get(batch.id)
        made = batch.made_booklet_count
        lowest, last = batch.first_booklet_number, batch.first_booklet_number + made - 1
        stored = (row.booklets, row.lowest, row.highest, row.vouchers) if row else (0, lowest, last, 0)
        if stored != (made, lowest, last, made * batch.booklet_size):
            detail = (
                f"{stored[0]} carnets, de {stored[1]} à {stored[2]}, et {stored[3]} chèques ; {made} carnets fabriqués, "
                f"de {lowest} à {last}, pour {made * batch.booklet_size} chèques"
            )
            found.append(Violation("batches_are_whole", f"commande {batch.id}", detail))
        if (batch.finished_at is not None) != (made == batch.booklet_count):
            ended = "pas finie" if batch.finished_at is None else f"finie le {french_instant(batch.finished_at)}"
            detail = f"{made} carnets fabriqués sur {batch.booklet_count}, {ended}"
            found.append(Violation("batches_are_whole", f"commande {batch.id}", detail))
    return found + _booklets_lacking(session)


def _booklets_lacking(session: Session) -> list[Violation]:
    held = (
        select(
            Voucher.booklet_number,
            func.count().label("vouchers"),
            func.min(Voucher.serial).label("lowest"),
            func.max(Voucher.serial).label("highest"),
        )
        .group_by(Voucher.booklet_number)
        .subquery()
    )
    start = IssueBatch.first_serial + (Booklet.number - IssueBatch.first_booklet_number) * IssueBatch.booklet_size
    wrong = session.scalars(
        select(Booklet.number)
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
        .outerjoin(held, held.c.booklet_number == Booklet.number)
        .where(
            (func.coalesce(held.c.vouchers, 0) != Booklet.size)
            | (held.c.lowest != Booklet.first_serial)
            | (held.c.highest != Booklet.first_serial + Booklet.size - 1)
            | (Booklet.first_serial != start)
        )
        .order_by(Booklet.number)
        .limit(100)
    )
    detail = "il manque des chèques, ou leurs numéros ne se suivent pas"
    return [Violation("batches_are_whole", f"carnet {booklet_label(number)}", detail) for number in wrong]


def check_orders_are_posted(session: Session) -> list[Violation]:
    """Chaque commande a une écriture, à la part exacte de chaque financeur."""
    debit = aliased(ledger.Account)
    posted: dict[UUID, dict[UUID, int]] = {}
    for row in session.execute(
        select(ledger.Entry.event_id, debit.funder_id, func.sum(ledger.Movement.amount_cents).label("cents"))
        .join(ledger.Movement, ledger.Movement.entry_id == ledger.Entry.id)
        .join(debit, debit.id == ledger.Movement.debit_account_id)
        .where(ledger.Entry.event_type == EventType.VOUCHERS_ISSUED)
        .group_by(ledger.Entry.event_id, debit.funder_id)
    ):
        posted.setdefault(row.event_id, {})[row.funder_id] = int(row.cents)
    found = []
    paid: dict[UUID, dict[UUID, int]] = {}
    for share in session.scalars(select(BatchShare)):
        paid.setdefault(share.batch_id, {})[share.funder_id] = share.amount_cents
    for batch in session.scalars(select(IssueBatch)):
        expected = {funder_id: cents for funder_id, cents in paid.get(batch.id, {}).items() if cents}
        stored = posted.pop(batch.id, {})
        if stored != expected:
            detail = (
                f"{format_euros(sum(stored.values()))} écrits, {format_euros(sum(expected.values()))} commandés, "
                "ou d’autres parts entre financeurs"
            )
            found.append(Violation("orders_are_posted", f"commande {batch.id}", detail))
    found += [
        Violation("orders_are_posted", f"commande {event_id}", "écriture d’une commande qui n’existe pas")
        for event_id in posted
    ]
    return found


@cache
def _query_orders_follow_the_shares() -> Select[*tuple[Any, ...]]:
    share = every_share()
    return (
        select(
            IssueBatch.id,
            IssueBatch.voucher_count,
            IssueBatch.face_value_cents,
            share.c.share_basis_points,
            BatchShare.amount_cents,
        )
        .join(share, and_(share.c.agreement_id == IssueBatch.agreement_id, share.c.share_set == IssueBatch.share_set))
        .outerjoin(BatchShare, and_(BatchShare.batch_id == IssueBatch.id, BatchShare.funder_id == share.c.funder_id))
        .order_by(IssueBatch.id, share.c.rank)
    )


def check_orders_follow_the_shares(session: Session) -> list[Violation]:
    """Les parts d’une commande font sa valeur, et s’écartent des taux de la convention de moins d’un centime par chèque."""
    rows = session.execute(_query_orders_follow_the_shares()).all()
    found = []
    for batch_id, shares in groupby(rows, key=lambda row: row.id):
        reached, basis_points, is_right, last = 0, 0, True, None
        for last in shares:
            basis_points += last.share_basis_points
            reached += sum_cents(last.amount_cents)
            exact = last.voucher_count * last.face_value_cents * basis_points
            is_right &= last.amount_cents is not None
            is_right &= abs(reached * BASIS_POINTS - exact) < last.voucher_count * BASIS_POINTS
        assert last is not None, "groupby gives no empty group"
        value_cents = last.voucher_count * last.face_value_cents
        if not is_right or reached != value_cents:
            detail = f"{format_euros(reached)} répartis pour {format_euros(value_cents)}, ou à d’autres taux"
            found.append(Violation("orders_follow_the_shares", f"commande {batch_id}", detail))
    return found


CHECKS: tuple[Check, ...] = (
    check_numbers_are_dense,
    check_batches_are_whole,
    check_orders_are_posted,
    check_orders_follow_the_shares,
    *checks_signatures.CHECKS,
)
