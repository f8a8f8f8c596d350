"""What must be true of the sealed trail: no line was removed, changed or put in between since it was sealed (invariants.md §14).

As for the journal, a trail that was rewritten whole is only told by a checkpoint kept outside, which the `Witness` brings.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, outerjoin, select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_instant
from voucher.kernel.checks import Check, Violation
from voucher.ledger.checkpoint import BadNote, Checkpoint, open_checkpoint, read_checkpoint
from voucher.ledger.checks_seals import NOBODYS_KEY, heard_witness
from voucher.ledger.entry_proof import read_proof
from voucher.ledger.merkle import Frontier, leaf_hash
from voucher.ledger.seal_keys import JournalKeys, journal_keys
from voucher.ledger.seal_model import CheckpointRow
from voucher.trail.canonical import canonical_lines
from voucher.trail.digest import TrailDigest, digest_in
from voucher.trail.model import AuditLine, TrailCheckpoint, TrailSeal
from voucher.trail.seal import is_unsealed_line, stored_peaks

ROWS_MAX = 100
LEAVES_AT_ONCE = 4096
LATE_MAX = timedelta(days=2)
_NO_LIMIT = ""  # before any instant


def check_sealed_lines_stand(session: Session) -> list[Violation]:
    """Chaque ligne scellée du journal des accès est là, telle quelle, à son rang ; chaque point de contrôle en donne la racine."""
    claims: dict[int, list[tuple[str, TrailDigest]]] = {}
    for name, digest in _claims(session):
        claims.setdefault(digest.size, []).append((name, digest))
    sealings = _sealings(session)
    found: list[Violation] = []
    trail, leaves, size, limit = Frontier(), list[bytes](), 0, _NO_LIMIT
    query: Select[*tuple[Any, ...]] = select(TrailSeal.leaf, TrailSeal.leaf_hash).select_from(
        outerjoin(TrailSeal, AuditLine, AuditLine.id == TrailSeal.line_id)
    )
    for line in canonical_lines(session, query.order_by(TrailSeal.leaf)):
        leaf, hashed = line.others
        limit = sealings.get(size, limit)
        if wrong := _what_is_wrong(size, leaf, line.data, hashed) or _is_late(line.at, limit):
            found.append(Violation("sealed_lines_stand", f"ligne {leaf} du journal des accès", wrong))
        leaves.append(hashed)
        size += 1
        if size in claims or len(leaves) == LEAVES_AT_ONCE:
            found += _grow(trail, leaves, claims)
        if len(found) >= ROWS_MAX:
            return found
    found += _grow(trail, leaves, claims)
    for claimed, late in sorted(claims.items()):
        detail = f"il scelle {claimed} lignes du journal des accès, il en reste {size} : la fin a été retirée"
        found += [Violation("sealed_lines_stand", name, detail) for name, _ in late]
    return found


def _grow(trail: Frontier, leaves: list[bytes], claims: dict[int, list[tuple[str, TrailDigest]]]) -> list[Violation]:
    """Add the leaves to the tree, empty their list; take the claims of this size, and name those that differ."""
    trail.extend(leaves)
    leaves.clear()
    detail = f"sa racine n’est pas celle des {trail.size} premières lignes du journal des accès : il a été réécrit"
    return [
        Violation("sealed_lines_stand", name, detail)
        for name, digest in claims.pop(trail.size, ())
        if digest.root != trail.root()
    ]


def _what_is_wrong(expected: int, leaf: int, data: bytes, hashed: bytes) -> str:
    if leaf != expected:
        return f"il manque les scellés {expected} à {leaf - 1}"
    if not data:
        return "cette ligne a été retirée après son scellement"
    if leaf_hash(data) != hashed:
        return "cette ligne a changé après son scellement"
    return ""


def _is_late(at: str, limit: str) -> str:
    # Sealed with others, under a date at which the sealing before had found nothing.
    return (
        "cette ligne porte une date d’avant le scellement précédent : elle a été ajoutée après coup"
        if at < limit
        else ""
    )


def _sealings(session: Session) -> dict[int, str]:
    """Return, for the size at which each sealing ended, the instant before which no later line can have been written."""
    rows = session.execute(select(TrailCheckpoint.size, TrailCheckpoint.sealed_at))
    return {row.size: _text(row.sealed_at - LATE_MAX) for row in rows}


def _text(instant: datetime) -> str:
    """Write an instant as the canonical bytes do."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def check_trail_is_signed(session: Session) -> list[Violation]:
    """Chaque point de contrôle du journal des accès porte la signature du programme, et dit ce que la base en a retenu ; le dernier scelle tout."""
    rows = session.execute(select(TrailCheckpoint.__table__).order_by(TrailCheckpoint.size)).all()
    key = _key(session, journal_keys(session, heard_witness(session).public_key))
    found = [
        Violation("trail_is_signed", _name(row.size), wrong)
        for row in rows
        if (wrong := _what_is_wrong_with_note(row, key))
    ]
    sealed = session.scalar(select(func.max(TrailSeal.leaf)))
    size, last = 0 if sealed is None else sealed + 1, rows[-1].size if rows else 0
    if size > last:
        detail = f"{size} lignes scellées, {last} sous le dernier point de contrôle"
        found.append(Violation("trail_is_signed", "journal des accès scellé", detail))
    return found


