"""Renvoyer une ligne: what nobody can identify of a credit goes back by a transfer of its own, which two people decide.

On the mandated operator's channel it leaves in a payment file; on the public accountant's, a request asks the accountant for it. What
is sent back waits in 4711 until the bank debits it: the debit and the credit then undo each other there, as two opposite lines do.
"""

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, exists, func, insert, select, update
from sqlalchemy.orm import Session

from voucher.kernel import sepa
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.clean_input import account_holder, identifier, required_text
from voucher.kernel.database import Database, changed
from voucher.kernel.idempotency import is_replay, is_same
from voucher.kernel.identifiers import check_iban, new_id
from voucher.kernel.money import format_euros, sum_cents
from voucher.kernel.paper import euros_cell, safe_cell
from voucher.kernel.refusals import Refused
from voucher.programme.model import PayingAccount, SettlementChannel
from voucher.settlement.formats_out.pain001 import Debtor, Transfer, write_credit_transfers
from voucher.settlement.formats_out.references import message_id, payment_information_id, refund_reference
from voucher.settlement.formats_out.target_days import next_target_day
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine
from voucher.settlement.model.issuer_scope import account_in_scope
from voucher.settlement.model.proposals import LineProposal
from voucher.settlement.model.refunds import LineRefund
from voucher.settlement.reconciliation.apply_match import Line, Match, MatchOf, is_made, line_to_use, take, write_match
from voucher.settlement.reconciliation.bank_turn import take_bank_turn
from voucher.settlement.words.states import MatchKind, ProposalKind, RefundState

REASON_LENGTH_MAX = 200
_REMITTANCE = "Renvoi de votre virement non identifie"
_SAME = "Même référence, même montant."


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRefund:
    """What a person asks to send back, to whom; `id` is made by the form. The IBAN is the line's, or one that the other person confirms."""

    id: UUID
    line_id: UUID
    amount_cents: int
    holder_name: str
    iban: str
    reason: str


