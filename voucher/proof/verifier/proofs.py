"""The second part of the archive's verifier: trees, signed texts (checkpoints, hand-overs, proofs of one entry), and whose key signs."""

import base64
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from voucher.proof.verifier.archive import Archive, Report, Unreadable, say

HANDOVER_FORMAT, PROOF_FORMAT = "pass-numerique/handover/1", "c2sp.org/tlog-proof@v1"
TRAIL_FORMAT = "pass-numerique/trail/1"
KeyOf = Callable[[int], bytes]  # which key signs a checkpoint of a size


def leaf_of(data: bytes) -> bytes:
    """The hash of a leaf (RFC 6962 §2.1)."""
    return sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash above two others (RFC 6962 §2.1)."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A Merkle tree that grows by its right side: one hash for each bit of its size."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def append(self, hashed: bytes) -> None:
        size = self.size
        while size & 1:
            hashed = node(self.peaks.pop(), hashed)
            size >>= 1
        self.peaks.append(hashed)
        self.size += 1

    def root(self) -> bytes:
        if not self.peaks:
            return sha256().digest()
        hashed = self.peaks[-1]
        for peak in self.peaks[-2::-1]:
            hashed = node(peak, hashed)
        return hashed


def root_by_path(leaf: int, size: int, hashed: bytes, path: list[bytes]) -> bytes | None:
    """Return the root that a leaf's path leads to, None where it has not the right length (RFC 9162 §2.1.3.2)."""
    place, last = leaf, size - 1
    for other in path:
        if not last:
            return None
        if place & 1 or place == last:
            hashed = node(other, hashed)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            hashed = node(hashed, other)
        place, last = place >> 1, last >> 1
    return hashed if leaf < size and not last else None


def read_key(line: str) -> tuple[str, bytes]:
    """Return the name and the 32 bytes of a verifier key: `<name>+<id>+<base64 of 0x01 and the key>`."""
    name, _, rest = line.strip().partition("+")
    told_id, _, encoded = rest.partition("+")
    raw = decoded(encoded)
    if len(raw) != 33 or raw[:1] != b"\x01" or told_id != key_id(name, raw[1:]).hex():
        raise Unreadable("la clé n’est pas de la forme « nom+identifiant+clé », ou elle est mal recopiée")
    return name, raw[1:]


def key_id(name: str, key: bytes) -> bytes:
    """The four bytes that tell a key in a signature line (C2SP signed-note)."""
    return sha256(name.encode() + b"\n\x01" + key).digest()[:4]


def decoded(text: str) -> bytes:
    """What a base64 text says, nothing where it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def number(text: str) -> int:
    """A number as these formats write it: decimal digits alone. Raises ValueError in French."""
    if not (text.isascii() and text.isdigit()) or (text[0] == "0" and text != "0") or len(text) > 18:
        raise ValueError(f"« {text[:40]} » n’est pas un nombre")
    return int(text)


def text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except ValueError:
        raise Unreadable(f"{path} n’est pas un texte") from None


def check_signature(note: str, name: str, key: bytes) -> None:
    """Verify that the key of this name signed a note (C2SP signed-note). Raises ValueError in French."""
    text, _, signatures = note.rpartition("\n\n")
    for line in signatures.splitlines():
        dash, _, rest = line.partition(" ")
        signer, _, encoded = rest.rpartition(" ")
        signed = decoded(encoded)
        if dash == "—" and signer == name and signed[:4] == key_id(name, key):
            try:
                return Ed25519PublicKey.from_public_bytes(key).verify(signed[4:], f"{text}\n".encode())
            except InvalidSignature:
                raise ValueError("sa signature est fausse") from None
    raise ValueError("il n’est pas signé par la clé du programme")


def open_checkpoint(note: str, key_of: KeyOf) -> tuple[int, bytes]:
    """Return the size and root that a signed checkpoint says (C2SP tlog-checkpoint). Raises ValueError in French."""
    lines = note.rpartition("\n\n")[0].split("\n")
    if len(lines) < 3 or len(decoded(lines[2])) != 32:
        raise ValueError("ce n’est pas un point de contrôle")
    size = number(lines[1])
    # The name is the journal's on that day: the programme may have moved since, its key tells it.
    check_signature(note, lines[0], key_of(size))
    return size, decoded(lines[2])


def trail_in(note: str) -> tuple[int, bytes] | None:
    """Return the size and root of the audit trail that a checkpoint says in an extension line, None where it says none."""
    for line in note.rpartition("\n\n")[0].split("\n")[3:]:
        name, _, rest = line.partition(" ")
        size, _, root = rest.partition(" ")
        if name == TRAIL_FORMAT and len(decoded(root)) == 32:
            return number(size), decoded(root)
    return None


class Proof(NamedTuple):
    """The proof of one entry under a checkpoint (C2SP tlog-proof); `entry` is its canonical bytes, None where they are left out."""

    where: str
    leaf: int
    entry: bytes | None
    path: list[bytes]
    note: str
    size: int
    root: bytes


def in_words(entry: bytes) -> str:
    """Say an entry from its canonical bytes (docs/proof.md)."""
    lines = entry.decode().split("\n")
    return f"l’écriture {lines[1]} ({lines[2]}, {lines[5]}, {lines[10]} centimes)"


def open_proof(where: str, text: str, key_of: KeyOf) -> Proof:
    """Return a proof whose checkpoint is well signed. Raises ValueError in French."""
    head, _, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    entry = decoded(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else None
    path = [decoded(line) for line in lines[1:]]
    if first != PROOF_FORMAT or not lines or not lines[0].startswith("index ") or any(len(one) != 32 for one in path):
        raise ValueError("ce n’est pas la preuve d’une écriture (C2SP tlog-proof), ou elle est abîmée")
    if entry is not None and entry.count(b"\n") < 12:
        raise ValueError("elle ne porte pas une écriture")
    return Proof(where, number(lines[0][6:]), entry, path, note, *open_checkpoint(note, key_of))


def check_proof(report: Report, proof: Proof, hashed: bytes, entry: str) -> None:
    """Follow the path from an entry's leaf to the signed root; say which entry it is."""
    if root_by_path(proof.leaf, proof.size, hashed, proof.path) != proof.root:
        report.wrong("preuve", proof.where, "elle ne mène pas de son écriture à la racine de son point de contrôle")
    else:
        say(f"✓ preuve — {proof.where} : {entry} est la feuille {proof.leaf} des {proof.size} écritures scellées.")


