"""Put a part of a bank line on an account of the chart: 6270 the bank's charges, 4671 what a structure owes back, 4432 a funder's advance.

No other account, and never beyond what is owed there: a credit repays a structure's overpayments, or charges that the bank took; a
debit gives a funder's advance back, or is the bank's charges. Two people decide (`proposals`).
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.funding.accounts import balance_cents, take_funding_turn
from voucher.funding.model import FundingClose
from voucher.funding.receive import BookedMoney, refund_advance
from voucher.funding.return_advance import return_advance, returnable_cents
from voucher.kernel.database import Database
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import AccountKey, Code, Dimension, EventType
from voucher.ledger.model import Account
from voucher.ledger.post import Event, post_event
from voucher.programme.model import Agreement, Funder
from voucher.settlement.reconciliation.apply_match import Line, Match, line_to_use, take, write_match
from voucher.settlement.recoveries.net_overpayments import OpenOverpayment, net_of
from voucher.settlement.recoveries.repay_or_write_off import Claim, open_claims, repay_from_line
from voucher.settlement.words.states import MatchKind


@dataclass(frozen=True, slots=True)
class ChartAccount:
    """An account of the chart that takes parts of lines, with what it is kept by."""

    code: Code
    agreement_id: UUID | None = None
    structure_id: UUID | None = None
    funder_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class AccountChoice:
    """An account that a line may be put on, what it is in French, and at most how much of the line it takes, in cents."""

    account: ChartAccount
    name: str
    limit_cents: int


def account_choices(database: Database, line_id: UUID, *, issuer_id: UUID | None = None) -> list[AccountChoice]:
    """Return the accounts that a line may be put on, with their limit; none that would take nothing. Raises Refused out of scope."""
    with database.read() as session:
        return account_choices_of(session, line_to_use(session, line_id, issuer_id))


def account_choices_of(session: Session, line: Line) -> list[AccountChoice]:
    """Return the same inside a transaction."""
    left_cents: int = line.amount_cents - line.matched_cents
    owed = [_charges(session, line), *(_overpaid(session, line) if line.is_credit else _advances(session, line))]
    return [
        AccountChoice(one.account, one.name, min(left_cents, one.limit_cents))
        for one in owed
        if min(left_cents, one.limit_cents) > 0
    ]


def account_choice(session: Session, line: Line, wanted: ChartAccount, amount_cents: int) -> AccountChoice:
    """Return the account that takes so much of a line. Raises Refused: it owes nothing, or less, or less waits of the line."""
    found = next((one for one in account_choices_of(session, line) if one.account == wanted), None)
    if found is None:
        sentence = "Ce compte n’attend rien de cette ligne. Choisissez-en un autre dans la liste."
        raise Refused("nothing_due", sentence, "account")
    if not 0 < amount_cents <= found.limit_cents:
        sentence = (
            f"Ce compte peut prendre {format_euros(found.limit_cents)} de cette ligne. Écrivez cette somme, ou moins."
        )
        raise Refused("beyond_the_account", sentence, "amount_cents")
    return found


def account_name(code: Code, whose: str | None = None, agreement_number: str | None = None, *, is_credit: bool) -> str:
    """Return how an account is called to who chooses it: its code, what it holds, whose it is and of which agreement."""
    if code == Code.CHARGES:
        return f"{code}, frais de la banque{' rendus' if is_credit else ''}"
    what = "trop-perçus" if code == Code.OVERPAID else "avance"
    return f"{code}, {what} de {whose}, convention {agreement_number}"


def put_on_account(session: Session, match: Match, line: Line, wanted: ChartAccount, amount_cents: int) -> None:
    """Put a part of a line on an account, and post it. The caller holds the turn of bank files. Raises Refused."""
    if wanted.code == Code.ADVANCES and wanted.agreement_id and wanted.funder_id:
        take_funding_turn(session, wanted.agreement_id, wanted.funder_id)
    account_choice(session, line, wanted, amount_cents)
    take(session, line, amount_cents)
    if wanted.code == Code.CHARGES:
        write_match(session, match, line, MatchKind.CHARGE, amount_cents)
        event_type = EventType.CHARGE_REFUND_IDENTIFIED if line.is_credit else EventType.CHARGE_IDENTIFIED
        event = Event(event_type, match.id, match.at, "Frais de la banque", match.by, line.booked_on)
        post_event(session, event, {Dimension.BANK_ACCOUNT: line.paying_account_id}, {line.id: amount_cents})
    elif wanted.code == Code.OVERPAID:
        _repay(session, match, line, wanted, amount_cents)
    else:
        _give_back(session, match, line, wanted, amount_cents)


def _repay(session: Session, match: Match, line: Line, wanted: ChartAccount, amount_cents: int) -> None:
    """Repay a structure's overpayments, the oldest first: each is a part of the match."""
    open_ones = [
        OpenOverpayment(claim.overpayment_id, claim.structure_id, claim.open_cents)
        for claim in sorted(_claims(session, line), key=lambda one: (one.decided_at, one.overpayment_id))
        if (claim.agreement_id, claim.structure_id) == (wanted.agreement_id, wanted.structure_id)
    ]
    for rank, (overpayment_id, cents) in enumerate(net_of(amount_cents, open_ones), 1):
        repay_from_line(session, line.id, overpayment_id, by=match.by, now=match.at, amount_cents=cents)
        write_match(session, match, line, MatchKind.OVERPAYMENT, cents, target_id=overpayment_id, part=rank)


