"""The fourth part of the archive's verifier: the audit trail, known by the digests of its lines alone."""

from collections.abc import Iterable

from voucher.proof.verifier.archive import SINCE, Archive, Report, say
from voucher.proof.verifier.journal import Claims
from voucher.proof.verifier.proofs import Keys, Tree, open_checkpoint, trail_in


def check_trail(archive: Archive, report: Report, keys: Keys, claims: Claims) -> None:
    """Check that each note of this operator, here or kept elsewhere, gives the root of the first lines: none was taken out or put in."""
    if archive.format < SINCE["trail_seal"]:
        return
    signed = hear_own_notes(archive, report, keys, claims)
    tree = Tree()
    for leaf, hexadecimal in archive.rows("trail_seal", "leaf leaf_hash"):
        if int(leaf) != tree.size:
            report.wrong("journal des accès", "trail_seal", f"ligne {leaf} : celles à partir de {tree.size} manquent")
        tree.append(bytes.fromhex(hexadecimal))
        compare(report, claims.trail.pop(tree.size, ()), tree.root())
    if tree.size > signed:
        detail = f"{tree.size} lignes scellées, {signed} sous la dernière note signée"
        report.wrong("journal des accès", "trail_checkpoint", detail)
    for size, late in sorted(claims.trail.items()):
        for where, _ in late:
            detail = f"il scelle {size} lignes du journal des accès, il en reste {tree.size} : fin retirée"
            report.wrong("journal des accès", where, detail)
    say(f"{tree.size} lignes du journal des accès scellées.")


def hear_own_notes(archive: Archive, report: Report, keys: Keys, claims: Claims) -> int:
    """Take what the notes kept with the trail say of it; return how many lines the last one seals."""
    signed = 0
    for told, hexadecimal, note in archive.rows("trail_checkpoint", "size root note"):
        where = f"trail_checkpoint.csv, taille {told}"
        try:
            journal_size, _ = open_checkpoint(note, keys.of)
            said = trail_in(note)
        except ValueError as bad:
            report.wrong("journal des accès", where, str(bad))
            continue
        if said is None or (told, hexadecimal) != (str(said[0]), said[1].hex()):
            report.wrong("journal des accès", where, "la note signée dit une autre taille ou une autre racine")
            continue
        claims.hear_trail(where, note, journal_size)
        signed = max(signed, said[0])
    return signed


def compare(report: Report, claims: Iterable[tuple[str, bytes]], root: bytes) -> None:
    """Compare the root with what notes claim of it."""
    for where, claimed in claims:
        if claimed != root:
            detail = "sa racine n’est pas celle du journal des accès : il a été réécrit"
            report.wrong("journal des accès", where, detail)
