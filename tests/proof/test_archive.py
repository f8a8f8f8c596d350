"""The audit archive proves the books to a stranger, and names each fault planted in them, as `voucher verify` does."""

import base64
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from zipfile import ZIP_BZIP2, ZipFile

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.clients import MASTER_KEY
from tests.demonstrated import BASE_URL, NOW
from tests.faults.world import unguarded
from tests.parties import an_envelope
from tests.proof.archives import Files, repacked, verified
from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused
from voucher.ledger.checkpoint import Checkpoint, origin_of, sign_checkpoint, verifier_key
from voucher.ledger.checks_seals import Witness, hear_witness
from voucher.ledger.read_seals import latest_checkpoint
from voucher.programme.programme_key import programme_key
from voucher.proof.export_audit import DOMAIN, export_audit, write_archive
from voucher.proof.verifier import command, single_file
from voucher.proof.verifier.proofs import trail_in
from voucher.reporting.verify import ROOMS
from voucher.trail.seal import seal

ORIGIN = origin_of(BASE_URL)
KEY = programme_key(bytes.fromhex(MASTER_KEY))
PUBLIC = KEY.public_key().public_bytes_raw()
TRUSTED = verifier_key(ORIGIN, PUBLIC)

CHECKS = {check.__name__: check for _, checks in ROOMS for check in checks}

A_USE = "(SELECT id FROM redemption WHERE state = 'confirmed' ORDER BY redeemed_at, id LIMIT 1)"
ITS_ENTRY = f"(SELECT id FROM entry WHERE event_type = 'vouchers_redeemed' AND event_id = {A_USE})"
A_PAID = "(SELECT min(reference) FROM payment_advice WHERE state = 'paid')"
ITS_ID = f"(SELECT id FROM payment_advice WHERE reference = {A_PAID})"
THE_LAST = "(SELECT max(leaf) FROM seal)"

