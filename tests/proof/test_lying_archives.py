"""An archive that lies in its form is named or refused in a French sentence: it never passes, and nothing crashes."""

import io
import json
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from tests.clients import MASTER_KEY, settings_for
from tests.proof.archives import Files, repacked, sign, signed_again, verified
from tests.settlement.town import APPROVER
from tests.takeover.world import DEPUTYSHIP_ID, World
from voucher.kernel.database import Database
from voucher.ledger.checkpoint import Checkpoint, sign_checkpoint, verifier_key
from voucher.programme.programme_key import programme_key
from voucher.proof.export_audit import export_audit
from voucher.proof.sealing import journal_key, published_key
from voucher.proof.verifier.command import main

KEY = programme_key(bytes.fromhex(MASTER_KEY))
ORIGIN = "127.0.0.1:8000/pass-numerique/journal"
TRUSTED = verifier_key(ORIGIN, KEY.public_key().public_bytes_raw())


@pytest.fixture(scope="module")
def archive(open_database: Callable[[str], AbstractContextManager[Database]]) -> bytes:
    out = io.BytesIO()
    with open_database("sqlite") as database:
        World(database)
        settings = settings_for(database)
        assert published_key(settings) == TRUSTED
        origin, key = journal_key(settings)
        export_audit(database, out, origin=origin, key=key)
    return out.getvalue()


def test_the_archive_that_lies_about_nothing_is_right(archive: bytes, tmp_path: Path) -> None:
    assert verified(tmp_path, archive, "--key", TRUSTED)[0] == 0
    again = repacked(archive, lambda files: signed_again(files, KEY))
    assert verified(tmp_path, again, "--key", TRUSTED)[0] == 0


Lines = Callable[[list[str]], list[str]]


def lines(name: str, change: Lines) -> Callable[[Files], None]:
    """Change a table's lines, header first."""

    def changed(files: Files) -> None:
        files[name] = "".join(change(files[name].decode().splitlines(keepends=True))).encode()

    return changed


def cell(name: str, column: str, row: int, value: Callable[[str], str]) -> Callable[[Files], None]:
    """Change one cell of a table whose cells have no comma."""

    def change(found: list[str]) -> list[str]:
        place, cells = found[0].strip().split(",").index(column), found[row].rstrip("\n").split(",")
        cells[place] = value(cells[place])
        return [*found[:row], ",".join(cells) + "\n", *found[row + 1 :]]

    return lines(name, change)


def told(**changes: object) -> Callable[[Files], None]:
    """Change what the manifest says of the whole."""
    return lambda files: sign(files, json.loads(files["manifest.json"]) | changes, KEY)


def without_table(files: Files) -> None:
    del files["envelope.csv"]


def without_table_nor_schema(files: Files) -> None:
    del files["bank_match.csv"]
    schema = [one for one in json.loads(files["schema.json"]) if one["file"] != "bank_match.csv"]
    files["schema.json"] = json.dumps(schema).encode()


def lying_schema(files: Files) -> None:
    files["schema.json"] = files["schema.json"].replace(b'"name": "amount_cents"', b'"name": "amount_euros"')


def files_are_a_list(files: Files) -> None:
    sign(files, ["manifest"], KEY)


def a_name_outside(files: Files) -> None:
    manifest = json.loads(files["manifest.json"])
    manifest["files"].append({"name": "../../etc/passwd", "sha256": "0" * 64, "bytes": 1})
    sign(files, manifest, KEY)


def a_greater_checkpoint(files: Files) -> None:
    note = sign_checkpoint(Checkpoint(ORIGIN, 10**6, b"f" * 32), KEY)
    row = f'1000000,{(b"f" * 32).hex()},2026-03-20T09:00:00.000000Z,2026-03-20,"{note}",00\n'
    files["checkpoint.csv"] += row.encode()


def an_unprinted_line(files: Files) -> None:
    files["autre\x1b[2J\nTout est juste."] = b"x"


