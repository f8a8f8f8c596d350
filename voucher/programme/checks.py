"""What must be true of envelopes, agreements and commitments (invariants.md §4 and §6)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from voucher.kernel.checks import Check, Violation
from voucher.kernel.database import Base
from voucher.kernel.money import BASIS_POINTS, format_euros, sum_cents
from voucher.ledger.chart import Code, EventType
from voucher.ledger.model import Account, Entry, Movement
from voucher.programme.model import Agreement, AgreementShare, Commitment, Credit, CreditRelease, Envelope, KeptPart
from voucher.programme.rules import parts_of
from voucher.programme.shares import every_share
from voucher.programme.stages import balances_of

AVAILABLE = Code.COMMITTED


@cache
def _query_commitments_stay_below_ceilings() -> Select[*tuple[Any, ...]]:
    committed = select(func.coalesce(func.sum(Commitment.amount_cents), 0)).where(
        Commitment.agreement_id == Agreement.id
    )
    released = select(func.coalesce(func.sum(CreditRelease.amount_cents), 0)).where(
        CreditRelease.agreement_id == Agreement.id
    )
    total = committed.scalar_subquery() - released.scalar_subquery()
    return select(Agreement.number, Agreement.committed_cents, Agreement.ceiling_cents, total.label("found")).where(
        or_(
            Agreement.committed_cents != total,
            Agreement.committed_cents > Agreement.ceiling_cents,
            (Agreement.committed_cents - Agreement.kept_cents) % Agreement.face_value_cents != 0,
            (Agreement.ceiling_cents - Agreement.kept_cents) % Agreement.face_value_cents != 0,
        )
    )


def check_commitments_stay_below_ceilings(session: Session) -> list[Violation]:
    """L’engagé d’une convention est la somme de ses engagements moins les crédits rendus, un nombre entier de chèques, sous son plafond."""
    rows = session.execute(_query_commitments_stay_below_ceilings())
    return [
        Violation(
            "commitments_stay_below_ceilings",
            f"convention {row.number}",
            f"{format_euros(row.committed_cents)} engagés sous un plafond de {format_euros(row.ceiling_cents)}, "
            f"{format_euros(int(row.found))} dans les engagements",
        )
        for row in rows
    ]


def check_shares_make_a_whole(session: Session) -> list[Violation]:
    """Les parts des financeurs d’une convention font 100 %, chacune tirée d’une enveloppe de ce financeur."""
    sums = (
        select(AgreementShare.agreement_id, func.sum(AgreementShare.share_basis_points).label("total"))
        .group_by(AgreementShare.agreement_id)
        .subquery()
    )
    whole = session.execute(
        select(Agreement.number, sums.c.total)
        .outerjoin(sums, sums.c.agreement_id == Agreement.id)
        .where(func.coalesce(sums.c.total, 0) != BASIS_POINTS)
    )
    foreign = session.execute(
        select(Agreement.number, Envelope.name)
        .join(AgreementShare, AgreementShare.agreement_id == Agreement.id)
        .join(Envelope, Envelope.id == AgreementShare.envelope_id)
        .where(Envelope.funder_id != AgreementShare.funder_id)
    )
    name = "shares_make_a_whole"
    return [
        *(Violation(name, f"convention {row.number}", f"{row.total or 0} points de base en tout") for row in whole),
        *(
            Violation(name, f"convention {row.number}", f"l’enveloppe « {row.name} » est d’un autre financeur")
            for row in foreign
        ),
    ]


def check_allocations_are_the_parts_of_ceilings(session: Session) -> list[Violation]:
    """Ce qu’une enveloppe a affecté est la somme des parts de plafond de ses conventions, sans la dépasser."""
    expected: dict[UUID, int] = defaultdict(int)
    for shares in _shares_by_agreement(session).values():
        basis_points = [share.share_basis_points for share in shares]
        ceiling_cents = shares[0].ceiling_cents - shares[0].kept_cents
        parts = parts_of(ceiling_cents, shares[0].face_value_cents, basis_points)
        for share, part_cents in zip(shares, parts, strict=True):
            expected[share.envelope_id] += part_cents
    for kept in session.execute(select(KeptPart.envelope_id, KeptPart.amount_cents)):
        expected[kept.envelope_id] += kept.amount_cents
    rows = session.execute(select(Envelope.id, Envelope.name, Envelope.allocated_cents, Envelope.amount_cents))
    return [
        Violation(
            "allocations_are_the_parts_of_ceilings",
            f"enveloppe « {row.name} »",
            f"{format_euros(row.allocated_cents)} affectés sur {format_euros(row.amount_cents)}, "
            f"{format_euros(expected[row.id])} dans les conventions",
        )
        for row in rows
        if not row.allocated_cents == expected[row.id] <= row.amount_cents
    ]


def check_credits_are_the_ledgers(session: Session) -> list[Violation]:
    """Le crédit disponible d’une convention est, par financeur, le solde du compte 8030."""
    balances = balances_of(session, Account.code == AVAILABLE)
    found = {(balance.agreement_id, balance.funder_id): balance.cents for balance in balances}
    kept = {
        (row.agreement_id, row.funder_id): row.available_cents
        for row in session.execute(select(Credit.agreement_id, Credit.funder_id, Credit.available_cents))
    }
    return [
        Violation(
            "credits_are_the_ledgers",
            f"convention {key[0]}, financeur {key[1]}",
            f"{format_euros(kept.get(key, 0))} disponibles, {format_euros(found.get(key, 0))} au compte {AVAILABLE}",
        )
        for key in sorted(found.keys() | kept.keys())
        if found.get(key, 0) != kept.get(key, 0)
    ]


def check_commitments_have_their_entry(session: Session) -> list[Violation]:
    """Chaque engagement a son écriture, du même montant, et chaque écriture d’engagement son engagement."""
    return _unmatched(
        session,
        "commitments_have_their_entry",
        EventType.CREDITS_COMMITTED,
        Commitment,
        Commitment.id,
        Commitment.amount_cents,
    )


def check_envelopes_have_their_entry(session: Session) -> list[Violation]:
    """Chaque enveloppe a son écriture d’ouverture, du même montant, et chaque écriture d’ouverture son enveloppe."""
    return _unmatched(
        session, "envelopes_have_their_entry", EventType.ENVELOPE_OPENED, Envelope, Envelope.id, Envelope.amount_cents
    )


@cache
def _query_commitments_are_shared_by_position() -> Select[*tuple[Any, ...]]:
    return (
        select(Account.agreement_id, Account.funder_id, func.sum(Movement.amount_cents).label("cents"))
        .join(Movement, Movement.debit_account_id == Account.id)
        .join(Entry, Entry.id == Movement.entry_id)
        .where(Account.code == AVAILABLE, Entry.event_type == EventType.CREDITS_COMMITTED)
        .group_by(Account.agreement_id, Account.funder_id)
    )


def check_commitments_are_shared_by_position(session: Session) -> list[Violation]:
    """Ce qu’un financeur a engagé sur une convention est sa part, au centime, de tous les chèques engagés."""
    rows = session.execute(_query_commitments_are_shared_by_position())
    found = {(row.agreement_id, row.funder_id): int(row.cents) for row in rows}
    expected = _committed_by_position(session)
    return [
        Violation(
            "commitments_are_shared_by_position",
            f"convention {key[0]}, financeur {key[1]}",
            f"{format_euros(found.get(key, 0))} engagés, {format_euros(expected.get(key, 0))} attendus",
        )
        for key in sorted(found.keys() | expected.keys())
        if found.get(key, 0) != expected.get(key, 0)
    ]


def check_what_ended_is_kept(session: Session) -> list[Violation]:
    """Ce qu’un financeur garde d’anciennes parts est ce qu’il y a engagé, moins les crédits rendus, chacun avec son écriture."""
    name = "what_ended_is_kept"
    present = {row.id: row.share_set for row in session.execute(select(Agreement.id, Agreement.share_set))}
    past = _committed_by_position(session, before_set=present)
    for row in session.execute(select(CreditRelease.agreement_id, CreditRelease.funder_id, CreditRelease.amount_cents)):
        key = (row.agreement_id, row.funder_id)
        past[key] = past.get(key, 0) - row.amount_cents
    kept = {
        (row.agreement_id, row.funder_id): row.amount_cents
        for row in session.execute(select(KeptPart.agreement_id, KeptPart.funder_id, KeptPart.amount_cents))
    }
    totals: dict[UUID, int] = defaultdict(int)
    for (agreement_id, _), cents in kept.items():
        totals[agreement_id] += cents
    return [
        *(
            Violation(
                name,
                f"convention {key[0]}, financeur {key[1]}",
                f"{format_euros(kept.get(key, 0))} gardés, {format_euros(past.get(key, 0))} attendus",
            )
            for key in sorted(kept.keys() | past.keys())
            if kept.get(key, 0) != past.get(key, 0)
        ),
        *(
            Violation(
                name,
                f"convention {row.number}",
                f"{format_euros(row.kept_cents)} gardés, {format_euros(totals[row.id])} de part",
            )
            for row in session.execute(select(Agreement.id, Agreement.number, Agreement.kept_cents))
            if row.kept_cents != totals[row.id]
        ),
        *_unmatched(
            session, name, EventType.CREDITS_RELEASED, CreditRelease, CreditRelease.id, CreditRelease.amount_cents
        ),
    ]


def _committed_by_position(
    session: Session, before_set: Mapping[UUID, int] | None = None
) -> dict[tuple[UUID, UUID], int]:
    """Return each funder's part of what was committed, by (agreement, funder), to the cent: the part of each share set by its
    positions. With `before_set`, of the sets before the agreement's present one only.
    """
    sums = {
        (row.agreement_id, row.share_set): int(row.cents)
        for row in session.execute(
            select(
                Commitment.agreement_id, Commitment.share_set, func.sum(Commitment.amount_cents).label("cents")
            ).group_by(Commitment.agreement_id, Commitment.share_set)
        )
    }
    share = every_share()
    grouped: dict[tuple[UUID, int], list[Any]] = defaultdict(list)
    for row in session.execute(
        select(share, Agreement.face_value_cents)
        .join(Agreement, Agreement.id == share.c.agreement_id)
        .order_by(share.c.agreement_id, share.c.share_set, share.c.rank)
    ):
        grouped[row.agreement_id, row.share_set].append(row)
    found: dict[tuple[UUID, UUID], int] = defaultdict(int)
    for (agreement_id, share_set), shares in grouped.items():
        if before_set is not None and share_set >= before_set[agreement_id]:
            continue
        basis_points = [one.share_basis_points for one in shares]
        cents = sums.get((agreement_id, share_set), 0)
        for one, part in zip(shares, parts_of(cents, shares[0].face_value_cents, basis_points), strict=True):
            found[agreement_id, one.funder_id] += part
    return {key: cents for key, cents in found.items() if cents}


def _shares_by_agreement(session: Session) -> dict[UUID, Sequence[Any]]:
    rows = session.execute(
        select(
            AgreementShare.agreement_id,
            AgreementShare.envelope_id,
            AgreementShare.funder_id,
            AgreementShare.share_basis_points,
            Agreement.number,
            Agreement.ceiling_cents,
            Agreement.kept_cents,
            Agreement.face_value_cents,
        )
        .join(Agreement, Agreement.id == AgreementShare.agreement_id)
        .order_by(AgreementShare.agreement_id, AgreementShare.rank)
    )
    grouped: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row.agreement_id].append(row)
    return dict(grouped)


def _unmatched(
    session: Session,
    name: str,
    event_type: EventType,
    table: type[Base],
    key: InstrumentedAttribute[UUID],
    amount_cents: InstrumentedAttribute[int],
) -> list[Violation]:
    facts = select(key.label("id"), amount_cents.label("cents")).select_from(table).subquery()
    entries = select(Entry.event_id, Entry.total_cents).where(Entry.event_type == event_type).subquery()
    rows = session.execute(
        select(facts.c.id, entries.c.event_id, facts.c.cents, entries.c.total_cents)
        .join_from(facts, entries, entries.c.event_id == facts.c.id, full=True)
        .where(or_(facts.c.id.is_(None), entries.c.event_id.is_(None), facts.c.cents != entries.c.total_cents))
    )
    return [
        Violation(
            name,
            f"{event_type}, {row.id or row.event_id}",
            f"{format_euros(sum_cents(row.cents))} au programme, {format_euros(sum_cents(row.total_cents))} au registre",
        )
        for row in rows
    ]


CHECKS: tuple[Check, ...] = (
    check_commitments_stay_below_ceilings,
    check_shares_make_a_whole,
    check_allocations_are_the_parts_of_ceilings,
    check_credits_are_the_ledgers,
    check_commitments_have_their_entry,
    check_envelopes_have_their_entry,
    check_commitments_are_shared_by_position,
    check_what_ended_is_kept,
)