def _give_back(session: Session, match: Match, line: Line, wanted: ChartAccount, amount_cents: int) -> None:
    """Give an advance back to its funder: what a final balance says, or, before there is one, what remains of it."""
    assert wanted.agreement_id is not None
    assert wanted.funder_id is not None
    money = BookedMoney(line.paying_account_id, line.amount_cents - line.matched_cents, line.booked_on)
    act: dict[str, Any] = {"by": match.by, "now": match.at}
    close = _open_close(session, wanted.agreement_id, wanted.funder_id)
    if close is None:
        return_advance(session, match.id, wanted.agreement_id, wanted.funder_id, money, amount_cents, **act)
        write_match(session, match, line, MatchKind.ADVANCE_RETURN, amount_cents)
    else:
        refund_advance(session, match.id, close.id, money, part_cents=amount_cents, **act)
        write_match(session, match, line, MatchKind.ADVANCE_REFUND, amount_cents, target_id=close.id)


def _charges(session: Session, line: Line) -> AccountChoice:
    """A debit may be charges whatever it is; a credit gives back no more than the bank took."""
    key = AccountKey(Code.CHARGES, bank_account_id=line.paying_account_id)
    limit_cents = balance_cents(session, key) if line.is_credit else int(line.amount_cents)
    return AccountChoice(ChartAccount(Code.CHARGES), account_name(Code.CHARGES, is_credit=line.is_credit), limit_cents)


def _overpaid(session: Session, line: Line) -> list[AccountChoice]:
    found: dict[ChartAccount, AccountChoice] = {}
    for claim in _claims(session, line):
        of = ChartAccount(Code.OVERPAID, claim.agreement_id, claim.structure_id)
        before_cents = found[of].limit_cents if of in found else 0
        name = account_name(Code.OVERPAID, claim.structure_name, claim.agreement_number, is_credit=True)
        found[of] = AccountChoice(of, name, before_cents + claim.open_cents)
    return list(found.values())


def _claims(session: Session, line: Line) -> list[Claim]:
    """Return what the line may repay: no overpayment of which it repays a part, which would be counted once for two parts."""
    return open_claims(session, paying_account_id=line.paying_account_id, not_repaid_by=line.id)


def _advances(session: Session, line: Line) -> list[AccountChoice]:
    rows = session.execute(
        select(Account.agreement_id, Account.funder_id, Funder.name, Agreement.number)
        .join(Funder, Funder.id == Account.funder_id)
        .join(Agreement, Agreement.id == Account.agreement_id)
        .where(Account.code == Code.ADVANCES, Agreement.paying_account_id == line.paying_account_id)
        .order_by(Agreement.number, Funder.name)
    )
    return [
        AccountChoice(
            ChartAccount(Code.ADVANCES, row.agreement_id, funder_id=row.funder_id),
            account_name(Code.ADVANCES, row.name, row.number, is_credit=False),
            _advance_cents(session, row.agreement_id, row.funder_id),
        )
        for row in rows
    ]


def _advance_cents(session: Session, agreement_id: UUID, funder_id: UUID) -> int:
    """Return what can be given back to a funder: what its final balance says, or, before there is one, what remains of its advance."""
    close = _open_close(session, agreement_id, funder_id)
    if close is None:
        return returnable_cents(session, agreement_id, funder_id)
    return int(close.refund_cents - close.refunded_cents)


def _open_close(session: Session, agreement_id: UUID, funder_id: UUID) -> Any:
    """Return the first final balance that still gives something back, the last one where none does, None before there is any."""
    closes = session.execute(
        select(FundingClose.id, FundingClose.refund_cents, FundingClose.refunded_cents)
        .where(FundingClose.agreement_id == agreement_id, FundingClose.funder_id == funder_id)
        .order_by(FundingClose.number)
    ).all()
    return next(
        (close for close in closes if close.refunded_cents < close.refund_cents), closes[-1] if closes else None
    )
