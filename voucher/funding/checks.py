"""What must be true of funders' money: the ledger and the calls, receipts, documents and published figures say the same."""

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from voucher.funding.model import (
    AdvanceRefund,
    AdvanceReturn,
    BackingFigure,
    BackingLine,
    CallKind,
    CallState,
    DocumentKind,
    FundingClose,
    FundingDocument,
    FundsCall,
    FundsCallUse,
    FundsReceipt,
)
from voucher.funding.publish import (
    FORMAT,
    FORMAT_FIRST,
    UntrustedFigure,
    canonical_text,
    figures_at,
    signed_file,
    verify_file,
)
from voucher.kernel.calendar import french_date
from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.kernel.paper import euros_cell
from voucher.ledger.chart import Code, EventType
from voucher.ledger.model import Account, Entry
from voucher.programme.stages import balances_of

ROWS_MAX = 100
RECOMPUTED_DAYS = 3
Key = tuple[UUID, UUID]


def check_called_is_what_funders_owe(session: Session) -> list[Violation]:
    """Ce qu’un financeur doit (4431) est ce que ses appels demandent, moins ce qu’il a versé ; son avance (4432) est ce qui n’a pas servi."""
    left = FundsCall.called_cents - FundsCall.received_cents
    live = FundsCall.state != CallState.CANCELLED
    owed = _sums(session, select(FundsCall.agreement_id, FundsCall.funder_id, func.sum(left)).where(live))
    called = select(FundsCall.agreement_id, FundsCall.funder_id, func.sum(FundsCall.called_cents))
    given = _sums(session, called.where(live, FundsCall.kind == CallKind.ADVANCE))
    used = _sums(
        session, select(FundsCall.agreement_id, FundsCall.funder_id, func.sum(FundsCall.advance_used_cents)).where(live)
    )
    closes = _sums(
        session,
        select(
            FundingClose.agreement_id,
            FundingClose.funder_id,
            func.sum(FundingClose.carried_cents - FundingClose.refunded_cents),
        ),
    )
    back = _sums(
        session,
        select(AdvanceReturn.agreement_id, AdvanceReturn.funder_id, func.sum(AdvanceReturn.amount_cents)).where(
            AdvanceReturn.undone_at.is_(None)
        ),
    )
    keys = given.keys() | used.keys() | closes.keys() | back.keys()
    advances = {key: -(given.get(key, 0) - used.get(key, 0) + closes.get(key, 0) - back.get(key, 0)) for key in keys}
    return [
        Violation(
            "called_is_what_funders_owe",
            f"compte {code}, convention {key[0]}, financeur {key[1]}",
            f"{format_euros(found.get(key, 0))} au registre, {format_euros(expected.get(key, 0))} selon les appels",
        )
        for code, expected in ((Code.CALLED, owed), (Code.ADVANCES, advances))
        for found in (_balances(session, code),)
        for key in sorted(found.keys() | expected.keys())
        if found.get(key, 0) != expected.get(key, 0)
    ]


def check_a_call_is_its_uses(session: Session) -> list[Violation]:
    """Chaque appel est la somme des écritures qu’il prend ; ce qui n’est pas appelé (4430) est la somme des autres."""
    sums = select(FundsCallUse.call_id, func.sum(FundsCallUse.cents).label("cents")).group_by(FundsCallUse.call_id)
    taken = {row.call_id: int(row.cents) for row in session.execute(sums)}
    found = []
    uses: dict[Key, int] = defaultdict(int)
    for call in session.scalars(select(FundsCall)):
        expected = call.used_cents if call.state != CallState.CANCELLED else 0
        uses[call.agreement_id, call.funder_id] += expected
        if taken.get(call.id, 0) != expected:
            detail = f"{format_euros(expected)} appelés, {format_euros(taken.get(call.id, 0))} d’écritures"
            found.append(Violation("a_call_is_its_uses", f"appel {call.reference}", detail))
    for close in session.scalars(select(FundingClose)):
        uses[close.agreement_id, close.funder_id] -= close.carried_cents
    used, uncalled = _balances(session, Code.USED), _balances(session, Code.TO_CALL)
    found += [
        Violation(
            "a_call_is_its_uses",
            f"compte {Code.TO_CALL}, convention {key[0]}, financeur {key[1]}",
            f"{format_euros(used.get(key, 0))} utilisés, {format_euros(uses.get(key, 0))} appelés, "
            f"{format_euros(uncalled.get(key, 0))} à appeler",
        )
        for key in sorted(used.keys() | uncalled.keys() | uses.keys())
        if used.get(key, 0) != uses.get(key, 0) + uncalled.get(key, 0)
    ]
    return found[:ROWS_MAX]