class Handover(NamedTuple):
    """A take-over: up to this size and root the journal was signed by one key, from there on by the next."""

    size: int
    root: bytes
    previous: tuple[str, bytes]
    next: tuple[str, bytes]
    note: str

    def is_signed_by(self, key: tuple[str, bytes]) -> bool:
        try:
            check_signature(self.note, *key)
        except ValueError:
            return False
        return True


def read_handover(note: str, columns: tuple[str, str, str]) -> Handover:
    """Return what a note says: format, both keys, size, root, a line each. Raises ValueError, in French, or Unreadable."""
    lines = note.rpartition("\n\n")[0].split("\n")
    if len(lines) != 5 or lines[0] != HANDOVER_FORMAT or len(decoded(lines[4])) != 32:
        raise ValueError("sa note ne se lit pas")
    one = Handover(number(lines[3]), decoded(lines[4]), read_key(lines[1]), read_key(lines[2]), note)
    if (str(one.size), one.previous[1].hex(), one.next[1].hex()) != columns:
        raise ValueError("sa note dit une autre taille ou d’autres clés")
    return one


def read_handovers(archive: Archive, report: Report) -> Iterator[Handover]:
    """Give the take-overs that the archive tells, in the journal's order."""
    archive.bytes("seal_handover.csv")  # it is small, or refused: nothing has bounded it yet
    rows = archive.rows("seal_handover", "size previous_public_key public_key note")
    for size, previous, following, note in sorted(rows, key=lambda row: number(row[0])):
        try:
            yield read_handover(note, (size, previous, following))
        except (ValueError, Unreadable) as bad:
            report.wrong("reprise", "seal_handover", f"à {size} écritures : {bad}")


class Keys:
    """Whose key signs the journal at each size. One key that is trusted proves the others, by the notes of take-overs.

    Back from it, since the one who took over signed; forward from it, since the operator before signed. Who owns the
    database has neither signature to give.
    """

    def __init__(self, archive: Archive, report: Report, given: str | None) -> None:
        if not given:
            say("⚠ ATTENTION : la clé est prise dans l’archive. Qui a fait l’archive a pu faire la clé : donnez --key.")
        trusted = read_key(given or archive.bytes("programme-key.txt").decode())[1]
        self.handovers = list(read_handovers(archive, report))
        chain = [handover.previous[1] for handover in self.handovers[:1]] + [
            handover.next[1] for handover in self.handovers
        ]
        place = chain.index(trusted) if trusted in chain else len(chain)
        self.current = chain[-1] if trusted in chain else trusted
        for rank, one in enumerate(self.handovers):
            say(
                f"⚠ Reprise : jusqu’à {one.size} écritures signait un opérateur d’avant, de la clé {one.previous[1].hex()} ; "
                f"ensuite {one.next[0]}, de la clé {one.next[1].hex()}."
            )
            faults = {
                "elle ne part pas de la clé d’avant": one.previous[1] != chain[rank],
                "elle n’est pas signée de celui qui reprend": not one.is_signed_by(one.next),
                "elle n’est pas signée de l’opérateur d’avant, dont vous donnez la clé": (
                    rank >= place and not one.is_signed_by(one.previous)
                ),
            }
            for fault in [sentence for sentence, is_wrong in faults.items() if is_wrong]:
                report.wrong("reprise", "seal_handover", f"à {one.size} écritures : {fault}")
        if self.handovers and trusted not in chain:
            report.wrong("reprise", "seal_handover", "aucune reprise ne mène à la clé donnée, ni ne part d’elle")

    @property
    def since(self) -> int:
        """The size at which today's operator took over; 0 for the first one."""
        return self.handovers[-1].size if self.handovers else 0

    def of(self, size: int) -> bytes:
        return next((handover.previous[1] for handover in self.handovers if size <= handover.size), self.current)