PLANTED = {
    "a year closed on the word of one person": (
        "DELETE FROM close_check WHERE said_by IN (SELECT closed_by FROM fiscal_year) AND item = 'in_transit'",
        "clôture",
        "two_people_looked_before_a_close",
    ),
    "a line that counts on another day than the bank's": (
        "UPDATE bank_line SET booked_on = '2019-01-02' WHERE id = (SELECT line_id FROM bank_match WHERE kind = 'funds' ORDER BY line_id LIMIT 1)",
        "jour de banque",
        "a_line_counts_on_the_banks_day",
    ),
    "a rule of days that spares what is still to be written": (
        "INSERT INTO rule_start (rule, written_until) VALUES ('bank_day', '2099-01-01 00:00:00.000000')",
        "jour de banque",
        "rules_start_where_the_books_were",
    ),
    "a rule of closes that spares those to come": (
        "INSERT INTO rule_start (rule, written_until) VALUES ('close_checks', '2099-01-01 00:00:00.000000')",
        "clôture",
        "rules_start_where_the_books_were",
    ),
    "a changed amount": (
        f"UPDATE movement SET amount_cents = amount_cents + 1 WHERE rank = 1 AND entry_id = {ITS_ENTRY}",
        "scellement",
        "sealed_entries_stand",
    ),
    "an amount changed with its entry, its redemption and its accounts": (
        (
            f"UPDATE movement SET amount_cents = amount_cents + 1 WHERE entry_id = {ITS_ENTRY};"
            f"UPDATE entry SET total_cents = total_cents + movement_count WHERE id = {ITS_ENTRY}"
        ),
        "scellement",
        "sealed_entries_stand",
    ),
    "a missing entry": (f"DELETE FROM entry WHERE id = {ITS_ENTRY}", "scellement", "sealed_entries_stand"),
    "an entry gone with its movements": (
        f"DELETE FROM movement WHERE entry_id = {ITS_ENTRY};DELETE FROM entry WHERE id = {ITS_ENTRY}",
        "encaissement",
        "sealed_entries_stand",
    ),
    "an entry gone with its movements and its seal": (
        (
            f"DELETE FROM movement WHERE entry_id = {ITS_ENTRY};DELETE FROM seal WHERE entry_id = {ITS_ENTRY};"
            f"DELETE FROM entry WHERE id = {ITS_ENTRY}"
        ),
        "scellement",
        "sealed_entries_stand",
    ),
    "a line taken out of the trail with its seal": (
        "DELETE FROM trail_seal WHERE leaf = 3",
        "journal des accès",
        "sealed_lines_stand",
    ),
    "a line of the trail in the place of another": (
        "UPDATE trail_seal SET leaf_hash = (SELECT leaf_hash FROM trail_seal WHERE leaf = 2) WHERE leaf = 3",
        "journal des accès",
        "sealed_lines_stand",
    ),
    "the whole trail gone, and all notes of its own": (
        "DELETE FROM trail_seal;DELETE FROM trail_checkpoint",
        "journal des accès",
        "sealed_lines_stand",
    ),
    "a note of the trail that says another size": (
        "UPDATE trail_checkpoint SET size = size + 100000",
        "journal des accès",
        "trail_is_signed",
    ),
    "a doubled payment": (
        (
            f"UPDATE payment_advice SET amount_cents = amount_cents * 2 WHERE reference = {A_PAID};"
            f"UPDATE advice_line SET amount_cents = amount_cents * 2 WHERE advice_id = {ITS_ID}"
        ),
        "lot",
        "a_period_is_paid_in_full",
    ),
    "a bank line that pays twice what it is": (
        f"UPDATE bank_match SET amount_cents = amount_cents * 2 WHERE advice_id = {ITS_ID}",
        "double paiement",
        "a_line_is_what_it_was_matched_with",
    ),
    "paid without a bank line": (
        f"DELETE FROM bank_match WHERE advice_id = {ITS_ID}",
        "banque",
        "an_advice_says_what_the_bank_said",
    ),
    "a bank line that is gone": (
        "DELETE FROM bank_line WHERE key = (SELECT min(key) FROM bank_line)",
        "banque",
        "the_bank_account_is_the_banks",
    ),
    "a removed redemption": (
        f"DELETE FROM redeemed_voucher WHERE redemption_id = {A_USE};DELETE FROM redemption WHERE id = {A_USE}",
        "encaissement",
        "each_redemption_has_its_entry",
    ),
    "a voucher used twice": (
        (
            "UPDATE redeemed_voucher SET serial = (SELECT min(serial) FROM redeemed_voucher WHERE is_live) WHERE serial = "
            "(SELECT max(serial) FROM redeemed_voucher WHERE is_live)"
        ),
        "usage unique",
        "states_and_redemptions_agree",
    ),
    "a used voucher made usable again": (
        "UPDATE voucher SET state = 'handed_over' WHERE serial = (SELECT min(serial) FROM voucher WHERE state = 'redeemed')",
        "étapes",
        "stages_hold_their_vouchers",
    ),
    "a voucher that is gone": (
        "DELETE FROM voucher WHERE serial = (SELECT min(serial) FROM voucher WHERE state = 'issued')",
        "chèques",
        "batches_are_whole",
    ),
    "a batch that says another total": (
        "UPDATE settlement_batch SET total_cents = total_cents + 1 WHERE number = (SELECT min(number) FROM settlement_batch)",
        "lot",
        "a_batch_totals_its_advices",
    ),
    "money moved to another account": (
        (
            "UPDATE movement SET debit_account_id = (SELECT min(id) FROM account WHERE code = '8020') "
            f"WHERE rank = 1 AND entry_id = {ITS_ENTRY}"
        ),
        "plan comptable",
        "movements_follow_the_chart",
    ),
    "an unsigned checkpoint": (
        "UPDATE checkpoint SET note = substr(note, 1, 100) WHERE size = (SELECT max(size) FROM checkpoint)",
        "point de contrôle",
        "checkpoints_are_signed",
    ),
    "an altered checkpoint": (
        "UPDATE checkpoint SET root = (SELECT leaf_hash FROM seal WHERE leaf = 0) WHERE size = (SELECT max(size) FROM checkpoint)",
        "point de contrôle",
        "checkpoints_are_signed",
    ),
    "a dispute decided by its opener": (
        "UPDATE dispute SET decided_by = opened_by WHERE decided_by IS NOT NULL",
        "deux personnes",
        "two_people_decide",
    ),
    "a service that is none of the nine": (
        f"UPDATE redemption SET service = 'hairdressing' WHERE id = {A_USE}",
        "encaissement",
        "redemptions_are_of_their_place",
    ),
    "a gap in the numbers of periods": (
        "UPDATE period SET number = number + 100 WHERE closed_at IS NULL",
        "période",
        "periods_follow_each_other",
    ),
    "a stock booklet moved without a slip": (
        (
            "UPDATE booklet SET prescriber_id = (SELECT id FROM prescriber ORDER BY id LIMIT 1) WHERE number = "
            "(SELECT max(number) FROM booklet WHERE state = 'issued')"
        ),
        "stock",
        "booklets_are_where_slips_led_them",
    ),
    "a final balance that says it received more": (
        "UPDATE funding_close SET received_cents = received_cents + 100, due_cents = due_cents - 100",
        "décompte",
        "receipts_are_posted",
    ),
    "the end cut off, entries and all": (
        (
            f"DELETE FROM movement WHERE entry_id = (SELECT entry_id FROM seal WHERE leaf = {THE_LAST});"
            f"DELETE FROM entry WHERE id = (SELECT entry_id FROM seal WHERE leaf = {THE_LAST});"
            f"DELETE FROM seal WHERE leaf = {THE_LAST}"
        ),
        "point de contrôle",
        "sealed_entries_stand",
    ),
}