@cache
def _query_calls_are_numbered_without_a_gap() -> Select[*tuple[Any, ...]]:
    return select(
        FundsCall.agreement_id,
        FundsCall.funder_id,
        func.count().label("found"),
        func.min(FundsCall.number).label("first"),
        func.max(FundsCall.number).label("last"),
    ).group_by(FundsCall.agreement_id, FundsCall.funder_id)


def check_calls_are_numbered_without_a_gap(session: Session) -> list[Violation]:
    """Les appels d’un financeur sur une convention sont numérotés de 1 en 1, sans trou."""
    rows = session.execute(_query_calls_are_numbered_without_a_gap())
    return [
        Violation(
            "calls_are_numbered_without_a_gap",
            f"convention {row.agreement_id}, financeur {row.funder_id}",
            f"{row.found} appels, numérotés de {row.first} à {row.last}",
        )
        for row in rows
        if (row.first, row.last) != (1, row.found)
    ]


def check_receipts_are_posted(session: Session) -> list[Violation]:
    """Chaque versement rapproché d’un appel, et chaque avance rendue, a son écriture ; l’appel dit ce qu’il a reçu."""
    found = []
    for table, event_type in (
        (FundsReceipt, EventType.FUNDS_IDENTIFIED),
        (AdvanceRefund, EventType.ADVANCE_REFUNDED),
        (AdvanceReturn, EventType.ADVANCE_RETURNED),
    ):
        entries = {
            row.event_id: int(row.total_cents)
            for row in session.execute(select(Entry.event_id, Entry.total_cents).where(Entry.event_type == event_type))
        }
        columns: Any = table
        kept = {row.id: int(row.amount_cents) for row in session.execute(select(columns.id, columns.amount_cents))}
        found += [
            Violation(
                "receipts_are_posted",
                f"{event_type} {one}",
                f"{format_euros(kept.get(one, 0))} rapprochés, {format_euros(entries.get(one, 0))} au registre",
            )
            for one in sorted(kept.keys() | entries.keys())
            if kept.get(one) != entries.get(one)
        ]
    received = _by_id(session, FundsReceipt.call_id, FundsReceipt)
    refunded = _by_id(session, AdvanceRefund.close_id, AdvanceRefund)
    for call in session.scalars(select(FundsCall)):
        if call.received_cents != received.get(call.id, 0):
            detail = f"{format_euros(call.received_cents)} reçus, {format_euros(received.get(call.id, 0))} rapprochés"
            found.append(Violation("receipts_are_posted", f"appel {call.reference}", detail))
    for close in session.scalars(select(FundingClose)):
        if close.refunded_cents != refunded.get(close.id, 0):
            detail = (
                f"{format_euros(close.refunded_cents)} rendus, {format_euros(refunded.get(close.id, 0))} rapprochés"
            )
            found.append(Violation("receipts_are_posted", f"décompte {close.id}", detail))
    found += _balances_that_lie(session)
    return found[:ROWS_MAX]


def _balances_that_lie(session: Session) -> list[Violation]:
    """Compare what each final balance says was received with the receipts that stood that day, less what was given back before it."""
    receipts: list[Any] = []
    receipts += session.execute(
        select(
            FundsCall.agreement_id, FundsCall.funder_id, FundsReceipt.amount_cents, FundsReceipt.received_at,
            FundsReceipt.undone_at,
        ).join(FundsCall, FundsCall.id == FundsReceipt.call_id)
    ).all()  # fmt: skip
    receipts += session.execute(
        select(
            AdvanceReturn.agreement_id, AdvanceReturn.funder_id, (-AdvanceReturn.amount_cents).label("amount_cents"),
            AdvanceReturn.returned_at.label("received_at"), AdvanceReturn.undone_at,
        )
    ).all()  # fmt: skip
    given_back: dict[Key, int] = defaultdict(int)
    found = []
    for close in session.scalars(select(FundingClose).order_by(FundingClose.closed_at, FundingClose.number)):
        key = (close.agreement_id, close.funder_id)
        theirs = [row for row in receipts if (row.agreement_id, row.funder_id) == key]
        # What was written at the very instant of the balance may have come before it or after.
        stood = sum(
            row.amount_cents
            for row in theirs
            if row.received_at < close.closed_at and (row.undone_at is None or row.undone_at > close.closed_at)
        )
        at_most = sum(
            row.amount_cents
            for row in theirs
            if row.received_at <= close.closed_at and (row.undone_at is None or row.undone_at >= close.closed_at)
        )
        if not min(stood, at_most) <= close.received_cents + given_back[key] <= max(stood, at_most):
            detail = f"{format_euros(close.received_cents)} reçus, {format_euros(stood - given_back[key])} rapprochés ce jour-là"
            found.append(Violation("receipts_are_posted", f"décompte {close.id}", detail))
        given_back[key] += close.refund_cents
    return found


