"""What finance does in a month of the simulation: settle, read the bank, call funds, decide disputes, close years, seal."""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from uuid import UUID

from tests.simulation.bank import Account, accountant_return
from tests.simulation.months import last_day_of
from tests.simulation.world import FUNDERS, Agreed, World, give_bank_details
from voucher.access.rules import Role
from voucher.accounting.close_year import close_year, propose_close
from voucher.accounting.match_up import match_up
from voucher.accounting.year_end import before_closing
from voucher.demonstration.story import Story
from voucher.distribution.lapse import lapse
from voucher.funding.call import Called, call_advance, call_funds
from voucher.funding.close import close_funding, close_preview
from voucher.kernel.calendar import PARIS
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.checkpoint import origin_of
from voucher.programme.programme_key import programme_key
from voucher.redemption.period import close_ended_periods
from voucher.settlement.bank_in.import_bank_file import import_bank_file
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.recoveries.dispute import NewDispute, decide_dispute, open_dispute
from voucher.trail.seal import seal

ADVANCE_CENTS = 150_000
NOTHING_TO_PAY = ("nothing_to_settle", "nothing_payable")


@dataclass
class Desk:
    """The finance people and the bank: the accounts, the calls awaiting money, the disputes awaiting a decision."""

    world: World
    accounts: dict[str, Account]
    asked: list[tuple[Account, str, Called]] = field(default_factory=list)
    disputes: list[UUID] = field(default_factory=list)
    settled: list[UUID] = field(default_factory=list)  # the redemptions of the month before: paid, most of them
    new_details: int = 0  # bank details given again after a closed account
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def story(self) -> Story:
        """The story that is told: its database is another one after the take-over."""
        return self.world.story

    def count(self, what: str, by: int = 1) -> None:
        """Remember that something happened, so that the simulation can prove that it covers it."""
        self.counts[what] = self.counts.get(what, 0) + by


@dataclass
class Done:
    """What became of an act: `why` is the code of its refusal, empty when it was done."""

    why: str = ""


@contextmanager
def allowed(*codes: str) -> Iterator[Done]:
    """Try an act that may be refused for one of these reasons, and for no other."""
    done = Done()
    try:
        yield done
    except Refused as refused:
        if refused.code not in codes:
            raise
        done.why = refused.code


def at(day: date, hour: int = 9) -> datetime:
    """Return an hour of a day in Paris."""
    return datetime.combine(day, time(hour), PARIS)


def open_desk(world: World) -> Desk:
    """Open an account at the bank for each agreement, and ask the région for money in advance."""
    desk = Desk(world, {one.plan.number: Account(one.iban, world.story.dice) for one in world.agreements})
    region = world.agreements[2]
    called = call_advance(
        desk.story.database,
        new_id(),
        region.agreement_id,
        region.funder_ids["region"],
        ADVANCE_CENTS,
        by=desk.story.by[Role.FINANCE_PREPARER],
        now=at(date(2025, 2, 10)),
    )
    desk.asked.append((desk.accounts[region.plan.number], "region", called))
    return desk


def close_month(desk: Desk, month: date, redemptions: Sequence[UUID]) -> None:
    """Do what finance does after a month: everything of that month's redemptions, and of what came back since."""
    first = last_day_of(month) + timedelta(days=1)
    close_ended_periods(desk.story.database, at(first, 6))
    _dispute(desk, redemptions, first)
    for agreed in desk.world.agreements:
        _settle(desk, agreed, first)
        _call(desk, agreed, first + timedelta(days=12))
    _receive(desk, first + timedelta(days=20))
    for agreed in desk.world.agreements:
        _read_statement(desk, agreed, first + timedelta(days=22))
    match_up(desk.story.database, now=at(first + timedelta(days=23)))
    seal_journal(desk, first + timedelta(days=24))


def seal_journal(desk: Desk, day: date) -> None:
    """Seal what was posted."""
    story = desk.story
    sealed = seal(
        story.database, origin=origin_of(story.base_url), key=programme_key(story.master_secret), now=at(day, 23)
    )
    desk.count("seals", 1 if sealed else 0)


def _settle(desk: Desk, agreed: Agreed, first: date) -> None:
    story, database = desk.story, desk.story.database
    preparer, approver = story.by[Role.FINANCE_PREPARER], story.by[Role.FINANCE_APPROVER]
    batch_id, day = story.some_id(), first + timedelta(days=2)
    paid_cents = 0
    with allowed(*NOTHING_TO_PAY) as done:
        paid_cents = freeze_batch(database, batch_id, agreed.agreement_id, by=preparer, now=at(day)).total_cents
    if done.why:
        return
    desk.count("batches")
    if not paid_cents:
        return  # all of it is held: the batch is closed, nobody approves it
    approve_batch(database, batch_id, by=approver, now=at(day, 11))
    files = export_batch(database, batch_id, by=preparer, now=at(day, 12))
    account = desk.accounts[agreed.plan.number]
    if agreed.plan.channel == "public_accountant":
        _answer_of_accountant(
            desk, {one.kind: one.content for one in files}["liquidation_csv"], account, day + timedelta(days=4)
        )
        return
    for file in files:
        report = account.take(file.content)
        if report is not None:
            _import(desk, "compte-rendu.xml", report, day + timedelta(days=1))
            desk.count("rejected")
    account.charge(150)
    _read_statement(desk, agreed, day + timedelta(days=4))
    if account.abroad and story.dice.random() < 0.5:
        desk.count("returned", len(account.abroad))
        account.bring_back()
        _read_statement(desk, agreed, day + timedelta(days=8))


