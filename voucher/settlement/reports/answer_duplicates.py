"""Répondre à un doublon annoncé: two people say, each with a reason, whether the first sending stands at the bank.

While they do not both say that it never came, the transfer stays in transit and nobody is owed again. Once they do, it is rejected
(5115 to 4670) and the next batch takes it up. An answer can be withdrawn, unless something rests on it since.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, exists, select, update
from sqlalchemy.orm import Session

from voucher.kernel.bulk import copy_rows
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.chunks import chunks
from voucher.kernel.clean_input import member, required_text
from voucher.kernel.database import Database, changed
from voucher.kernel.idempotency import is_same
from voucher.kernel.refusals import Refused
from voucher.settlement.batches.find_batch import batch_row, unknown_batch
from voucher.settlement.model.bank_reports import DuplicateAnswer, TransferReport
from voucher.settlement.model.batches import BankFile, PaymentAdvice, SettlementBatch
from voucher.settlement.payable.undecided_duplicates import ANSWERS_NEEDED, decision, is_decided, is_open
from voucher.settlement.reconciliation.bank_turn import close_ended_batches, take_bank_turn
from voucher.settlement.reconciliation.reject_payments import reject_advices
from voucher.settlement.reconciliation.withdraw_rejections import withdraw_rejections
from voucher.settlement.words.causes import NEVER_CAME
from voucher.settlement.words.payment_sentences import still_owed
from voucher.settlement.words.states import AdviceState, BatchState, DuplicateOutcome, ReportKind
from voucher.settlement.words.transitions import PaymentWhy

REASON_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class NewAnswer:
    """What a person answers: for all the transfers of a batch that wait for it, or for one (`advice_id`).

    `seen_count` is how many the person saw: were there others meanwhile, nothing is written.
    """

    id: UUID
    batch_id: UUID
    advice_id: UUID | None
    outcome: str
    reason: str
    seen_count: int


def answer_duplicates(
    database: Database, new: NewAnswer, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> DuplicateOutcome | None:
    """Write a person's answer, and return what is decided by it, None while another person must answer. Again, it changes nothing.

    Raises Refused: no reason, nothing to answer, other transfers than those seen, the same person twice, two contrary answers.
    """
    outcome = member(DuplicateOutcome, new.outcome, "outcome")
    why = required_text(new.reason, "reason", REASON_LENGTH_MAX)
    with database.write() as session:
        take_bank_turn(session)
        if batch_row(session, new.batch_id, issuer_id) is None:
            raise unknown_batch()
        ids = _replayed(session, new, (outcome, why, by))
        if not ids:
            ids = _to_answer(session, new, by)
            rows = ((new.id, each_id, outcome.value, why, now, by, None, None, "") for each_id in ids)
            copy_rows(session, DuplicateAnswer, rows)
            if outcome is DuplicateOutcome.NEVER_CAME:
                _offer_again(session, ids, by, now)
                close_ended_batches(session, now)
        is_decided_now = all(decision(one) is outcome for one in _standing(session, ids).values())
    return outcome if is_decided_now else None


def withdraw_answer(
    database: Database, answer_id: UUID, reason: str, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> None:
    """Withdraw an answer, whoever gave it: its transfers wait for one again, in transit. Again, it changes nothing.

    Raises Refused: no reason, an unknown answer, something that rests on it since.
    """
    why = required_text(reason, "reason", REASON_LENGTH_MAX)
    with database.write() as session:
        take_bank_turn(session)
        advices = session.execute(
            select(
                PaymentAdvice.id,
                PaymentAdvice.batch_id,
                PaymentAdvice.state,
                PaymentAdvice.reference,
                PaymentAdvice.paid_on,
                DuplicateAnswer.outcome,
                is_decided(DuplicateOutcome.NEVER_CAME).label("is_offered_again"),
            )
            .join(DuplicateAnswer, DuplicateAnswer.advice_id == PaymentAdvice.id)
            .where(DuplicateAnswer.id == answer_id)
            .order_by(PaymentAdvice.id)
            .with_for_update(of=PaymentAdvice)  # a batch may be taking them up
        ).all()
        if not advices or batch_row(session, advices[0].batch_id, issuer_id) is None:
            raise Refused("unknown_answer", "Cette réponse n’existe pas. Rechargez la page.")
        withdraw = (
            update(DuplicateAnswer)
            .where(DuplicateAnswer.id == answer_id, DuplicateAnswer.withdrawn_at.is_(None))
            .values(withdrawn_at=now, withdrawn_by=by, withdrawn_reason=why)
            .execution_options(synchronize_session=False)
        )
        if changed(session, withdraw) == 0:
            return
        _refuse_rested_on(advices)
        back = [advice.id for advice in advices if advice.state == AdviceState.REJECTED]
        for some in chunks(back):
            days = dict.fromkeys(some, paris_day(now))
            withdraw_rejections(session, days, by=by, now=now, why=PaymentWhy.ANSWER_WITHDRAWN)
        session.execute(
            update(SettlementBatch)
            .where(
                SettlementBatch.id == advices[0].batch_id,
                SettlementBatch.state == BatchState.CLOSED,
                exists().where(
                    PaymentAdvice.batch_id == SettlementBatch.id, PaymentAdvice.state == AdviceState.IN_FILE
                ),
            )
            .values(state=BatchState.EXPORTED, closed_at=None)
            .execution_options(synchronize_session=False)
        )


def _replayed(session: Session, new: NewAnswer, said: tuple[DuplicateOutcome, str, UUID]) -> list[UUID]:
    """Return the transfers that this very act answered for already, none when it is new. Raises Refused when it was another."""
    rows = session.execute(
        select(
            DuplicateAnswer.advice_id, PaymentAdvice.batch_id, DuplicateAnswer.outcome, DuplicateAnswer.reason,
            DuplicateAnswer.answered_by,
        )
        .join(PaymentAdvice, PaymentAdvice.id == DuplicateAnswer.advice_id)
        .where(DuplicateAnswer.id == new.id)
    ).all()  # fmt: skip
    ids = [row.advice_id for row in rows]
    asked = [new.advice_id] if new.advice_id is not None else ids
    stored = ({tuple(row[1:]) for row in rows}, ids) if rows else None
    return ids if is_same(stored, ({(new.batch_id, *said)}, asked)) else []


def _to_answer(session: Session, new: NewAnswer, by: UUID) -> list[UUID]:
    """Return the transfers that this person answers for. Raises Refused."""
    query = select(PaymentAdvice.id).where(PaymentAdvice.batch_id == new.batch_id, is_open())
    if new.advice_id is not None:
        query = query.where(PaymentAdvice.id == new.advice_id)
    found = list(session.scalars(query.order_by(PaymentAdvice.id)))
    if not found:
        raise _nothing_to_answer(session, new)
    if len(found) != new.seen_count:
        raise Refused(
            "duplicates_changed",
            f"Les doublons de ce lot ont changé : {len(found)} attendent une réponse. Rien n’est écrit. Relisez-les, puis répondez.",
        )
    answers = _standing(session, found)
    if left := [one for one in found if by not in answers[one] and len(answers[one]) < ANSWERS_NEEDED]:
        return left
    if any(by in answers[one] for one in found):
        raise Refused(
            "four_eyes",
            "Vous avez déjà répondu. Une autre personne doit répondre à son tour : demandez à un collègue. "
            "Si vous vous êtes trompé, revenez sur votre réponse.",
        )
    raise Refused(
        "answers_differ",
        "Deux personnes ont répondu le contraire l’une de l’autre. L’une doit d’abord revenir sur sa réponse : parlez-leur.",
    )


def _nothing_to_answer(session: Session, new: NewAnswer) -> Refused:
    paid_on = session.scalar(
        select(PaymentAdvice.paid_on).where(PaymentAdvice.id == new.advice_id, PaymentAdvice.state == AdviceState.PAID)
    )
    if paid_on is not None:
        why = f"Le relevé a débité ce virement le {french_date(paid_on)} : le premier envoi tient."
    else:
        why = "Aucun doublon n’attend de réponse : deux personnes ont répondu, ou la banque a débité."
    return Refused("nothing_to_answer", f"{why} Il n’y a rien à faire.")


def _offer_again(session: Session, ids: Sequence[UUID], by: UUID, now: datetime) -> None:
    """Reject those of these advices that two people now say never reached the bank, each for what the bank said since, if anything."""
    for some in chunks(ids):
        decided = session.scalars(
            select(PaymentAdvice.id).where(PaymentAdvice.id.in_(some), is_decided(DuplicateOutcome.NEVER_CAME))
        ).all()
        reasons = dict.fromkeys(decided, NEVER_CAME)
        said = session.execute(
            select(TransferReport.advice_id, TransferReport.code)
            .join(BankFile, BankFile.sha256 == TransferReport.bank_file)
            .where(TransferReport.advice_id.in_(decided), TransferReport.kind == ReportKind.REJECTION)
            .order_by(BankFile.imported_at)
        )
        reasons.update({row.advice_id: row.code or NEVER_CAME for row in said})
        reject_advices(session, reasons, on=paris_day(now), by=by, now=now, why=PaymentWhy.NEVER_CAME)


def _standing(session: Session, ids: Sequence[UUID]) -> dict[UUID, dict[UUID, DuplicateOutcome]]:
    """Return the answers that stand for each of these transfers, by person."""
    found: dict[UUID, dict[UUID, DuplicateOutcome]] = {each_id: {} for each_id in ids}
    for some in chunks(ids):
        for row in session.execute(
            select(DuplicateAnswer.advice_id, DuplicateAnswer.answered_by, DuplicateAnswer.outcome).where(
                DuplicateAnswer.advice_id.in_(some), DuplicateAnswer.withdrawn_at.is_(None)
            )
        ):
            found[row.advice_id][row.answered_by] = row.outcome
    return found


def _refuse_rested_on(advices: Sequence[Row[*tuple[Any, ...]]]) -> None:
    """Refuse to withdraw an answer on which something rests: a debit, a rejection of the bank, a batch that took the money up."""
    for advice in advices:
        if advice.state == AdviceState.PAID:
            day = f" le {french_date(advice.paid_on)}" if advice.paid_on else ""
            why = f"La banque a débité le virement {advice.reference}{day} : le premier envoi tient. Il n’y a plus rien à répondre."
        elif advice.state == AdviceState.IN_FILE or (advice.state == AdviceState.REJECTED and advice.is_offered_again):
            continue
        elif advice.state == AdviceState.REJECTED:
            why = f"La banque a rejeté le virement {advice.reference} depuis. {still_owed(1)}"
        else:
            raise _taken_up(advice.reference)
        raise Refused("answer_rested_on", why)


def _taken_up(reference: str) -> Refused:
    return Refused(
        "answer_rested_on",
        f"Un autre lot a repris le virement {reference} : cette réponse ne peut plus être retirée. S’il n’est pas parti, mettez ce "
        "règlement de côté. Demandez à votre banque si elle a le premier envoi.",
    )
