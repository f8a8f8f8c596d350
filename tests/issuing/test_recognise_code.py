"""Codes against the database: forged, truncated, foreign, of a revoked key; and the keys they are checked with."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

from tests.builders import MASTER_SECRET, NOW, SOMEONE, an_agreement, issued_booklets
from tests.clients import settings_for
from voucher.issuing import keys
from voucher.issuing.code import Kind, SignedCode, UnreadableCode
from voucher.issuing.key_document import verify_key_document
from voucher.issuing.keys import find_key, keys_document, make_key, retire_key, revoke_key
from voucher.issuing.print_batch import print_batch, print_range
from voucher.issuing.recognise_code import DistrustedCode, StoredCodes, find_code, recognise, stored_codes
from voucher.issuing.signing import new_private_key, sign
from voucher.issuing.typing_code import typing_code
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.programme.programme_key import programme_key


def first_codes(database: Database) -> StoredCodes:
    with database.read() as session:
        return stored_codes(session, 1, 1)[0]


def reason(database: Database, text: str) -> str:
    try:
        recognise(database, text)
    except (UnreadableCode, DistrustedCode) as refused:
        return str(refused.reason)
    return "recognised"


def test_every_stored_code_is_recognised_scanned_and_typed(database: Database) -> None:
    issued_booklets(database, 2)
    codes = first_codes(database)
    for code, kind in [(codes.cover, Kind.BOOKLET), *((voucher, Kind.VOUCHER) for voucher in codes.vouchers)]:
        payload = code.payload
        for text in (
            code.to_url("https://pass.example"),
            code.to_text(),
            typing_code(payload.serial, payload.tag, kind),
        ):
            recognised = recognise(database, text)
            with database.read() as session:
                found = find_code(session, recognised)
            assert found is not None
            assert (found.kind, found.serial, found.booklet_number) == (kind, payload.serial, 1)


def test_a_code_that_is_not_ours_is_refused_before_any_query_on_vouchers(sqlite_database: Database) -> None:
    agreed = issued_booklets(sqlite_database, 1).agreed
    good = first_codes(sqlite_database).vouchers[0]
    altered = SignedCode(replace(good.payload, face_value_cents=5000), good.signature)
    thief = sign(new_private_key(), replace(good.payload, key_id=agreed.key_id))
    unknown = sign(new_private_key(), replace(good.payload, key_id=999))
    assert reason(sqlite_database, altered.to_text()) == "forged"
    assert reason(sqlite_database, thief.to_text()) == "forged"
    assert reason(sqlite_database, unknown.to_text()) == "unknown_key"
    assert reason(sqlite_database, good.to_text()[:-1]) == "truncated"
    assert reason(sqlite_database, "https://exemple.fr/une-page") == "foreign"
    assert reason(sqlite_database, good.to_text() + "A") == "too_long"
    assert reason(sqlite_database, good.to_text()) == "recognised"


def test_a_typed_code_with_a_wrong_tag_or_serial_finds_nothing(sqlite_database: Database) -> None:
    issued_booklets(sqlite_database, 1)
    payload = first_codes(sqlite_database).vouchers[0].payload
    for serial, tag in ((payload.serial, payload.tag ^ 1), (payload.serial + 500, payload.tag)):
        recognised = recognise(sqlite_database, typing_code(serial, tag))
        with sqlite_database.read() as session:
            assert find_code(session, recognised) is None


def test_codes_of_a_retired_key_stay_good_and_those_of_a_revoked_one_do_not(database: Database) -> None:
    agreed = issued_booklets(database, 1).agreed
    code = first_codes(database).cover.to_text()
    second = make_key(database, agreed.issuer_id, master_secret=MASTER_SECRET, by=SOMEONE, now=NOW)
    assert second == agreed.key_id + 1
    assert reason(database, code) == "recognised"
    with pytest.raises(Refused, match="key_not_active"):
        retire_key(database, agreed.key_id, by=SOMEONE, now=NOW)
    revoke_key(database, agreed.key_id, by=SOMEONE, now=NOW)
    assert reason(database, code) == "revoked_key"
    with pytest.raises(Refused, match="key_not_revocable"):
        revoke_key(database, agreed.key_id, by=SOMEONE, now=NOW)


@pytest.mark.parametrize("state", ["active", "retired", "revoked"])
def test_a_code_with_one_bit_flipped_is_forged_whatever_became_of_its_key(database: Database, state: str) -> None:
    agreed = issued_booklets(database, 1).agreed
    if state != "active":
        make_key(database, agreed.issuer_id, master_secret=MASTER_SECRET, by=SOMEONE, now=NOW)
    if state == "revoked":
        revoke_key(database, agreed.key_id, by=SOMEONE, now=NOW)
    good = first_codes(database).vouchers[0]
    assert reason(database, good.to_text()) == ("revoked_key" if state == "revoked" else "recognised")
    number = int.from_bytes(good.signature)
    for bit in range(8 * len(good.signature)):
        flipped = (number ^ 1 << bit).to_bytes(len(good.signature))
        assert reason(database, SignedCode(good.payload, flipped).to_text()) == "forged", bit
    payload = good.payload
    for altered in (
        replace(payload, serial=payload.serial ^ 1),
        replace(payload, tag=payload.tag ^ 1),
        replace(payload, face_value_cents=payload.face_value_cents ^ 1),
    ):
        assert reason(database, SignedCode(altered, good.signature).to_text()) == "forged"


def test_another_process_learns_of_a_revocation(database: Database) -> None:
    agreed = issued_booklets(database, 1).agreed
    other = Database(database.url, pool_size=2)
    try:
        assert find_key(other, agreed.key_id) is not None
        revoke_key(database, agreed.key_id, by=SOMEONE, now=NOW)
        keys._rings[other].read_at_seconds -= keys.REFRESH_SECONDS
        known = find_key(other, agreed.key_id)
        assert known is not None
        assert known.is_revoked
    finally:
        other.dispose()


def test_the_published_keys_carry_the_programmes_signature(sqlite_database: Database) -> None:
    one, other = an_agreement(sqlite_database), an_agreement(sqlite_database)
    revoke_key(sqlite_database, other.key_id, by=SOMEONE, now=NOW)
    document = keys_document(sqlite_database, master_secret=MASTER_SECRET, now=NOW)
    public = programme_key(MASTER_SECRET).public_key().public_bytes_raw()
    published = verify_key_document(document, public)
    assert [(key.key_id, str(key.state)) for key in published.keys] == [
        (one.key_id, "active"),
        (other.key_id, "revoked"),
    ]
    assert published.published_at == NOW


def test_a_batch_printed_twice_gives_the_same_files(sqlite_database: Database, tmp_path: Path) -> None:
    folder = tmp_path
    issued = issued_booklets(sqlite_database, 3)
    settings = settings_for(sqlite_database)
    runs = [
        print_batch(sqlite_database, issued.batch_id, folder / name, settings=settings, processes=1) for name in "ab"
    ]
    assert [path.read_bytes() for path in runs[0]] == [path.read_bytes() for path in runs[1]]
    assert runs[0][0].read_bytes().startswith(b"%PDF-")


def test_what_is_not_made_or_not_ones_own_or_revoked_is_not_printed(sqlite_database: Database) -> None:
    issued = issued_booklets(sqlite_database, 3)
    settings = settings_for(sqlite_database)

    def printed(first: int, count: int, issuer_id: object = None) -> str:
        try:
            print_range(
                sqlite_database,
                issued.batch_id,
                first,
                count,
                io.BytesIO(),
                settings=settings,
                issuer_id=issuer_id,  # type: ignore[arg-type]
            )
        except Refused as refused:
            return refused.code
        return "printed"

    assert printed(1, 3) == "printed"
    assert printed(2, 3) == "booklets_not_made"
    assert printed(1, 1, new_id()) == "batch_unknown"
    revoke_key(sqlite_database, issued.agreed.key_id, by=SOMEONE, now=NOW)
    assert printed(1, 1) == "key_revoked"