WRONG: dict[str, tuple[Callable[[Files], object], str]] = {
    "no checkpoint at all": (lines("checkpoint.csv", lambda rows: rows[:1]), "sous le dernier point de contrôle signé"),
    "a checkpoint of more than the journal": (a_greater_checkpoint, "fin retirée"),
    "a table that is left out, though described": (without_table, "✗ schéma — envelope.csv"),
    "a schema that names another column": (lying_schema, "✗ schéma"),
    "a voucher given twice": (lines("voucher.csv", lambda rows: [*rows[:3], *rows[2:3], *rows[4:]]), "est là deux fois"),
    "a voucher of no order": (cell("voucher.csv", "serial", -1, lambda one: str(int(one) + 10**6)), "n’est d’aucune commande"),
    "a negative voucher": (cell("redeemed_voucher.csv", "serial", 1, lambda _one: "-1"), "✗ usage unique"),
    "an advice given twice": (lines("payment_advice.csv", lambda rows: [*rows, rows[-1]]), "✗ doublon"),
    "an advice of no batch": (cell("payment_advice.csv", "batch_id", 1, lambda _one: "x"), "n’est d’aucun lot"),
    "a transfer of no file": (cell("payment_file_transfer.csv", "payment_file_id", 1, lambda _one: "x"), "n’est d’aucun fichier"),
    "a negative transfer": (cell("payment_file_transfer.csv", "amount_cents", 1, lambda one: f"-{one}"), "montant négatif"),
    "negative cents at the bank": (cell("bank_line.csv", "amount_cents", 1, lambda one: f"-{one}"), "✗ banque"),
    "a payment that changed state by itself": (cell("payment_event.csv", "from_state", 2, lambda _one: "held"), "✗ histoire"),
    "an event that is gone": (lines("payment_event.csv", lambda rows: rows[:-1]), "✗ histoire"),
    "a payment paid by the line of another": (
        lines("payment_event.csv", lambda rows: [one.replace(",debited,", ",came_back,") for one in rows]), "✗ histoire",
    ),
    "another day at the bank": (cell("bank_line.csv", "booked_on", 1, lambda _one: "2019-01-02"), "✗ jour de banque"),
    "negative cents in the journal": (cell("movement.csv", "amount_cents", 1, lambda one: f"-{one}"), "✗ écriture"),
    "an account moved to another funder": (
        lines("account.csv", lambda rows: [row.replace(",budget,", ",general,") for row in rows]),
        "se dit d’un autre livre",
    ),
    "a batch approved by a deputy who was somebody else": (
        cell("settlement_batch.csv", "approved_as_id", 1, lambda _one: str(DEPUTYSHIP_ID)), "validé en remplacement",
    ),
    "a deputy whom the approver accepted": (
        cell("approver_deputy.csv", "decided_by", 1, lambda _one: str(APPROVER)), "ne sont pas trois",
    ),
    "a manifest that tells another journal": (told(size=1), "✗ manifeste — manifest.json"),
    "a name that would write on the screen": (an_unprinted_line, "autre\\x1b[2J\\nTout est juste. : ce fichier"),
}  # fmt: skip

UNREADABLE: dict[str, tuple[Callable[[Files], object], str]] = {
    "a table that is left out everywhere": (without_table_nor_schema, "bank_match.csv manque"),
    "a scope of no kind": (told(scope="Whole"), "n’est pas une archive d’audit"),
    "a manifest that is a list": (files_are_a_list, "n’est pas une archive d’audit"),
    "a manifest without files": (told(files=None), "forme attendue"),
    "a path out of the archive": (a_name_outside, "../../etc/passwd manque"),
    "a cell too many": (lines("movement.csv", lambda rows: [*rows[:2], f"{rows[2].strip()},1\n", *rows[3:]]), "cellules au lieu de"),
    "a cell too few": (lines("movement.csv", lambda rows: [*rows[:2], "x\n", *rows[3:]]), "cellules au lieu de"),
    "a column named twice": (lines("seal.csv", lambda rows: ["leaf,leaf,leaf_hash\n", *rows[1:]]), "n’a pas une fois chacune"),
    "an endless line": (lines("funder.csv", lambda rows: [*rows, "x" * 3_000_000, "\n"]), "ligne de plus d’un mégaoctet"),
    "a NUL in a number": (cell("seal.csv", "leaf", 1, lambda _one: "0\0"), "forme attendue"),
    "no text at all": (lambda files: files.update({"entry.csv": b"\xff\xfe\x00"}), "L’archive ne se lit pas"),
    "a chart that is a list": (lambda files: files.update({"chart.json": b"[]"}), "forme attendue"),
    "a chart without an end": (lambda files: files.update({"chart.json": b"[" * 100_000}), "forme attendue"),
    "an order of more vouchers than there is memory": (
        cell("issue_batch.csv", "first_serial", 1, lambda _one: str(10**18)), "forme attendue",
    ),
}  # fmt: skip


