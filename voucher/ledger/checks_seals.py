"""What must be true of the sealed journal: nothing sealed was removed, changed or renumbered since (invariants.md §14).

A database that was rewritten whole, seals included, is only told from the true one by a checkpoint kept outside: a `Witness`
brings those, proofs of entries, and a public key.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, func, outerjoin, select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_instant
from voucher.kernel.checks import Check, Violation
from voucher.ledger.canonical import canonical_entries, canonical_query
from voucher.ledger.checkpoint import BadNote, Checkpoint, open_checkpoint, read_checkpoint
from voucher.ledger.entry_proof import read_proof
from voucher.ledger.merkle import Frontier, leaf_hash, root_of_inclusion
from voucher.ledger.model import Entry
from voucher.ledger.seal import is_unsealed, sealed_size
from voucher.ledger.seal_keys import journal_keys
from voucher.ledger.seal_model import CheckpointRow, Seal, SealNode

ROWS_MAX = 100
LEAVES_AT_ONCE = 4096
UNSEALED_FOR_MAX = timedelta(days=2)
NOBODYS_KEY = bytes(32)
_WITNESS = "witness of the sealed journal"


@dataclass(frozen=True, slots=True)
class Witness:
    """What is known of the journal from outside its database.

    A public key (raw), of the programme or of an operator before; checkpoints and proofs of entries, each with its name.
    """

    public_key: bytes | None = None
    notes: tuple[tuple[str, str], ...] = ()
    proofs: tuple[tuple[str, str], ...] = ()


def hear_witness(session: Session, witness: Witness) -> None:
    """Let the checks of this session compare the journal with what is known from outside."""
    session.info[_WITNESS] = witness


def heard_witness(session: Session) -> Witness:
    """Return what the checks of this session know from outside."""
    found = session.info.get(_WITNESS, Witness())
    assert isinstance(found, Witness)
    return found


@cache
def _query_sealed_entries(dialect: str) -> Select[Any]:
    sealed = select(Seal.__table__, Entry.__table__).select_from(outerjoin(Seal, Entry, Entry.id == Seal.entry_id))
    return canonical_query(dialect, sealed, Seal.leaf)


def check_sealed_entries_stand(session: Session) -> list[Violation]:
    """Chaque écriture scellée est là, telle quelle, à son rang ; chaque point de contrôle en donne la racine."""
    claims: dict[int, list[tuple[str, Checkpoint]]] = {}
    for name, checkpoint in _claims(session):
        claims.setdefault(checkpoint.size, []).append((name, checkpoint))
    nodes = {(row.generation, row.place): row.hash for row in session.execute(select(SealNode.__table__))}
    found: list[Violation] = []
    frontier, size = Frontier(), 0
    leaves: list[bytes] = []
    for entry in canonical_entries(session, _query_sealed_entries(session.get_bind().dialect.name)):
        leaf, entry_id, hashed = entry.others
        if wrong := _what_is_wrong(size, leaf, entry.data, hashed):
            found.append(Violation("sealed_entries_stand", f"écriture {entry_id}", f"feuille {leaf} : {wrong}"))
        leaves.append(hashed)
        size += 1
        if size not in claims and len(leaves) < LEAVES_AT_ONCE:
            continue
        found += _grow(frontier, leaves, nodes, claims)
        leaves.clear()
        if len(found) >= ROWS_MAX:
            return found
    found += _grow(frontier, leaves, nodes, claims)
    for claimed, late in sorted(claims.items()):
        detail = f"il scelle {claimed} écritures, le journal n’en a que {frontier.size} : la fin a été retirée"
        found += [Violation("sealed_entries_stand", name, detail) for name, _ in late]
    found += [Violation("sealed_entries_stand", f"nœud {key[0]}/{key[1]}", "il n’a pas ses feuilles") for key in nodes]
    return found


def _grow(
    frontier: Frontier,
    leaves: Sequence[bytes],
    nodes: dict[tuple[int, int], bytes],
    claims: dict[int, list[tuple[str, Checkpoint]]],
) -> list[Violation]:
    """Add leaves to the tree; take the kept nodes that they complete and the claims of this size, and name those that differ."""
    found = []
    for generation, place, node in frontier.extend(leaves):
        if nodes.pop((generation, place), None) != node:
            detail = "ce nœud de l’arbre n’est pas celui de ses feuilles"
            found.append(Violation("sealed_entries_stand", f"nœud {generation}/{place}", detail))
    for name, checkpoint in claims.pop(frontier.size, ()):
        if checkpoint.root != frontier.root():
            detail = f"sa racine n’est pas celle des {checkpoint.size} premières écritures scellées : journal réécrit"
            found.append(Violation("sealed_entries_stand", name, detail))
    return found


def _what_is_wrong(expected: int, leaf: int, data: bytes, hashed: bytes) -> str:
    if leaf != expected:
        return f"il manque les scellés {expected} à {leaf - 1}"
    if not data:
        return "cette écriture a été retirée après son scellement"
    if leaf_hash(data) != hashed:
        return "cette écriture, ou un de ses mouvements, a changé après son scellement"
    return ""


def check_checkpoints_are_signed(session: Session) -> list[Violation]:
    """Chaque point de contrôle porte la signature du programme, et dit ce que la base en a retenu ; le dernier scelle tout."""
    witness = heard_witness(session)
    rows = session.execute(select(CheckpointRow.__table__).order_by(CheckpointRow.size)).all()
    found = []
    keys = journal_keys(session, witness.public_key)
    first = rows[0].public_key if rows else NOBODYS_KEY
    for row in rows:
        subject = f"point de contrôle {row.size}"
        try:
            checkpoint = open_checkpoint(row.note, keys.of(row.size) or row.public_key)
        except BadNote as bad:
            found.append(Violation("checkpoints_are_signed", subject, str(bad)))
            continue
        if (checkpoint.size, checkpoint.root) != (row.size, row.root):
            found.append(
                Violation("checkpoints_are_signed", subject, "la note dit une autre taille ou une autre racine")
            )
        if row.public_key != (keys.of(row.size) or first):
            found.append(Violation("checkpoints_are_signed", subject, "signé d’une autre clé que celle du programme"))
    size, last = sealed_size(session), rows[-1].size if rows else 0
    if size > last:
        detail = f"{size} écritures scellées, {last} sous le dernier point de contrôle"
        found.append(Violation("checkpoints_are_signed", "journal scellé", detail))
    for handed_over, why in keys.faults:
        found.append(Violation("checkpoints_are_signed", f"reprise à {handed_over} écritures", why))
    for name, note in witness.notes:
        try:
            open_checkpoint(note, keys.of(read_checkpoint(note).size) or first)
        except BadNote as bad:
            found.append(Violation("checkpoints_are_signed", name, str(bad)))
    return found


def check_kept_proofs_hold(session: Session) -> list[Violation]:
    """La preuve d’une écriture, gardée ailleurs, mène de l’écriture scellée à son rang à la racine d’un point de contrôle signé."""
    witness = heard_witness(session)
    keys = journal_keys(session, witness.public_key)
    first = session.scalar(select(CheckpointRow.public_key).order_by(CheckpointRow.size).limit(1))
    found = []
    for name, text in witness.proofs:
        try:
            proof = read_proof(text)
            checkpoint = open_checkpoint(proof.note, keys.of(read_checkpoint(proof.note).size) or first or NOBODYS_KEY)
        except BadNote as bad:
            found.append(Violation("kept_proofs_hold", name, str(bad)))
            continue
        is_under = proof.leaf < checkpoint.size
        hashed = session.scalar(select(Seal.leaf_hash).where(Seal.leaf == proof.leaf)) if is_under else None
        if hashed is None or (proof.entry is not None and leaf_hash(proof.entry) != hashed):
            detail = f"le journal n’a pas cette écriture à la feuille {proof.leaf}"
            found.append(Violation("kept_proofs_hold", name, detail))
        elif root_of_inclusion(proof.leaf, checkpoint.size, hashed, proof.path) != checkpoint.root:
            found.append(Violation("kept_proofs_hold", name, "elle ne mène pas à la racine de son point de contrôle"))
    return found


def check_old_entries_are_sealed(session: Session) -> list[Violation]:
    """Depuis le premier scellement, aucune écriture n’attend le sien plus de deux jours."""
    last_sealed_at = session.scalar(select(func.max(CheckpointRow.sealed_at)))
    last_posted_at = session.scalar(select(func.max(Entry.posted_at)))
    if last_sealed_at is None or last_posted_at is None:
        return []
    # Counted from the last posting or sealing, not from the clock of the machine that verifies.
    before = max(last_sealed_at, last_posted_at) - UNSEALED_FOR_MAX
    rows = session.execute(
        select(Entry.id, Entry.posted_at)
        .where(is_unsealed(), Entry.posted_at < before)
        .order_by(Entry.posted_at, Entry.id)
        .limit(ROWS_MAX)
    )
    return [
        Violation(
            "old_entries_are_sealed", f"écriture {row.id}", f"écrite le {french_instant(row.posted_at)}, sans scellé"
        )
        for row in rows
    ]


def _claims(session: Session) -> Iterator[tuple[str, Checkpoint]]:
    """Give what each checkpoint says: ours by the row, those of hand-overs and from outside by their note."""
    for row in session.execute(select(CheckpointRow.size, CheckpointRow.root)):
        yield f"point de contrôle {row.size}", Checkpoint("", row.size, row.root)
    witness = heard_witness(session)
    for handed_over in journal_keys(session, witness.public_key).sealed:
        yield f"reprise à {handed_over.size} écritures", handed_over
    # What cannot be read is named by the checks of signatures and of proofs.
    for name, note in witness.notes:
        with suppress(BadNote):
            yield name, read_checkpoint(note)
    for name, proof in witness.proofs:
        with suppress(BadNote):
            yield name, read_checkpoint(read_proof(proof).note)


CHECKS: tuple[Check, ...] = (
    check_sealed_entries_stand,
    check_checkpoints_are_signed,
    check_kept_proofs_hold,
    check_old_entries_are_sealed,
)
