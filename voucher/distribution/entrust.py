"""Move inactive stock: a range of booklets from the issuer to a prescriber, back, or from one prescriber to another."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from voucher.distribution.booklets import check_range, in_stock
from voucher.distribution.model import Prescriber, StockSlip
from voucher.issuing.model import Booklet
from voucher.kernel.database import Database, changed
from voucher.kernel.idempotency import insert_once, is_replay
from voucher.kernel.refusals import Refused


@dataclass(frozen=True, slots=True)
class StockMove:
    """A slip: `booklet_count` booklets from `first_booklet_number` on, from a prescriber or the issuer (None), to another."""

    id: UUID
    issuer_id: UUID
    first_booklet_number: int
    booklet_count: int
    to_prescriber_id: UUID | None
    from_prescriber_id: UUID | None = None


def entrust(database: Database, move: StockMove, *, by: UUID, now: datetime) -> UUID:
    """Move a whole range of stock and return the slip's id; the same command again changes nothing.

    Raises Refused, moving nothing, unless every booklet of the range is the issuer's, in stock, where the slip says.
    """
    check_range(move.first_booklet_number, move.booklet_count)
    if move.to_prescriber_id == move.from_prescriber_id:
        raise Refused("moves_nowhere", "Choisissez à qui confier ces carnets.", "to_prescriber_id")
    row: dict[str, object] = {
        "id": move.id,
        "issuer_id": move.issuer_id,
        "from_prescriber_id": move.from_prescriber_id,
        "to_prescriber_id": move.to_prescriber_id,
        "first_booklet_number": move.first_booklet_number,
        "booklet_count": move.booklet_count,
    }
    here = Booklet.prescriber_id.is_not_distinct_from(move.from_prescriber_id)
    conditions = in_stock(move.issuer_id, move.first_booklet_number, move.booklet_count)
    with database.write() as session:
        if is_replay(session, StockSlip, row):
            return move.id
        for prescriber_id, field in (
            (move.to_prescriber_id, "to_prescriber_id"),
            (move.from_prescriber_id, "from_prescriber_id"),
        ):
            _refuse_foreign_prescriber(session, move.issuer_id, prescriber_id, field)
        moved = changed(
            session,
            update(Booklet)
            .where(*conditions, here)
            .values(prescriber_id=move.to_prescriber_id)
            .execution_options(synchronize_session=False),
        )
        if moved != move.booklet_count:
            raise _not_all_there(move, moved)
        taken = Refused("slip_exists", "Ce bordereau existe déjà. Ouvrez un nouveau formulaire.")
        insert_once(session, StockSlip, row, {"made_at": now, "made_by": by}, taken)
    return move.id


def _refuse_foreign_prescriber(session: Session, issuer_id: UUID, prescriber_id: UUID | None, field: str) -> None:
    if prescriber_id is None:
        return
    if session.scalar(select(Prescriber.issuer_id).where(Prescriber.id == prescriber_id)) != issuer_id:
        raise Refused("prescriber_unknown", "Choisissez un prescripteur de la liste.", field)


def _not_all_there(move: StockMove, moved: int) -> Refused:
    return Refused(
        "not_all_in_stock",
        f"Sur ces {move.booklet_count} carnets, {moved} seulement sont disponibles ici. "
        "Les autres sont confiés, remis, annulés ou pas encore fabriqués. Rien n’a bougé. Vérifiez les numéros.",
        "first_booklet_number",
    )
