"""The last part of the archive's verifier: the files that the bank received, and the command line."""

import argparse
import io
import sys
import zipfile
import zlib
from collections import Counter
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

from voucher.proof.verifier.archive import Archive, Manifest, Report, Unreadable, say
from voucher.proof.verifier.decisions import check_decisions
from voucher.proof.verifier.facts import Facts
from voucher.proof.verifier.histories import check_histories
from voucher.proof.verifier.journal import Claims, Ledger
from voucher.proof.verifier.proofs import Keys, check_proof, in_words, leaf_of, open_proof, read_key, text_of
from voucher.proof.verifier.trail import check_trail


def check_payment_file(archive: Archive, report: Report, path: str) -> None:
    """Compare a file that the bank received: its bytes, then each of its transfers."""
    data = Path(path).read_bytes()
    file_id = {digest: one for one, digest in archive.rows("payment_file", "id sha256")}.get(sha256(data).hexdigest())
    if file_id is None:
        return report.wrong("fichier transmis", path, "l’archive ne connaît aucun fichier de ces octets")
    found: Counter[tuple[str, int]] = Counter()
    # Only bytes whose SHA-256 the programme signed come this far.
    for _, element in ElementTree.iterparse(io.BytesIO(data)):  # noqa: S314
        if element.tag.endswith("}CdtTrfTxInf"):
            euros, _, cents = (element.findtext("{*}Amt/{*}InstdAmt") or "0").partition(".")
            found[element.findtext("{*}PmtId/{*}EndToEndId") or "", int(euros + cents.ljust(2, "0"))] += 1
            element.clear()
    rows = archive.rows("payment_file_transfer", "payment_file_id end_to_end_id amount_cents")
    if found != Counter((reference, int(cents)) for one, reference, cents in rows if one == file_id):
        report.wrong("fichier transmis", path, "ses virements ne sont pas ceux de l’archive")
    return None


def prove_alone(report: Report, line: str, proofs: list[str]) -> None:
    """Follow the proofs of entries with the programme's key alone: each carries its entry."""
    key = read_key(line)[1]
    for path in proofs:
        try:
            proof = open_proof(path, text_of(path), lambda _size: key)
        except ValueError as bad:
            report.wrong("preuve", path, str(bad))
            continue
        if proof.entry is None:
            raise Unreadable(f"{path} ne porte pas son écriture : donnez aussi l’archive")
        check_proof(report, proof, leaf_of(proof.entry), in_words(proof.entry))


def prove_archive(report: Report, options: argparse.Namespace) -> None:
    """Prove a whole archive, and what is given beside it."""
    archive = Archive(options.archive)
    keys = Keys(archive, report, options.key)
    manifest = Manifest(archive, report, keys.current)
    ledger = Ledger(archive, report)
    claims = Claims(archive, report, keys, options.checkpoint, options.proof)
    ledger.read(claims)
    ledger.check(manifest)
    check_trail(archive, report, keys, claims)
    if archive.format < 2:
        say(
            "Archive du premier format : les règles venues depuis (jour de banque, liste avant une clôture, doublons) n’y valent pas."
        )
    if manifest.scope == "whole":
        Facts(archive, report, ledger).check()
        check_histories(archive, report)
        check_decisions(archive, report)
    else:
        say("Cette archive n’a que le journal : ce qu’il raconte n’est pas vérifié.")
    for path in options.payment_file:
        check_payment_file(archive, report, path)
    say(f"{ledger.tree.size} écritures scellées, {ledger.unsealed} en attente. Racine : {ledger.tree.root().hex()}")


def main(arguments: list[str] | None = None) -> int:
    """Verify an archive, or proofs alone, and say what was found; return the exit code."""
    parser = argparse.ArgumentParser(description="Vérifie une archive d’audit du Pass numérique, ou une preuve seule.")
    parser.add_argument("archive", type=Path, nargs="?", help="le fichier zip, ou le dossier décompressé")
    parser.add_argument(
        "--key", help="la clé publique du programme, d’aujourd’hui ou d’avant, reçue par une autre voie"
    )
    for name, what in (
        ("--checkpoint", "point de contrôle gardé ailleurs"),
        ("--proof", "preuve d’une écriture (tlog-proof)"),
        ("--payment-file", "fichier que la banque a reçu"),
    ):
        parser.add_argument(name, action="append", default=[], metavar="FICHIER", help=what)
    options, report = parser.parse_args(arguments), Report()
    if options.archive is None and (not options.key or not options.proof or options.checkpoint or options.payment_file):
        parser.error("donnez l’archive ; sans elle, seulement --key et --proof")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a letter must not end the proof
    what = "La preuve" if options.archive is None else "L’archive"
    try:
        if options.archive is None:
            prove_alone(report, options.key, options.proof)
        else:
            prove_archive(report, options)
    except Unreadable as bad:
        say(f"{what} ne se lit pas : {bad}")
        return 2
    except (OSError, zipfile.BadZipFile, zlib.error) as bad:
        say(f"{what} ne se lit pas : un fichier manque, ou est abîmé ({bad})")
        return 2
    except Exception as bad:  # noqa: BLE001 - an archive that lies may make anything fail; nothing it does is right
        say(f"{what} ne se lit pas : une valeur n’est pas de la forme attendue ({type(bad).__name__})")
        return 2
    return report.conclude()


if __name__ == "__main__":
    sys.exit(main())
