"""Proposer, confirmer, retirer: what takes two people on a bank line. One proposes with a reason, another confirms, either withdraws.

Nothing is taken of the line nor posted before the second person confirms: what was right when it was proposed is looked at again then.
What two people did is undone the same way, any number of times: each time is a proposal of its own.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update
from sqlalchemy.orm import Session

from voucher.kernel.calendar import not_before
from voucher.kernel.clean_input import required_text
from voucher.kernel.database import Database, changed
from voucher.kernel.idempotency import is_replay
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Code
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.proposals import LineProposal
from voucher.settlement.reconciliation.apply_match import Line, Match, line_to_use
from voucher.settlement.reconciliation.bank_turn import take_bank_turn
from voucher.settlement.reconciliation.match_with_account import ChartAccount, account_choice, put_on_account
from voucher.settlement.reconciliation.refund_line import send_refund, withdraw_refund
from voucher.settlement.reconciliation.undo_match import undo_in
from voucher.settlement.words.states import ProposalKind

REASON_LENGTH_MAX = 200


def propose_account(
    database: Database,
    proposal_id: UUID,
    line_id: UUID,
    account: ChartAccount,
    amount_cents: int,
    reason: str,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> None:
    """Propose an account for a part of a line; the same again changes nothing.

    `proposal_id` is made by the form. Raises Refused: no reason, an account that owes nothing or less, more than waits of the line.
    """
    with database.write() as session:
        line = line_to_use(session, line_id, issuer_id)
        row = {
            "id": proposal_id,
            "line_id": line_id,
            "kind": ProposalKind.ACCOUNT,
            "amount_cents": amount_cents,
            "reason": required_text(reason, "reason", REASON_LENGTH_MAX),
            "code": account.code,
            "agreement_id": account.agreement_id,
            "structure_id": account.structure_id,
            "funder_id": account.funder_id,
            "proposed_by": by,
        }
        if not is_replay(session, LineProposal, row):
            account_choice(session, line, account, amount_cents)
            write_proposal(session, row, now)


def propose_undo(
    database: Database,
    proposal_id: UUID,
    match_id: UUID,
    reason: str,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> None:
    """Propose to undo what two people did; the same again changes nothing. Raises Refused: no reason, nothing to undo, asked already."""
    with database.write() as session:
        take_bank_turn(session)
        done = _proposal(session, match_id, issuer_id)
        row = {
            "id": proposal_id,
            "line_id": done.line_id,
            "kind": ProposalKind.UNDO,
            "amount_cents": done.amount_cents,
            "reason": required_text(reason, "reason", REASON_LENGTH_MAX),
            "undoes_id": match_id,
            "proposed_by": by,
        }
        if is_replay(session, LineProposal, row):
            return
        stands = select(BankMatch.id).where(BankMatch.id == match_id, BankMatch.undone_at.is_(None))
        if session.scalar(stands.limit(1)) is None:
            raise Refused("unknown_match", "Ce rapprochement n’est pas fait, ou il est défait. Rechargez la page.")
        asked = select(LineProposal.id).where(LineProposal.undoes_id == match_id, LineProposal.withdrawn_at.is_(None))
        if session.scalar(asked) is not None:
            raise Refused("already_asked", "Une personne a déjà demandé de le défaire. Une autre doit confirmer.")
        write_proposal(session, row, now)


def confirm_proposal(
    database: Database, proposal_id: UUID, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> ProposalKind:
    """Do what another person proposed; the same person again changes nothing. Return what it was.

    Raises Refused: who proposed it, withdrawn meanwhile, or what it takes is no longer there.
    """
    with database.write() as session:
        take_bank_turn(session)
        proposal = _proposal(session, proposal_id, issuer_id)
        kind: ProposalKind = proposal.kind
        if proposal.proposed_by == by:
            raise Refused("four_eyes", "Vous avez proposé ce rapprochement. Une autre personne doit le confirmer.")
        confirm = (
            update(LineProposal)
            .where(
                LineProposal.id == proposal_id,
                LineProposal.confirmed_at.is_(None),
                LineProposal.withdrawn_at.is_(None),
                LineProposal.proposed_by != by,
            )
            # A step is never dated before the one it follows, whatever the clocks say.
            .values(confirmed_at=not_before(now, proposal.proposed_at), confirmed_by=by)
            .execution_options(synchronize_session=False)
        )
        if changed(session, confirm) == 0:
            standing = _proposal(session, proposal_id, issuer_id)
            if standing.confirmed_by == by:
                return kind
            raise Refused(
                "already_decided", "Une autre personne a déjà confirmé ou retiré cette proposition. Rechargez la page."
            )
        _ACTS[kind](session, proposal, by, now)
    return kind


def withdraw_proposal(
    database: Database, proposal_id: UUID, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> None:
    """Withdraw what a person proposed and nobody confirmed; again, it changes nothing. Raises Refused once it is done."""
    with database.write() as session:
        proposal = _proposal(session, proposal_id, issuer_id)
        withdraw = (
            update(LineProposal)
            .where(
                LineProposal.id == proposal_id,
                LineProposal.confirmed_at.is_(None),
                LineProposal.withdrawn_at.is_(None),
            )
            .values(withdrawn_at=not_before(now, proposal.proposed_at), withdrawn_by=by)
            .execution_options(synchronize_session=False)
        )
        if changed(session, withdraw) == 1:
            if proposal.kind == ProposalKind.REFUND:
                withdraw_refund(session, proposal_id)
        elif _proposal(session, proposal_id, issuer_id).withdrawn_at is None:
            raise Refused(
                "already_decided", "Cette proposition est déjà confirmée. Demandez de défaire le rapprochement."
            )


def write_proposal(session: Session, row: Mapping[str, Any], now: datetime) -> None:
    """Write what a person proposes."""
    session.execute(insert(LineProposal).values(**row, proposed_at=now))


def _put_on_account(session: Session, proposal: Row[Any], by: UUID, now: datetime) -> None:
    line = line_to_use(session, proposal.line_id, None)
    account = ChartAccount(Code(proposal.code), proposal.agreement_id, proposal.structure_id, proposal.funder_id)
    put_on_account(session, Match(proposal.id, by, now, proposal.reason), line, account, proposal.amount_cents)


def _undo(session: Session, proposal: Row[Any], by: UUID, now: datetime) -> None:
    undo_in(session, proposal.undoes_id, proposal.reason, by=by, now=now)


_ACTS: Mapping[ProposalKind, Callable[[Session, Row[Any], UUID, datetime], None]] = {
    ProposalKind.ACCOUNT: _put_on_account,
    ProposalKind.UNDO: _undo,
    ProposalKind.REFUND: send_refund,
}


def _proposal(session: Session, proposal_id: UUID, issuer_id: UUID | None) -> Line:
    found = session.execute(select(*LineProposal.__table__.columns).where(LineProposal.id == proposal_id)).one_or_none()
    if found is None:
        raise Refused("unknown_proposal", "Cette proposition n’existe pas. Rechargez la page.")
    line_to_use(session, found.line_id, issuer_id)
    return found