@dataclass(frozen=True, slots=True)
class Proven:
    """The demonstration, sealed on two days, and what left the house on the first."""

    database: Database
    first_note: str


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def proven(
    request: pytest.FixtureRequest, open_demonstration: Callable[[str], AbstractContextManager[Database]]
) -> Iterator[Proven]:
    with open_demonstration(request.param) as database:
        # What the demonstration did not seal by itself.
        seal(database, origin=ORIGIN, key=KEY, now=NOW)
        last = latest_checkpoint(database)
        assert last is not None
        an_envelope(database)
        assert seal(database, origin=ORIGIN, key=KEY, now=NOW + timedelta(days=1)) is not None
        yield Proven(database, last.note)


def archive_of(session: Session) -> bytes:
    out = io.BytesIO()
    write_archive(session, out, origin=ORIGIN, key=KEY)
    return out.getvalue()


@pytest.fixture
def archive(proven: Proven) -> bytes:
    with proven.database.read() as session:
        return archive_of(session)


def test_a_stranger_finds_the_demonstration_right(proven: Proven, archive: bytes, tmp_path: Path) -> None:
    kept = tmp_path / "garde.txt"
    kept.write_text(proven.first_note, encoding="utf-8")
    code, said = verified(tmp_path, archive, "--key", TRUSTED, "--checkpoint", str(kept))
    trail, _, conclusion = said.splitlines()
    assert (code, conclusion) == (0, "Tout est juste.")
    assert re.fullmatch(r"[1-9]\d* lignes du journal des accès scellées\.", trail)
    with ZipFile(io.BytesIO(archive)) as opened:
        assert opened.read("audit/verify.py").decode() == single_file()
        opened.extractall(tmp_path / "unpacked")
    assert command.main([str(tmp_path / "unpacked"), "--key", TRUSTED]) == 0