def _what_is_wrong_with_note(row: Any, key: bytes) -> str:
    try:
        digest = digest_in(open_checkpoint(row.note, key))
    except BadNote as bad:
        return str(bad)
    if digest != TrailDigest(row.size, row.root):
        return "la note dit une autre taille ou une autre racine"
    peaks = stored_peaks(row.peaks)
    if len(peaks) != row.size.bit_count() or Frontier(row.size, peaks).root() != row.root:
        return "ce que la base a retenu de l’arbre n’en donne pas la racine"
    return ""


def _key(session: Session, keys: JournalKeys) -> bytes:
    """Return the key of this operator, which alone signs the trail's checkpoints; the one that signed the last, where none is known."""
    last = select(CheckpointRow.public_key).order_by(CheckpointRow.size.desc()).limit(1)
    return keys.current or session.scalar(last) or NOBODYS_KEY


def check_old_lines_are_sealed(session: Session) -> list[Violation]:
    """Depuis le premier scellement, aucune ligne du journal des accès n’attend le sien plus de deux jours."""
    last_sealed_at = session.scalar(select(func.max(TrailCheckpoint.sealed_at)))
    if last_sealed_at is None:
        return []
    last_at = session.scalar(select(func.max(AuditLine.at))) or last_sealed_at
    # Counted from the last line or sealing, not from the clock of the machine that verifies.
    before = max(last_sealed_at, last_at) - LATE_MAX
    rows = session.execute(
        select(AuditLine.at, AuditLine.action)
        .where(is_unsealed_line(), AuditLine.at < before)
        .order_by(AuditLine.at, AuditLine.id)
        .limit(ROWS_MAX)
    )
    detail = "elle n’a pas de scellé : oubliée, ou ajoutée après coup"
    return [
        Violation("old_lines_are_sealed", f"ligne du {french_instant(row.at)}, « {row.action} »", detail)
        for row in rows
    ]


def _claims(session: Session) -> Iterator[tuple[str, TrailDigest]]:
    """Give what each checkpoint of this operator says of the trail: its own by the row, the journal's and those from outside by the note.

    The trail of an operator before stayed with them, and so did what their notes say of it.
    """
    for row in session.execute(select(TrailCheckpoint.size, TrailCheckpoint.root)):
        yield _name(row.size), TrailDigest(row.size, row.root)
    witness = heard_witness(session)
    since = journal_keys(session, witness.public_key).since
    for name, checkpoint in [*_journals_own(session), *_kept_outside(witness.notes, witness.proofs)]:
        digest = digest_in(checkpoint)
        if digest is not None and checkpoint.size > since:
            yield name, digest


def _journals_own(session: Session) -> Iterator[tuple[str, Checkpoint]]:
    # What cannot be read is named by the checks of the journal's signatures and proofs.
    for row in session.execute(select(CheckpointRow.size, CheckpointRow.note)):
        with suppress(BadNote):
            yield f"point de contrôle {row.size}", read_checkpoint(row.note)


def _kept_outside(
    notes: tuple[tuple[str, str], ...], proofs: tuple[tuple[str, str], ...]
) -> Iterator[tuple[str, Checkpoint]]:
    for name, note in notes:
        with suppress(BadNote):
            yield name, read_checkpoint(note)
    for name, proof in proofs:
        with suppress(BadNote):
            yield name, read_checkpoint(read_proof(proof).note)


def _name(size: int) -> str:
    return f"point de contrôle {size} du journal des accès"


CHECKS: tuple[Check, ...] = (check_sealed_lines_stand, check_trail_is_signed, check_old_lines_are_sealed)