def check_documents_are_whole(session: Session) -> list[Violation]:
    """Chaque document gardé a l’empreinte annoncée ; la liste d’un appel totalise ce qu’il appelle."""
    found = []
    references = {row.id: row for row in session.scalars(select(FundsCall))}
    for document in session.scalars(select(FundingDocument).execution_options(yield_per=20)):
        if hashlib.sha256(document.content).hexdigest() != document.sha256:
            found.append(Violation("documents_are_whole", f"document {document.name}", "son empreinte est une autre"))
        elif document.kind == DocumentKind.USES_CSV:
            call = references.get(document.subject_id)
            listed = _listed_cents(document.content)
            if call is None or listed != call.used_cents:
                detail = (
                    f"{euros_cell(listed)} euros dans la liste, {euros_cell(call.used_cents if call else 0)} appelés"
                )
                found.append(Violation("documents_are_whole", f"document {document.name}", detail))
    return found[:ROWS_MAX]


def check_published_figures_are_the_ledgers(session: Session) -> list[Violation]:
    """Chaque chiffre publié des fonds disponibles se recalcule depuis le registre à son instant, et porte sa signature."""
    found = []
    figures = session.scalars(select(BackingFigure).order_by(BackingFigure.day.desc())).all()
    for rank, figure in enumerate(figures):
        name = "published_figures_are_the_ledgers"
        subject = f"fonds disponibles du {french_date(figure.day)}"
        try:
            verify_file(signed_file(figure.text, figure.signature), figure.public_key)
        except UntrustedFigure:
            found.append(Violation(name, subject, "la signature n’est pas celle de ce texte"))
            continue
        # The text of each figure says its sums; recomputing all of a year's would read the ledger 365 times.
        if rank < RECOMPUTED_DAYS and figure.text != _recomputed(session, figure):
            found.append(Violation(name, subject, "le texte signé ne se retrouve pas dans le registre"))
        if not _says_its_sums(session, figure):
            found.append(Violation(name, subject, "les sommes affichées ne sont pas celles du texte signé"))
    return found[:ROWS_MAX]


def _recomputed(session: Session, figure: BackingFigure) -> str:
    found, total, numbers = figures_at(session, figure.taken_at, figure.day)
    origin = next((line for line in figure.text.splitlines() if line.startswith("origin: ")), "origin: ")
    agreements = [(numbers[one], found[one]) for one in found]
    form = FORMAT_FIRST if figure.covered_cents is None else FORMAT
    return canonical_text(figure.day, figure.taken_at, origin.removeprefix("origin: "), total, agreements, form)


def _says_its_sums(session: Session, figure: BackingFigure) -> bool:
    names = ["held", "undrawn", "outstanding", "payable"]
    if figure.covered_cents is not None:
        names = ["held", "undrawn", "overdue", "outstanding", "payable", "free"]
    kept = [getattr(figure, f"{name}_cents") for name in names]
    said = "total: " + " ".join(f"{name}={cents}" for name, cents in zip(names, kept, strict=True))
    if figure.covered_cents is not None:
        said += f" in_bank={figure.banked_cents} covered={figure.covered_cents}"
    columns = [func.coalesce(func.sum(getattr(BackingLine, f"{name}_cents")), 0) for name in names]
    sums = session.execute(select(*columns).where(BackingLine.day == figure.day)).one()
    return said in figure.text.splitlines() and list(map(int, sums)) == kept


def _listed_cents(content: bytes) -> int:
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig")), delimiter=";"))[1:]
    return sum(int(row[-1].replace(",", "")) for row in rows)


def _sums(session: Session, query: Select[*tuple[Any, ...]]) -> dict[Key, int]:
    """Run a query of (agreement, funder, sum of cents)."""
    rows = session.execute(query.group_by(*list(query.selected_columns)[:2]))
    return {(row[0], row[1]): int(row[2]) for row in rows}


def _by_id(session: Session, column: Any, table: Any) -> Mapping[UUID, int]:
    rows = session.execute(
        select(column, func.sum(table.amount_cents)).where(table.undone_at.is_(None)).group_by(column)
    )
    return {row[0]: int(row[1]) for row in rows}


def _balances(session: Session, code: str) -> dict[Key, int]:
    return {
        (balance.agreement_id, balance.funder_id): balance.cents
        for balance in balances_of(session, Account.code == code)
        if balance.agreement_id is not None and balance.funder_id is not None
    }


CHECKS: tuple[Check, ...] = (
    check_called_is_what_funders_owe,
    check_a_call_is_its_uses,
    check_calls_are_numbered_without_a_gap,
    check_receipts_are_posted,
    check_documents_are_whole,
    check_published_figures_are_the_ledgers,
)