def as_format_three(files: Files) -> None:
    """Make of an archive one of the format before: it had no digests of the trail."""
    for name in ("trail_seal.csv", "trail_checkpoint.csv"):
        del files[name]
    schema = [one for one in json.loads(files["schema.json"]) if one["file"] in files]
    files["schema.json"] = json.dumps(schema).encode()
    manifest = json.loads(files["manifest.json"])
    manifest["format"] = "pass-numerique/audit/3"
    manifest["files"] = [
        {**one, "sha256": sha256(files[one["name"]]).hexdigest(), "bytes": len(files[one["name"]])}
        for one in manifest["files"]
        if one["name"] in files
    ]
    files["manifest.json"] = json.dumps(manifest).encode()
    files["manifest.sig"] = base64.b64encode(KEY.sign(b"pass-numerique/audit/3\0" + files["manifest.json"]))


def test_an_archive_of_the_format_before_is_proved_and_says_nothing_of_the_trail(
    proven: Proven, archive: bytes, tmp_path: Path
) -> None:
    kept = tmp_path / "garde.txt"
    kept.write_text(proven.first_note, encoding="utf-8")
    assert trail_in(proven.first_note) is not None, "what the note says of the trail is not held against it"
    older = repacked(archive, as_format_three)
    code, said = verified(tmp_path, older, "--key", TRUSTED, "--checkpoint", str(kept))
    assert (code, said.splitlines()[1:]) == (0, ["Tout est juste."])
    # Today's format without them is no archive: they cannot be left out by saying nothing.
    code, said = verified(tmp_path, repacked(archive, lambda files: files.pop("trail_seal.csv")), "--key", TRUSTED)
    assert (code, "trail_seal.csv manque" in said) == (2, True)


def test_the_key_of_the_archive_itself_is_believed_with_a_loud_warning(archive: bytes, tmp_path: Path) -> None:
    code, said = verified(tmp_path, archive)
    assert code == 0
    assert said.startswith("⚠ ATTENTION : la clé est prise dans l’archive.")


def test_the_same_state_gives_the_same_bytes(proven: Proven, archive: bytes) -> None:
    out = io.BytesIO()
    made = export_audit(proven.database, out, origin=ORIGIN, key=KEY)
    assert out.getvalue() == archive
    assert made.entry_count == made.sealed_count


def test_an_archive_up_to_a_day_holds_the_journal_of_that_day_alone(proven: Proven, tmp_path: Path) -> None:
    out = io.BytesIO()
    made = export_audit(proven.database, out, origin=ORIGIN, key=KEY, until=NOW.date())
    assert made.entry_count == made.sealed_count == int(proven.first_note.split("\n")[1])
    assert verified(tmp_path, out.getvalue(), "--key", TRUSTED)[0] == 0
    assert "voucher.csv" not in {one.name for one in made.files}
    with pytest.raises(Refused, match="no_checkpoint"):
        export_audit(proven.database, io.BytesIO(), origin=ORIGIN, key=KEY, until=NOW.date() - timedelta(days=900))