def _answer_of_accountant(desk: Desk, liquidation: bytes, account: Account, day: date) -> None:
    """Pay what the état liquidatif asks, one line in twenty refused."""
    rows = csv.DictReader(io.StringIO(liquidation.decode("utf-8-sig")), delimiter=";")
    lines = []
    for row in rows:
        if not row["Référence"]:
            continue  # the total
        cents = int("".join(sign for sign in row["Montant en euros"] if sign.isdigit()))
        is_refused = desk.story.dice.random() < 0.05
        lines.append((row["Référence"], cents, day, "RIB refusé : compte clos" if is_refused else ""))
        account.paid_cents += 0 if is_refused else cents
        desk.count("rejected", 1 if is_refused else 0)
    _import(desk, "retour.csv", accountant_return(lines), day + timedelta(days=1))


def _read_statement(desk: Desk, agreed: Agreed, day: date) -> None:
    content = desk.accounts[agreed.plan.number].close_day(day)
    if content is None:
        return
    _import(desk, f"releve-{day}.xml", content, day + timedelta(days=1))
    if desk.story.dice.random() < 0.3:
        _import(desk, f"releve-{day}-encore.xml", content, day + timedelta(days=1))
        desk.count("imported twice")


def _import(desk: Desk, name: str, content: bytes, day: date) -> None:
    import_bank_file(desk.story.database, name, content, by=desk.story.by[Role.FINANCE_PREPARER], now=at(day, 7))


def _call(desk: Desk, agreed: Agreed, day: date) -> None:
    for kind in FUNDERS:
        if kind not in agreed.funder_ids:
            continue
        with allowed("nothing_to_call", "credit_for_funder", "funding_closed") as done:
            called = call_funds(
                desk.story.database,
                new_id(),
                agreed.agreement_id,
                agreed.funder_ids[kind],
                by=desk.story.by[Role.FINANCE_PREPARER],
                now=at(day),
            )
        if done.why:
            continue
        if called.called_cents:
            desk.asked.append((desk.accounts[agreed.plan.number], kind, called))


def _receive(desk: Desk, day: date) -> None:
    """Let funders pay what was asked, most of them at once; a stranger pays in by mistake now and then."""
    late = []
    for account, kind, called in desk.asked:
        if desk.story.dice.random() < 0.2:
            late.append((account, kind, called))
            continue
        account.receive(called.called_cents, f"FINANCEUR {kind}", f"Appel {called.reference}")
        desk.count("calls paid")
    desk.asked = late
    if desk.story.dice.random() < 0.2:
        account = desk.accounts["SIM-A"]
        account.receive(1_234, "INCONNU", f"Don du {day}")
        desk.count("strangers")


def _dispute(desk: Desk, redemptions: Sequence[UUID], day: date) -> None:
    """Decide what was contested, then contest a redemption that was paid and one that was not."""
    story = desk.story
    for dispute_id in desk.disputes:
        outcome = "upheld" if story.dice.random() < 0.6 else "dismissed"
        decide_dispute(
            story.database,
            dispute_id,
            outcome,
            "Vérifié auprès du lieu.",
            by=story.by[Role.FINANCE_APPROVER],
            now=at(day, 7),
        )
        desk.count(outcome)
    desk.disputes = []
    contested = [story.dice.choice(some) for some in (desk.settled, redemptions) if some]
    desk.settled = [one for one in redemptions if one not in contested]
    for redemption_id in contested:
        new = NewDispute(story.some_id(), redemption_id, "not_rendered", "L’atelier n’a pas eu lieu.")
        open_dispute(story.database, new, by=story.by[Role.FINANCE_PREPARER], now=at(day, 8))
        desk.disputes.append(new.id)


def close_fiscal_year(desk: Desk, year: int) -> None:
    """Close a year by two people, a month after its end."""
    now = at(date(year + 1, 2, 26))
    database, by = desk.story.database, desk.story.by
    accepted = {
        line.item: "Suivi ligne à ligne, mois après mois." for line in before_closing(database, year) if line.count
    }
    propose_close(database, year, accepted, by=by[Role.FINANCE_PREPARER], now=now)
    close_year(database, year, accepted, by=by[Role.FINANCE_APPROVER], now=now + timedelta(hours=2))


def end_agreements(desk: Desk, year: int) -> None:
    """In March: what nobody used is lost, and its credit given back; then each funder's final balance is drawn up."""
    day = date(year + 1, 3, 4)
    lapsed = lapse(desk.story.database, by=desk.story.by[Role.ISSUER], now=at(day))
    desk.count("lapsed cents", sum(one.released_cents for one in lapsed))
    for agreed in desk.world.agreements:
        if agreed.plan.use_by.year != year:
            continue
        for kind in agreed.funder_ids:
            funder_id = agreed.funder_ids[kind]
            # What no batch can pay stays the structures': the balance says so.
            kept_cents = close_preview(desk.story.database, agreed.agreement_id, funder_id).waiting_cents
            with allowed("agreement_not_settled") as done:
                close_funding(
                    desk.story.database,
                    new_id(),
                    agreed.agreement_id,
                    funder_id,
                    by=desk.story.by[Role.FINANCE_PREPARER],
                    now=at(day + timedelta(days=1)),
                    kept_cents=kept_cents,
                )
            desk.count(done.why or "final balances")


def mend_bank_details(desk: Desk, day: date) -> None:
    """Let every structure whose account was closed give a new RIB, so that what came back can be paid."""
    for counter in desk.world.counters:
        if desk.story.dice.random() < 0.2:
            desk.new_details += 1
            give_bank_details(desk.story, counter.structure_id, 5000 + desk.new_details, now=at(day, 6))