def propose_refund(
    database: Database, new: NewRefund, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> None:
    """Ask to send back a part of a credit, at most what waits of it; the same again changes nothing. Raises Refused."""
    with database.write() as session:
        line = line_to_use(session, new.line_id, issuer_id)
        proposal = {
            "id": new.id,
            "line_id": new.line_id,
            "kind": ProposalKind.REFUND,
            "amount_cents": new.amount_cents,
            "reason": required_text(new.reason, "reason", REASON_LENGTH_MAX),
            "proposed_by": by,
        }
        to = {
            "id": new.id,
            "holder_name": account_holder(new.holder_name, "holder_name"),
            "iban": identifier(check_iban, new.iban, "iban"),
        }
        if is_replay(session, LineProposal, proposal) and is_replay(session, LineRefund, to):
            return
        _refuse_wrong(session, line, new.amount_cents)
        account = session.get_one(PayingAccount, line.paying_account_id)
        refund = {
            **to,
            "reference": refund_reference(new.id),
            "paying_account_id": account.id,
            "channel": account.channel,
            "amount_cents": new.amount_cents,
            "state": RefundState.PROPOSED,
        }
        if refund["iban"] == account.iban:
            raise Refused("own_account", "C’est le compte qui a reçu l’argent. Écrivez l’IBAN de l’expéditeur.", "iban")
        session.execute(insert(LineProposal).values(**proposal, proposed_at=now))
        session.execute(insert(LineRefund).values(**refund))


def _refuse_wrong(session: Session, line: Line, amount_cents: int) -> None:
    left_cents: int = line.amount_cents - line.matched_cents
    if not line.is_credit:
        raise Refused("other_side", "Cette ligne est une sortie. Seul ce qui est reçu se renvoie.")
    if not 0 < amount_cents <= left_cents:
        sentence = f"Il reste {format_euros(left_cents)} de cette ligne à identifier. Écrivez cette somme, ou moins."
        raise Refused("beyond_the_line", sentence, "amount_cents")
    if amount_cents > left_cents - _debited_after_all(session, line.id):
        raise Refused(
            "debited_after_all",
            "La banque a débité un renvoi de cette ligne qui était refusé ou repris. Rapprochez d’abord ce débit.",
            "amount_cents",
        )


def _debited_after_all(session: Session, line_id: UUID) -> int:
    """Return what waits of the debits that bear the reference of refunds of this line that were refused or taken back."""
    waiting = (
        select(func.sum(BankLine.amount_cents - BankLine.matched_cents))
        .join(LineRefund, LineRefund.reference == BankLine.end_to_end_id)
        .join(LineProposal, LineProposal.id == LineRefund.id)
        .where(
            LineProposal.line_id == line_id,
            LineRefund.state == RefundState.REJECTED,
            BankLine.paying_account_id == LineRefund.paying_account_id,
            BankLine.is_credit.is_(False),
        )
    )
    return sum_cents(session.scalar(waiting))


def send_refund(session: Session, proposal: Row[Any], by: UUID, now: datetime) -> None:
    """Take the line's cents and write the file of a refund that another person just confirmed. Raises Refused: less waits, banks refuse it."""
    line = line_to_use(session, proposal.line_id, None)
    _refuse_wrong(session, line, proposal.amount_cents)
    take(session, line, proposal.amount_cents)
    match = Match(proposal.id, by, now, proposal.reason)
    write_match(session, match, line, MatchKind.REFUND, proposal.amount_cents)
    refund = session.get_one(LineRefund, proposal.id)
    is_by_bank = refund.channel == SettlementChannel.MANDATED_OPERATOR
    execution_on = next_target_day(paris_day(now)) if is_by_bank else None
    name, content = _payment(session, refund, now) if is_by_bank else _request(refund, line)
    values = {
        "execution_on": execution_on,
        "file_name": name,
        "file_content": content,
        "file_sha256": hashlib.sha256(content).hexdigest(),
    }
    _change(session, refund.id, (RefundState.PROPOSED,), RefundState.IN_FILE, **values)


def _payment(session: Session, refund: LineRefund, now: datetime) -> tuple[str, bytes]:
    account = session.get_one(PayingAccount, refund.paying_account_id)
    transfer = Transfer(
        end_to_end_id=refund.reference,
        creditor_name=refund.holder_name,
        creditor_iban=refund.iban,
        creditor_bic=None,
        amount_cents=refund.amount_cents,
        remittance=_REMITTANCE,
    )
    try:
        content = write_credit_transfers(
            message_id(refund.id),
            payment_information_id(refund.id),
            now,
            next_target_day(paris_day(now)),
            Debtor(account.holder_name, account.iban, account.bic),
            [transfer],
            schema_name=account.transfer_schema,
        )
    except sepa.WrongPayment as wrong:
        raise Refused("wrong_payment", f"{wrong.sentence} Rien n’est parti. Retirez cette proposition.") from None
    return f"renvoi-{refund.reference}.xml", content


def _request(refund: LineRefund, line: Line) -> tuple[str, bytes]:
    """Return the request to the public accountant, as a table that a spreadsheet opens."""
    rows = (
        ("Référence", "Reçu le", "Montant (€)", "Bénéficiaire", "IBAN", "Libellé reçu"),
        (refund.reference, french_date(line.booked_on), euros_cell(refund.amount_cents), safe_cell(refund.holder_name), refund.iban,
         safe_cell(line.remittance)),
    )  # fmt: skip
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="\r\n").writerows(rows)
    return f"demande-de-renvoi-{refund.reference}.csv", out.getvalue().encode("utf-8-sig")


def withdraw_refund(session: Session, refund_id: UUID) -> None:
    """Say that a refund was withdrawn before anybody confirmed it."""
    _change(session, refund_id, (RefundState.PROPOSED,), RefundState.WITHDRAWN)


def reject_refund(session: Session, refund_id: UUID) -> None:
    """Say that a refund will not be made; its line waits again. Raises Refused once the bank debited it."""
    if not _change(session, refund_id, (RefundState.IN_FILE,), RefundState.REJECTED):
        raise Refused(
            "match_rested_on", "La banque a exécuté ce renvoi. Défaites d’abord le rapprochement de son débit."
        )


