"""The last part of the archive's verifier: the files that the bank received, and the command line."""

import argparse
import csv
import io
import sys
import zipfile
from collections import Counter
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

from voucher.proof.verifier.facts import Facts
from voucher.proof.verifier.journal import Archive, Ledger, Report, Unreadable, check_manifest, read_claims, say


def check_payment_file(archive: Archive, report: Report, path: str) -> None:
    """Compare a file that the bank received: its bytes, then each of its transfers."""
    data = Path(path).read_bytes()
    file_id = {digest: one for one, digest in archive.rows("payment_file", "id sha256")}.get(sha256(data).hexdigest())
    if file_id is None:
        return report.wrong("fichier transmis", path, "l'archive ne connaît aucun fichier de ces octets")
    found: Counter[tuple[str, int]] = Counter()
    # Only bytes whose SHA-256 the programme signed come this far.
    for _, element in ElementTree.iterparse(io.BytesIO(data)):  # noqa: S314
        if element.tag.endswith("}CdtTrfTxInf"):
            euros, _, cents = (element.findtext("{*}Amt/{*}InstdAmt") or "0").partition(".")
            found[element.findtext("{*}PmtId/{*}EndToEndId") or "", int(euros + cents.ljust(2, "0"))] += 1
            element.clear()
    rows = archive.rows("payment_file_transfer", "payment_file_id end_to_end_id amount_cents")
    if found != Counter((reference, int(cents)) for one, reference, cents in rows if one == file_id):
        report.wrong("fichier transmis", path, "ses virements ne sont pas ceux de l'archive")
    return None


def main(arguments: list[str] | None = None) -> int:
    """Verify an archive and say what was found; return the exit code."""
    parser = argparse.ArgumentParser(description="Vérifie une archive d'audit du Pass numérique.")
    parser.add_argument("archive", type=Path, help="le fichier zip, ou le dossier décompressé")
    parser.add_argument("--key", help="la clé publique du programme, reçue par une autre voie")
    parser.add_argument(
        "--checkpoint", action="append", default=[], metavar="FICHIER", help="point de contrôle gardé ailleurs"
    )
    parser.add_argument(
        "--payment-file", action="append", default=[], metavar="FICHIER", help="fichier que la banque a reçu"
    )
    options, report = parser.parse_args(arguments), Report()
    try:
        archive = Archive(options.archive)
        scope, key = check_manifest(archive, report, options.key)
        ledger = Ledger(archive, report)
        ledger.read(read_claims(archive, report, key, options.checkpoint))
        ledger.check()
        if scope == "whole":
            Facts(archive, report, ledger).check()
        for path in options.payment_file:
            check_payment_file(archive, report, path)
    except (Unreadable, OSError, zipfile.BadZipFile, ValueError, KeyError, csv.Error, ElementTree.ParseError) as bad:
        say(f"L'archive ne se lit pas : {bad}")
        return 2
    say(f"{ledger.tree.size} écritures scellées, {ledger.unsealed} en attente. Racine : {ledger.tree.root().hex()}")
    return report.conclude()


if __name__ == "__main__":
    sys.exit(main())