@pytest.mark.parametrize("lie", WRONG)
def test_a_lie_that_is_well_signed_is_named(
    archive: bytes, lie: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    change, sentence = WRONG[lie]
    assert run(archive, change, tmp_path, is_signed_again=lie != "a manifest that tells another journal") == 1
    said = capfd.readouterr().out
    assert sentence in said
    assert "Tout est juste.\n" not in said


@pytest.mark.parametrize("lie", UNREADABLE)
def test_what_nothing_can_read_is_refused_in_a_sentence(
    archive: bytes, lie: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    change, sentence = UNREADABLE[lie]
    is_of_tables = not lie.startswith(("a scope", "a manifest", "a path"))
    assert run(archive, change, tmp_path, is_signed_again=is_of_tables) == 2
    last = capfd.readouterr().out.splitlines()[-1]
    assert last.startswith("L’archive ne se lit pas : ")
    assert sentence in last


def run(archive: bytes, change: Callable[[Files], object], folder: Path, *, is_signed_again: bool) -> int:
    def changed(files: Files) -> None:
        change(files)
        if is_signed_again:
            signed_again(files, KEY)

    path = folder / "menteuse.zip"
    path.write_bytes(repacked(archive, changed))
    return main([str(path), "--key", TRUSTED])


def test_a_file_that_is_there_twice_is_refused_under_either_name(archive: bytes, tmp_path: Path) -> None:
    for name in ("audit/voucher.csv", "voucher.csv", "audit/voucher.csv\0.txt"):
        path = tmp_path / "deux.zip"
        path.write_bytes(archive)
        with warnings.catch_warnings(), ZipFile(path, "a") as opened:
            warnings.simplefilter("ignore")
            opened.writestr(name, "serial,state\n")
        code, said = verified(tmp_path, path.read_bytes(), "--key", TRUSTED)
        assert (code, "voucher.csv est là deux fois" in said) == (2, True)


def test_a_file_that_unpacks_without_an_end_is_read_no_further_than_it_should_be(
    archive: bytes, tmp_path: Path
) -> None:
    def inflate(files: Files) -> None:
        files["LISEZMOI.txt"] = bytes(200_000_000)

    code, said = verified(tmp_path, repacked(archive, inflate, ZIP_DEFLATED), "--key", TRUSTED)
    assert (code, "✗ manifeste — LISEZMOI.txt" in said) == (1, True)
    manifest = repacked(archive, lambda files: files.update({"manifest.json": bytes(60_000_000)}), ZIP_DEFLATED)
    code, said = verified(tmp_path, manifest, "--key", TRUSTED)
    assert (code, "trop long" in said) == (2, True)


def test_a_key_that_was_copied_wrong_is_refused(archive: bytes, tmp_path: Path) -> None:
    name, told_id, key = TRUSTED.split("+", 2)
    for wrong in (f"{name}+{told_id}+{key[:-5]}AAAA=", f"{name}+00000000+{key}", "clé"):
        code, said = verified(tmp_path, archive, "--key", wrong)
        assert (code, "mal recopiée" in said) == (2, True)
