"""One debit for a whole payment file: which of our files it is, and all the payments that it makes.

Banks are asked for one line a transfer; some book the file as a whole all the same, at times without saying what is in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, func, insert, literal, select, update
from sqlalchemy.orm import Session

from voucher.kernel.identifiers import new_id
from voucher.kernel.money import sum_cents
from voucher.programme.model import Agreement
from voucher.settlement.formats_in.camt_lines import BankEntry
from voucher.settlement.formats_out.references import part_of_message, payment_information_id
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.model.states import Cause, change
from voucher.settlement.payable.payment_history import taken_up_from
from voucher.settlement.reconciliation.apply_match import Match
from voucher.settlement.reconciliation.line_entries import is_posted
from voucher.settlement.reconciliation.rules import MAY_BE_PAID
from voucher.settlement.reconciliation.withdraw_rejections import withdraw_rejections
from voucher.settlement.words.states import AdviceState, MatchKind
from voucher.settlement.words.transitions import PaymentWhy

_SAME_FILE = "La banque nomme notre fichier, et le montant est celui de ses virements."
_SAME_COUNT = "Le nombre et le total des virements sont ceux d’un seul de nos fichiers."
_DETAILED = "La banque a détaillé cette écriture : chaque virement a sa référence et son montant."


@dataclass(frozen=True, slots=True)
class FileInTransit:
    """A payment file of which transfers are awaited: how many, for how much."""

    batch_id: UUID
    part: int
    batch_number: str
    agreement_id: UUID
    transfer_count: int
    total_cents: int


def files_in_transit(session: Session, account_id: UUID, *, with_rejected: bool = False) -> list[FileInTransit]:
    """Return the files that an account pays and of which transfers are awaited, the newest first.

    `with_rejected` counts the transfers that the bank said it refused and that no batch took up: it may debit them all the same.
    """
    states = MAY_BE_PAID if with_rejected else (AdviceState.IN_FILE,)
    part = func.coalesce(PaymentAdvice.part, 1)
    rows = session.execute(
        select(
            SettlementBatch.id,
            part.label("part"),
            SettlementBatch.number,
            SettlementBatch.agreement_id,
            func.count(),
            func.sum(PaymentAdvice.amount_cents),
        )
        .join(PaymentAdvice, PaymentAdvice.batch_id == SettlementBatch.id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .where(Agreement.paying_account_id == account_id, PaymentAdvice.state.in_(states))
        .group_by(
            SettlementBatch.id, part, SettlementBatch.number, SettlementBatch.agreement_id, SettlementBatch.frozen_at
        )
        .order_by(SettlementBatch.frozen_at.desc(), part)
    )
    return [FileInTransit(*row[:5], int(row[5])) for row in rows]


@dataclass(frozen=True, slots=True)
class WholeDebit:
    """A file that a debit could be: it pays `file`'s transfers, of which `has_rejected` says that the bank had refused some.

    `paid_again_cents` are of transfers that it had refused and that another batch took up since: the bank took them twice.
    """

    file: FileInTransit
    has_rejected: bool
    paid_again_cents: int


def whole_debits(session: Session, account_id: UUID, amount_cents: int) -> list[WholeDebit]:
    """Return the files that a debit of this very amount could be: those awaited first, then with what the bank had refused."""
    in_transit = files_in_transit(session, account_id)
    found = [WholeDebit(one, False, 0) for one in in_transit if one.total_cents == amount_cents]
    again = _paid_again_cents(session, account_id)
    for one in files_in_transit(session, account_id, with_rejected=True):
        again_cents = again.get((one.batch_id, one.part), 0)
        if one.total_cents == amount_cents and one not in in_transit:
            found.append(WholeDebit(one, True, 0))
        elif again_cents and one.total_cents + again_cents == amount_cents:
            found.append(WholeDebit(one, one not in in_transit, again_cents))
    return found


def _paid_again_cents(session: Session, account_id: UUID) -> dict[tuple[UUID, int], int]:
    """Return, by batch and part, the sum of the transfers that the bank refused and that another batch took up."""
    part = func.coalesce(PaymentAdvice.part, 1)
    rows = session.execute(
        select(PaymentAdvice.batch_id, part.label("part"), func.sum(PaymentAdvice.amount_cents).label("cents"))
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .where(Agreement.paying_account_id == account_id, taken_up_from(PaymentAdvice) == AdviceState.REJECTED)
        .group_by(PaymentAdvice.batch_id, part)
    )
    return {(row.batch_id, row.part): int(row.cents) for row in rows}


def file_named(
    message: str | None, payment_information: str | None, files: Sequence[FileInTransit]
) -> FileInTransit | None:
    """Return the file that a line names by the identifiers that we gave it, if it is in transit."""
    named = None if message is None else part_of_message(message)
    for file in files:
        if named == (file.batch_id, file.part) or (
            named is None and payment_information == payment_information_id(file.batch_id, file.part)
        ):
            return file
    return None


def match_whole_files(session: Session, bank_file: str, *, by: UUID, now: datetime) -> tuple[int, int]:
    """Let the new debits that are a whole file of ours pay it; return how many payments they make, and how many lines they are.

    Sure are: a file that the bank names, or the only one that could be of that many transfers and that total; always the very total in
    transit, or the very total with the transfers that the bank had said it refused: then it debited them all the same.
    """
    lines = session.execute(
        select(*BankLine.__table__.columns).where(
            BankLine.bank_file == bank_file,
            BankLine.is_credit.is_(False),
            BankLine.matched_cents == 0,
            BankLine.end_to_end_id.is_(None),
            ~is_posted(),
            BankLine.message_id.is_not(None)
            | BankLine.payment_information_id.is_not(None)
            | (BankLine.batch_count > 0),
        )
    ).all()
    paid_count = line_count = 0
    for line in lines:
        in_transit = files_in_transit(session, line.paying_account_id)
        awaited = files_in_transit(session, line.paying_account_id, with_rejected=True)
        found, why = _surely(line, in_transit, awaited)
        if found is None:
            continue
        has_rejected = found not in in_transit
        if has_rejected and not withdraw_rejections_of(session, found, line.booked_on, by=by, now=now):
            continue
        match = Match(line.id, by, now, why)
        paid_count += pay_file(session, line, found, match, is_automatic=True)
        line_count += 1
    return paid_count, line_count


def _surely(
    line: Row[*tuple[Any, ...]], in_transit: Sequence[FileInTransit], awaited: Sequence[FileInTransit]
) -> tuple[FileInTransit | None, str]:
    """Return the file that a line surely is, if any, and why. `awaited` are those in transit with what the bank refused of them.

    One that the line does not name is sure when no other could be it, refused transfers counted or not.
    """
    named = [file_named(line.message_id, line.payment_information_id, files) for files in (in_transit, awaited)]
    if any(named) or (line.message_id and part_of_message(line.message_id)):
        whole = (one for one in named if one is not None and one.total_cents == line.amount_cents)
        return next(whole, None), _SAME_FILE
    alike = {
        (one.batch_id, one.part): one
        for one in (*awaited, *in_transit)
        if (one.transfer_count, one.total_cents) == (line.batch_count, line.amount_cents)
    }
    return (next(iter(alike.values())) if len(alike) == 1 else None), _SAME_COUNT


def withdraw_rejections_of(session: Session, file: FileInTransit, booked_on: date, *, by: UUID, now: datetime) -> bool:
    """Put the rejected transfers of a file back in transit: it was debited whole on a day; False when a batch just took one up."""
    rejected = session.execute(
        select(PaymentAdvice.id, PaymentAdvice.amount_cents)
        .where(
            PaymentAdvice.batch_id == file.batch_id,
            func.coalesce(PaymentAdvice.part, 1) == file.part,
            PaymentAdvice.state == AdviceState.REJECTED,
        )
        .order_by(PaymentAdvice.id)
        .with_for_update()
    ).all()
    in_transit_cents = session.scalar(
        select(func.sum(PaymentAdvice.amount_cents)).where(
            PaymentAdvice.batch_id == file.batch_id,
            func.coalesce(PaymentAdvice.part, 1) == file.part,
            PaymentAdvice.state == AdviceState.IN_FILE,
        )
    )
    if sum_cents(in_transit_cents) + sum(one.amount_cents for one in rejected) != file.total_cents:
        return False
    withdraw_rejections(session, {one.id: booked_on for one in rejected}, by=by, now=now)
    return True


def pay_file(
    session: Session, line: Row[*tuple[Any, ...]], file: FileInTransit, match: Match, *, is_automatic: bool = False
) -> int:
    """Let a line pay every transfer of a file still awaited, and return how many. The caller posts, and has compared the amounts.

    `file.total_cents` of the line are used: more may wait on it, when the bank debited what another batch has paid since.
    """
    awaited = (
        (PaymentAdvice.batch_id == file.batch_id)
        & (func.coalesce(PaymentAdvice.part, 1) == file.part)
        & (PaymentAdvice.state == AdviceState.IN_FILE)
    )
    return _pay(session, line, file.total_cents, awaited, match, is_automatic=is_automatic)


def match_details(
    session: Session, details: Sequence[tuple[UUID, BankEntry]], *, by: UUID, now: datetime
) -> list[tuple[UUID, UUID]]:
    """Pay by lines known as a whole, now that the bank details them; return (line, match) of each one that now is explained.

    Only when every transfer has one of our references and its amount, and all are of one file.
    """
    done = []
    for line_id, entry in details:
        given = {line.end_to_end_id: line.amount_cents for line in entry.lines if not line.is_credit}
        line = session.execute(select(*BankLine.__table__.columns).where(BankLine.id == line_id)).one()
        advices = session.execute(
            select(
                PaymentAdvice.id,
                PaymentAdvice.reference,
                PaymentAdvice.amount_cents,
                PaymentAdvice.batch_id,
                PaymentAdvice.state,
            )
            .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
            .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
            .where(
                PaymentAdvice.reference.in_([reference for reference in given if reference]),
                PaymentAdvice.state.in_(MAY_BE_PAID),
                Agreement.paying_account_id == line.paying_account_id,
            )
            .order_by(PaymentAdvice.id)
            .with_for_update(of=PaymentAdvice)
        ).all()
        found = {advice.reference: advice.amount_cents for advice in advices}
        if line.matched_cents or found != given or len({advice.batch_id for advice in advices}) != 1:
            continue
        if len(found) != len(entry.lines) or sum(found.values()) != line.amount_cents:
            continue
        if session.scalar(select(BankMatch.id).where(BankMatch.line_id == line_id).limit(1)) is not None:
            continue  # a person undid what was thought of it
        match_id = new_id()
        rejected = {advice.id: line.booked_on for advice in advices if advice.state == AdviceState.REJECTED}
        withdraw_rejections(session, rejected, by=by, now=now)
        chosen = PaymentAdvice.id.in_([advice.id for advice in advices])
        _pay(session, line, line.amount_cents, chosen, Match(match_id, by, now, _DETAILED))
        done.append((line.id, match_id))
    return done


def _pay(
    session: Session,
    line: Row[*tuple[Any, ...]],
    amount_cents: int,
    awaited: ColumnElement[bool],
    match: Match,
    *,
    is_automatic: bool = False,
) -> int:
    columns = BankMatch.__table__.columns
    values: dict[str, Any] = {
        "id": literal(match.id, columns.id.type),
        "part": func.row_number().over(order_by=PaymentAdvice.reference),
        "line_id": literal(line.id, columns.line_id.type),
        "kind": literal(MatchKind.PAYMENT.value),
        "advice_id": PaymentAdvice.id,
        "amount_cents": PaymentAdvice.amount_cents,
        "why": literal(match.why),
        "made_at": literal(match.at, columns.made_at.type),
        "made_by": literal(match.by, columns.made_by.type),
        "undone_reason": literal(""),
        "is_automatic": literal(is_automatic),
    }
    session.execute(insert(BankMatch).from_select(list(values), select(*values.values()).where(awaited)))
    paid = select(BankMatch.advice_id.label("advice_id")).where(BankMatch.id == match.id)
    cause = Cause(why=PaymentWhy.DEBITED, by=match.by, at=match.at, effective_on=line.booked_on, line_id=line.id)
    count = change(session, paid, AdviceState.IN_FILE, AdviceState.PAID, cause)
    session.execute(
        update(BankLine)
        .where(BankLine.id == line.id)
        .values(matched_cents=BankLine.matched_cents + amount_cents)
        .execution_options(synchronize_session=False)
    )
    return count