@pytest.mark.parametrize("fault", PLANTED)
def test_each_planted_fault_is_named_by_the_archive_and_by_verify(
    proven: Proven, fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    statements, kind, check = PLANTED[fault]
    database = proven.database
    with unguarded(database) as session:
        for name in ("uq_redeemed_voucher_live", "uq_bank_match_advice"):
            session.execute(text(f"DROP INDEX IF EXISTS {name}"))
        for statement in statements.split(";"):
            assert session.execute(text(statement)).rowcount > 0, statement  # type: ignore[attr-defined]
        archive = archive_of(session)
        found = CHECKS[f"check_{check}"](session)
    (tmp_path / "archive.zip").write_bytes(archive)
    assert command.main([str(tmp_path / "archive.zip"), "--key", TRUSTED]) == 1
    assert f"✗ {kind} — " in capsys.readouterr().out
    assert found != []


def test_a_forked_checkpoint_and_a_cut_journal_are_told_by_what_left_the_house(
    proven: Proven, archive: bytes, tmp_path: Path
) -> None:
    size = int(proven.first_note.split("\n")[1])
    for name, checkpoint in (
        ("fourche", Checkpoint(ORIGIN, size, b"f" * 32)),
        ("plus-long", Checkpoint(ORIGIN, size + 10_000, b"f" * 32)),
    ):
        kept = tmp_path / f"{name}.txt"
        kept.write_text(sign_checkpoint(checkpoint, KEY), encoding="utf-8")
        code, said = verified(tmp_path, archive, "--key", TRUSTED, "--checkpoint", str(kept))
        assert code == 1
        assert f"✗ point de contrôle — {kept}" in said
        with proven.database.read() as session:
            hear_witness(session, Witness(PUBLIC, ((name, kept.read_text(encoding="utf-8")),)))
            found = CHECKS["check_sealed_entries_stand"](session)
        assert [one.subject for one in found] == [name]


def test_a_changed_byte_a_swapped_file_and_one_too_many_are_named(archive: bytes, tmp_path: Path) -> None:
    def change_a_byte(files: dict[str, bytes]) -> None:
        files["voucher.csv"] = files["voucher.csv"].replace(b",issued", b",handed", 1)

    def swap(files: dict[str, bytes]) -> None:
        files["funder.csv"], files["issuer.csv"] = files["issuer.csv"], files["funder.csv"]

    def add(files: dict[str, bytes]) -> None:
        files["autre.csv"] = b"x"

    for change, named in ((change_a_byte, ["voucher.csv"]), (swap, ["funder.csv", "issuer.csv"]), (add, ["autre.csv"])):
        code, said = verified(tmp_path, repacked(archive, change), "--key", TRUSTED)
        assert code == 1
        assert all(f"✗ manifeste — {name}" in said for name in named)


def test_a_manifest_signed_by_another_key_is_named(archive: bytes, tmp_path: Path) -> None:
    other = programme_key(b"o" * 32)

    def forge(files: dict[str, bytes]) -> None:
        files["funder.csv"] += b"x\n"
        manifest = json.loads(files["manifest.json"])
        for one in manifest["files"]:
            if one["name"] == "funder.csv":
                one["sha256"] = sha256(files["funder.csv"]).hexdigest()
        files["manifest.json"] = json.dumps(manifest).encode()
        files["manifest.sig"] = base64.b64encode(other.sign(DOMAIN + files["manifest.json"]))
        files["programme-key.txt"] = verifier_key(ORIGIN, other.public_key().public_bytes_raw()).encode()

    code, said = verified(tmp_path, repacked(archive, forge), "--key", TRUSTED)
    assert code == 1
    assert "✗ signature — manifest.sig" in said


def test_what_cannot_be_read_is_said_in_a_line(archive: bytes, tmp_path: Path) -> None:
    bomb = repacked(archive, lambda _files: None, method=ZIP_BZIP2)
    for broken in (archive[:5000], b"", bomb, repacked(archive, lambda files: files.pop("entry.csv") and None)):
        code, said = verified(tmp_path, broken, "--key", TRUSTED)
        assert code == 2
        assert "L’archive ne se lit pas" in said


def test_the_file_that_the_bank_received_is_compared_with_the_archive(
    proven: Proven, archive: bytes, tmp_path: Path
) -> None:
    with proven.database.read() as session:
        content = session.execute(
            text("SELECT content FROM payment_file WHERE kind LIKE 'pain.001%' ORDER BY made_at LIMIT 1")
        ).scalar_one()
    received = tmp_path / "recu.xml"
    received.write_bytes(content)
    assert verified(tmp_path, archive, "--key", TRUSTED, "--payment-file", str(received))[0] == 0
    received.write_bytes(bytes(content) + b"\n")
    code, said = verified(tmp_path, archive, "--key", TRUSTED, "--payment-file", str(received))
    assert code == 1
    assert "✗ fichier transmis" in said
