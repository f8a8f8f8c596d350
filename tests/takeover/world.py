"""A programme in the middle of its life, with something in every state that a take-over must carry."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from tests.builders import SOMEONE, entrusted_booklets, handed_over_booklets, issued_booklets, scanned_codes
from tests.clients import settings_for
from tests.reporting.life import book, export_period
from tests.settlement.reports import status_report
from tests.settlement.stand_in import accepted
from tests.settlement.town import NOW, PREPARER, Town, a_town, give_rib
from voucher.demonstration.bank import BookedLine
from voucher.distribution.stop import stop_booklet
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.network.model import Structure
from voucher.proof.sealing import seal_now
from voucher.redemption.undo import undo
from voucher.settlement.bank_in.import_bank_file import import_bank_file
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.payable.hold_by_hand import NewHold, lift_hold, place_hold
from voucher.settlement.recoveries.dispute import NewDispute, open_dispute
from voucher.settlement.words.states import AdviceState

LATER = NOW + timedelta(days=3)
DEPUTYSHIP_ID = UUID("01890000-0000-7000-8000-0000000000d9")


class World:
    """A town whose batches are paid, returned, rejected, held, frozen and not, with a hold in force, one lifted, and open disputes of what
    is paid and of what is not; `code` is of a voucher that is still good.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.town: Town = a_town(database, structure_count=4, with_rib=3)
        settled = [self.town.redeem(rank, 2 + rank) for rank in range(4)]
        self.settled_id = settled[0]
        self.paid_batch_id = export_period(self.town, now=NOW)
        (self.paid, self.paid_cents), (rejected, _), (self.returned, cents) = sent(database, self.paid_batch_id)
        report = status_report(self.paid_batch_id, transfers={rejected: "AB05"})
        import_bank_file(database, "rapport.xml", report, by=PREPARER, now=NOW)
        lines = [
            BookedLine(reference="T1", amount_cents=self.paid_cents, is_credit=False, end_to_end_id=self.paid),
            BookedLine(reference="T2", amount_cents=cents, is_credit=False, end_to_end_id=self.returned),
        ]
        book(self.town, lines, now=NOW + timedelta(days=1))
        stranger = BookedLine(reference="T4", amount_cents=12_345, is_credit=True, counterparty="INCONNU")
        back = BookedLine(
            reference="T3", amount_cents=cents, is_credit=True, end_to_end_id=self.returned, return_reason="MS03"
        )
        book(self.town, [back, stranger], now=NOW + timedelta(days=2))
        self.town.redeem(0, 5, now=LATER)
        give_rib(database, self.town.structure_ids[1], 40, now=LATER)
        self.frozen_batch_id = new_id()
        freeze_batch(database, self.frozen_batch_id, self.town.agreement_id, by=PREPARER, now=LATER)
        undone_id = self.town.redeem(1, 1, now=LATER)
        undo(database, undone_id, self.town.counters[1], undo_minutes=30, by=SOMEONE, now=LATER)
        self.contested_id = self.town.redeem(1, 4, now=LATER)
        self._suspend_and_contest(database)
        agreed = self.town.agreed
        entrusted_booklets(database, 2, agreed=agreed, now=LATER)
        issued_booklets(database, 1, agreed=agreed, now=LATER)
        stopped = handed_over_booklets(database, agreed=agreed, now=LATER)
        stop(database, stopped.first_booklet_number, LATER)
        self.open_booklet = handed_over_booklets(database, agreed=agreed, now=LATER).first_booklet_number
        accepted(database, deputyship_id=DEPUTYSHIP_ID)
        seal_now(database, settings_for(database), LATER)

    def _suspend_and_contest(self, database: Database) -> None:
        """Block two structures and let one go; contest a redemption that is paid and one that is not yet owed in a batch."""
        self.hold_id, lifted_id = new_id(), new_id()
        for hold_id, rank in ((self.hold_id, 2), (lifted_id, 3)):
            hold = NewHold(
                hold_id, pivot_of(database, self.town.structure_ids[rank]), self.town.agreement_id, "Contrôle en cours"
            )
            place_hold(database, hold, by=PREPARER, now=LATER)
        lift_hold(database, lifted_id, "Contrôle fini", by=PREPARER, now=LATER)
        self.dispute_ids = (new_id(), new_id())
        for dispute_id, redemption_id in zip(self.dispute_ids, (self.settled_id, self.contested_id), strict=True):
            open_dispute(
                database,
                NewDispute(dispute_id, redemption_id, "control", "Feuille sans signature"),
                by=PREPARER,
                now=LATER,
            )

    @property
    def code(self) -> str:
        """What a scanner reads on a voucher that is in somebody's pocket."""
        return scanned_codes(self.database, self.open_booklet)[0]


def pivot_of(database: Database, structure_id: UUID) -> str:
    """Return the SIRET or RNA of a structure."""
    with database.read() as session:
        return session.execute(select(Structure.pivot).where(Structure.id == structure_id)).scalar_one()


def stop(database: Database, number: int, now: datetime) -> None:
    """Stop a booklet that its holder lost."""
    stop_booklet(database, new_id(), number, "lost", by=SOMEONE, now=now)


def sent(database: Database, batch_id: UUID) -> list[tuple[str, int]]:
    """Return the reference and cents of the transfers of a batch that the bank has not booked, by reference."""
    with database.read() as session:
        rows = session.execute(
            select(PaymentAdvice.reference, PaymentAdvice.amount_cents)
            .where(PaymentAdvice.batch_id == batch_id, PaymentAdvice.state == AdviceState.IN_FILE)
            .order_by(PaymentAdvice.reference)
        )
        return [(row[0], row[1]) for row in rows]