def match_with_sent_refund(
    database: Database,
    match_id: UUID,
    line_id: UUID,
    refund_id: UUID,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> None:
    """Say that a debit is a refund that left, of its very amount; again, it changes nothing. Raises Refused."""
    with database.write() as session:
        take_bank_turn(session)
        line = line_to_use(session, line_id, issuer_id)
        if is_made(session, match_id, [MatchOf(line_id, MatchKind.REFUND_DEBIT)]):
            is_same(session.scalar(select(LineRefund.id).where(LineRefund.debit_match_id == match_id)), refund_id)
            return
        refund = session.get(LineRefund, refund_id)
        if line.is_credit or refund is None or refund.paying_account_id != line.paying_account_id:
            raise Refused("unknown_refund", "Ce renvoi n’attend pas cette ligne. Choisissez dans la liste.")
        if line.amount_cents != refund.amount_cents:
            sentence = (
                f"La ligne est de {format_euros(line.amount_cents)}, le renvoi de {format_euros(refund.amount_cents)}."
            )
            raise Refused("amounts_differ", f"{sentence} Choisissez un renvoi du même montant.")
        _pay(session, Match(match_id, by, now), line, refund.id)


def _pay(session: Session, match: Match, line: Line, refund_id: UUID) -> None:
    take(session, line, line.amount_cents)
    write_match(session, match, line, MatchKind.REFUND_DEBIT, line.amount_cents)
    if not _change(session, refund_id, (RefundState.IN_FILE,), RefundState.PAID, debit_match_id=match.id):
        raise Refused("not_expected", "Ce renvoi n’attend pas cette ligne. Regardez son état, puis recommencez.")


def undo_refund_debit(session: Session, match_id: UUID) -> None:
    """Say that a debit did not pay a refund after all. Raises Refused once the transfer came back."""
    undone = (
        update(LineRefund)
        .where(LineRefund.debit_match_id == match_id, LineRefund.state == RefundState.PAID)
        .values(state=RefundState.IN_FILE, debit_match_id=None)
        .execution_options(synchronize_session=False)
    )
    if changed(session, undone) == 0:
        raise Refused(
            "match_rested_on", "Ce renvoi est revenu depuis. Son débit ne peut plus être défait : appelez votre banque."
        )


def match_refunds(session: Session, *, by: UUID, now: datetime) -> tuple[int, int]:
    """Let new debits pay the refunds whose reference and amount they bear, and credits bring them back; return how many of each.

    A credit that brings one back waits to be identified: it is that money again.
    """
    debits = _bearing(session, RefundState.IN_FILE, is_credit=False)
    for refund_id, line_id in debits:
        _pay(session, Match(new_id(), by, now, _SAME), line_to_use(session, line_id, None), refund_id)
    credits_ = _bearing(session, RefundState.PAID, is_credit=True)
    for refund_id, line_id in credits_:
        _change(session, refund_id, (RefundState.PAID,), RefundState.RETURNED, return_line_id=line_id)
    return len(debits), len(credits_)


def sent_refund(session: Session, refund_id: UUID, issuer_id: UUID | None) -> LineRefund | None:
    """Return a refund that left from an account of the scope, or None."""
    return session.scalars(
        select(LineRefund)
        .join(PayingAccount, PayingAccount.id == LineRefund.paying_account_id)
        .where(LineRefund.id == refund_id, LineRefund.file_content.is_not(None), account_in_scope(issuer_id))
    ).one_or_none()


def _bearing(session: Session, state: RefundState, *, is_credit: bool) -> Sequence[tuple[UUID, UUID]]:
    """Return each refund in a state with the first line that waits whole and bears its reference and amount. What a person undid stays undone."""
    rows = session.execute(
        select(LineRefund.id, BankLine.id)
        .join(BankLine, BankLine.end_to_end_id == LineRefund.reference)
        .where(
            LineRefund.state == state,
            BankLine.paying_account_id == LineRefund.paying_account_id,
            BankLine.amount_cents == LineRefund.amount_cents,
            BankLine.is_credit.is_(is_credit),
            BankLine.matched_cents == 0,
            ~exists().where(BankMatch.line_id == BankLine.id),
        )
        .order_by(BankLine.booked_on.desc(), BankLine.id.desc())
    )
    return list({row[0]: row[1] for row in rows}.items())


def _change(
    session: Session, refund_id: UUID, before: Sequence[RefundState], after: RefundState, **values: object
) -> bool:
    """Change the state of a refund; False where it is not in one of those before."""
    change = (
        update(LineRefund)
        .where(LineRefund.id == refund_id, LineRefund.state.in_(before))
        .values(state=after, **values)
        .execution_options(synchronize_session=False)
    )
    count = changed(session, change)
    session.expire_all()
    return count == 1
