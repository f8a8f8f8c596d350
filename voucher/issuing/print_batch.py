"""From stored codes to paper: a small range as one PDF, a whole batch as files in a folder."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.issuing.model import IssueBatch, IssuerKey, KeyState
from voucher.issuing.printing import (
    VOUCHERS_AT_ONCE_MAX,
    PrintBatch,
    PrintBooklet,
    print_batch_to_folder,
    print_booklets,
)
from voucher.issuing.recognise_code import stored_codes
from voucher.kernel.database import Database
from voucher.kernel.number_labels import booklet_label
from voucher.kernel.refusals import Refused
from voucher.kernel.settings import Settings
from voucher.programme.model import Agreement, Issuer

PLACES_PATH = "/lieux"
VOUCHERS_PER_DOWNLOAD_MAX = 500  # a PDF that a page gives while the person waits: under a second
BOOKLETS_PER_READ = 200


def print_range(
    database: Database,
    batch_id: UUID,
    first_booklet_number: int,
    booklet_count: int,
    out: BinaryIO,
    *,
    settings: Settings,
    issuer_id: UUID | None = None,
) -> int:
    """Write a PDF of some booklets of a batch to `out` and return how many vouchers it holds (2,000 at most).

    `issuer_id` is the scope of who asks. Raises Refused: unknown batch or booklets, not made yet, too many, revoked key.
    Whoever calls leaves a line in the audit trail: each code on it is money.
    """
    with database.read() as session:
        batch, paper = _paper(session, batch_id, issuer_id, settings)
        in_batch = (
            batch.first_booklet_number <= first_booklet_number
            and first_booklet_number + booklet_count <= batch.first_booklet_number + batch.made_booklet_count
        )
        if booklet_count < 1 or not in_batch:
            raise Refused(
                "booklets_not_made",
                "Ces carnets ne sont pas encore fabriqués. Vérifiez les numéros.",
                "first_booklet_number",
            )
        if booklet_count * batch.booklet_size > VOUCHERS_AT_ONCE_MAX:
            most = VOUCHERS_AT_ONCE_MAX // batch.booklet_size
            raise Refused("too_many_at_once", f"Un fichier contient {most} carnets au plus.", "booklet_count")
        booklets = list(_booklets(session, first_booklet_number, booklet_count, settings.base_url))
    return print_booklets(paper, booklets, out)


def print_batch(
    database: Database,
    batch_id: UUID,
    folder: Path,
    *,
    settings: Settings,
    processes: int = 2,
    on_progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write a whole batch as PDF files of about 1,000 vouchers in `folder`, and return their paths in order.

    Printing again writes the same bytes. `on_progress` hears how many vouchers each finished file holds. Raises Refused.
    """
    with database.read() as session:
        batch, paper = _paper(session, batch_id, None, settings)
        if batch.made_booklet_count < batch.booklet_count:
            raise Refused(
                "batch_not_made", "Ces carnets ne sont pas encore tous fabriqués. Lancez d’abord leur fabrication."
            )
        booklets = _booklets(session, batch.first_booklet_number, batch.booklet_count, settings.base_url)
        return print_batch_to_folder(paper, booklets, folder, processes=processes, progress=on_progress)


def _paper(
    session: Session, batch_id: UUID, issuer_id: UUID | None, settings: Settings
) -> tuple[IssueBatch, PrintBatch]:
    found = session.execute(
        select(IssueBatch, Issuer, IssuerKey.state)
        .join(Agreement, Agreement.id == IssueBatch.agreement_id)
        .join(Issuer, Issuer.id == Agreement.issuer_id)
        .join(IssuerKey, IssuerKey.id == IssueBatch.key_id)
        .where(IssueBatch.id == batch_id)
    ).one_or_none()
    if found is None or issuer_id not in (None, found.Issuer.id):
        raise Refused("batch_unknown", "Cette commande n’existe pas. Choisissez-la dans la liste.")
    batch, issuer, key_state = found
    if key_state == KeyState.REVOKED:
        raise Refused("key_revoked", "La clé de ces carnets est révoquée. Annulez-les et passez une autre commande.")
    try:
        paper = PrintBatch(
            number=booklet_label(batch.first_booklet_number),
            issuer_name=issuer.name,
            issuer_address=f"{issuer.address}, {issuer.postcode} {issuer.city}",
            face_value_cents=batch.face_value_cents,
            use_by=batch.use_by,
            printed_at=batch.ordered_at.replace(microsecond=0),  # a PDF is dated to the second
            help_phone=settings.help_phone or None,
            help_email=settings.help_contact or None,
            places_url=settings.base_url.rstrip("/").split("//", 1)[-1] + PLACES_PATH,
        )
    except ValueError as too_long:
        raise Refused(
            "too_long_for_paper",
            "Le nom ou l’adresse de la collectivité est trop long pour un chèque (60 et 75 caractères). "
            "Demandez au programme de les raccourcir.",
        ) from too_long
    return batch, paper


def _booklets(session: Session, first: int, count: int, base_url: str) -> Iterator[PrintBooklet]:
    """Read the stored codes little by little, so that a million vouchers never stand in memory."""
    end = first + count
    for start in range(first, end, BOOKLETS_PER_READ):
        for stored in stored_codes(session, start, min(BOOKLETS_PER_READ, end - start)):
            yield PrintBooklet.of(booklet_label(stored.number), stored.cover, stored.vouchers, base_url)
