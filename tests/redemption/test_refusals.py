"""Every way the counter says no, with the sentence the mediator reads."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tests.builders import (
    MASTER_SECRET,
    NOW,
    SOMEONE,
    a_counter,
    an_agreement,
    handed_over_booklets,
    issued_booklets,
    scanned_codes,
    typed_codes,
)
from voucher.issuing.code import Kind, Payload, SignedCode, read_code
from voucher.issuing.keys import make_key, revoke_key
from voucher.issuing.model import Voucher
from voucher.issuing.recognise_code import stored_codes
from voucher.issuing.signing import new_private_key, sign
from voucher.issuing.typing_code import typing_code
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.network.places import close_place
from voucher.network.structures import suspend_structure
from voucher.redemption.answers import Counter, Redeemed
from voucher.redemption.check_voucher import check
from voucher.redemption.model import RefusedAttempt
from voucher.redemption.redeem import redeem
from voucher.redemption.rules import CounterRefusal, Refusal

WORKSHOP = "everyday_digital_tools"
ACT = {"by": SOMEONE, "now": NOW}


def say(database: Database, codes: list[str], counter: Counter, **changes: object) -> Refusal:
    answer = redeem(database, new_id(), codes, WORKSHOP, counter, **(ACT | changes))  # type: ignore[arg-type]
    assert isinstance(answer, Refusal), answer
    return answer


def plant_state(database: Database, serial: int, state: str) -> None:
    with database.write() as session:
        session.execute(Voucher.__table__.update().where(Voucher.serial == serial).values(state=state))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Aucun code"),
        ("https://example.fr/menu", "pas celui d’un chèque"),
        ("0G7K 3M9Q XR", "incomplet"),
        ("HTTPS://PASS.FR/V/ABC", "incomplet"),
        ("x" * 5000, ""),
    ],
)
def test_what_is_no_code_is_told_so(sqlite_database: Database, text: str, words: str) -> None:
    counter = a_counter(sqlite_database)
    refusal = say(sqlite_database, [text], counter)
    assert refusal.reason is CounterRefusal.UNREADABLE
    assert words in refusal.sentence


def test_an_empty_tray_too_many_codes_and_no_service_are_told_so(sqlite_database: Database) -> None:
    counter = a_counter(sqlite_database)
    issued = handed_over_booklets(sqlite_database)
    codes = scanned_codes(sqlite_database, issued.first_booklet_number)
    assert say(sqlite_database, [], counter).reason is CounterRefusal.NO_CODE
    assert say(sqlite_database, codes[:1] * 32, counter).reason is CounterRefusal.TOO_MANY
    answer = redeem(sqlite_database, new_id(), codes[:1], "massage", counter, **ACT)
    assert isinstance(answer, Refusal)
    assert answer.reason is CounterRefusal.SERVICE_UNKNOWN


def test_a_booklet_cover_is_not_a_voucher(database: Database) -> None:
    issued = handed_over_booklets(database)
    counter = a_counter(database)
    with database.read() as session:
        cover = stored_codes(session, issued.first_booklet_number, 1)[0].cover
    for text in (cover.to_text(), typing_code(cover.payload.serial, cover.payload.tag, Kind.BOOKLET)):
        refusal = say(database, [text], counter)
        assert refusal.reason is CounterRefusal.BOOKLET_COVER
        assert "scannez le code d’un chèque" in refusal.sentence


def test_another_programme_s_code_and_a_forged_one_are_told_apart(database: Database) -> None:
    issued = handed_over_booklets(database)
    counter = a_counter(database)
    genuine = read_code(scanned_codes(database, issued.first_booklet_number)[0]).payload
    stranger = new_private_key()
    forged = sign(stranger, genuine)
    elsewhere = Payload(
        kind=Kind.VOUCHER,
        booklet_size=10,
        key_id=9999,
        serial=genuine.serial,
        use_by=genuine.use_by,
        face_value_cents=genuine.face_value_cents,
        tag=genuine.tag,
        algorithm=genuine.algorithm,
    )
    assert say(database, [forged.to_text()], counter).reason is CounterRefusal.FORGED
    assert say(database, [sign(stranger, elsewhere).to_text()], counter).reason is CounterRefusal.FOREIGN


def test_a_revoked_key_refuses_scanned_and_typed_codes_alike(database: Database) -> None:
    issued = handed_over_booklets(database)
    counter = a_counter(database)
    scanned = scanned_codes(database, issued.first_booklet_number)
    typed = typed_codes(database, issued.first_booklet_number)
    attempt = new_id()
    done = redeem(database, attempt, scanned[:1], WORKSHOP, counter, **ACT)
    revoke_key(database, issued.agreed.key_id, **ACT)
    assert say(database, scanned[1:2], counter).reason is CounterRefusal.REVOKED_KEY
    assert say(database, typed[1:2], counter).reason is CounterRefusal.REVOKED_KEY
    assert redeem(database, attempt, scanned[:1], WORKSHOP, counter, **ACT) == done  # a retry still hears its answer


def test_a_retired_key_s_codes_stay_good(database: Database) -> None:
    issued = handed_over_booklets(database)
    make_key(database, issued.agreed.issuer_id, master_secret=MASTER_SECRET, **ACT)
    codes = scanned_codes(database, issued.first_booklet_number)
    assert isinstance(redeem(database, new_id(), codes[:1], WORKSHOP, a_counter(database), **ACT), Redeemed)


def test_a_retired_key_s_code_with_one_bit_flipped_is_forged_and_brings_nothing(database: Database) -> None:
    issued = handed_over_booklets(database)
    make_key(database, issued.agreed.issuer_id, master_secret=MASTER_SECRET, **ACT)
    counter = a_counter(database)
    genuine = read_code(scanned_codes(database, issued.first_booklet_number)[0])
    for place in (0, 31, 63):
        flipped = bytearray(genuine.signature)
        flipped[place] ^= 1
        text = SignedCode(genuine.payload, bytes(flipped)).to_text()
        assert say(database, [text], counter).reason is CounterRefusal.FORGED
        looked = check(database, text, counter, **ACT)
        assert isinstance(looked, Refusal)
        assert looked.reason is CounterRefusal.FORGED
    assert isinstance(redeem(database, new_id(), [genuine.to_text()], WORKSHOP, counter, **ACT), Redeemed)


def test_vouchers_of_two_booklets_are_taken_one_booklet_at_a_time(database: Database) -> None:
    issued = handed_over_booklets(database, 2)
    first = scanned_codes(database, issued.first_booklet_number)
    second = scanned_codes(database, issued.first_booklet_number + 1)
    refusal = say(database, [first[0], second[0]], a_counter(database))
    assert refusal.reason is CounterRefusal.SEVERAL_BOOKLETS


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("issued", CounterRefusal.NOT_HANDED_OVER),
        ("stopped", CounterRefusal.STOPPED),
        ("void", CounterRefusal.VOID),
        ("lapsed", CounterRefusal.LAPSED),
    ],
)
def test_a_voucher_whose_life_is_elsewhere_says_so(database: Database, state: str, reason: CounterRefusal) -> None:
    issued = handed_over_booklets(database)
    plant_state(database, issued.first_serial, state)
    codes = scanned_codes(database, issued.first_booklet_number)
    counter = a_counter(database)
    assert say(database, codes[:1], counter).reason is reason
    answer = check(database, codes[0], counter, **ACT)
    assert isinstance(answer, Refusal)
    assert answer.reason is reason


def test_a_used_voucher_says_when_and_whether_it_was_here(database: Database) -> None:
    issued = handed_over_booklets(database)
    here, elsewhere = a_counter(database), a_counter(database)
    codes = scanned_codes(database, issued.first_booklet_number)
    redeem(database, new_id(), codes[:1], WORKSHOP, here, **ACT)
    assert say(database, codes[:1], here).sentence == (
        "Ce chèque a déjà été encaissé le 2\u00a0mars\u00a02026 à\u00a010\u00a0h\u00a000, ici. Prenez un autre chèque du carnet."
    )
    assert "dans un autre lieu. Prenez un autre chèque" in say(database, codes[:1], elsewhere).sentence


def test_a_closed_place_and_a_suspended_structure_redeem_nothing(database: Database) -> None:
    issued = handed_over_booklets(database)
    codes = scanned_codes(database, issued.first_booklet_number)
    closed, suspended = a_counter(database), a_counter(database)
    close_place(database, closed.place_id, structure_id=closed.structure_id, **ACT)
    suspend_structure(database, suspended.structure_id, "Convention rompue", **ACT)
    assert say(database, codes[:1], closed).reason is CounterRefusal.PLACE_CLOSED
    assert say(database, codes[:1], suspended).reason is CounterRefusal.STRUCTURE_SUSPENDED
    someone_else_s = Counter(a_counter(database).place_id, closed.structure_id)
    assert say(database, codes[:1], someone_else_s).reason is CounterRefusal.PLACE_CLOSED


def wrong(code: str) -> str:
    """Return a typing code with the same serial, another tag and a right check."""
    from voucher.issuing.typing_code import read_typing_code

    typed = read_typing_code(code)
    return typing_code(typed.serial, typed.tag ^ 1)


def test_wrong_codes_for_one_voucher_lock_its_typing_for_an_hour(database: Database) -> None:
    issued = handed_over_booklets(database)
    counter = a_counter(database)
    typed = typed_codes(database, issued.first_booklet_number)
    for rank in range(5):
        mediator = {"by": new_id(), "now": NOW + timedelta(minutes=rank)}
        told = (
            say(database, [wrong(typed[0])], counter, **mediator)
            if rank % 2
            else check(database, wrong(typed[0]), counter, **mediator)  # type: ignore[arg-type]
        )
        assert isinstance(told, Refusal)
        assert told.reason is CounterRefusal.WRONG_CODE
    locked = say(database, typed[:1], counter)
    assert locked.reason is CounterRefusal.VOUCHER_LOCKED
    assert "11\u00a0h\u00a000" in locked.sentence
    scanned = scanned_codes(database, issued.first_booklet_number)
    assert isinstance(redeem(database, new_id(), scanned[:1], WORKSHOP, counter, **ACT), Redeemed)


def test_a_mediator_who_types_ten_wrong_codes_waits(database: Database) -> None:
    issued = handed_over_booklets(database, 2)
    counter = a_counter(database)
    first = typed_codes(database, issued.first_booklet_number)
    second = typed_codes(database, issued.first_booklet_number + 1)
    for code in first:
        assert say(database, [wrong(code)], counter).reason is CounterRefusal.WRONG_CODE
    assert say(database, second[:1], counter).reason is CounterRefusal.TYPING_LOCKED
    assert check(database, second[0], counter, **ACT).reason is CounterRefusal.TYPING_LOCKED  # type: ignore[union-attr]
    other = redeem(database, new_id(), second[:1], WORKSHOP, counter, by=new_id(), now=NOW)
    assert isinstance(other, Redeemed)
    later = NOW + timedelta(hours=1, seconds=1)
    assert isinstance(redeem(database, new_id(), second[1:2], WORKSHOP, counter, by=SOMEONE, now=later), Redeemed)


def test_a_typed_serial_that_was_never_issued_counts_as_a_wrong_code(database: Database) -> None:
    counter = a_counter(database)
    attempt = new_id()
    for _ in range(2):
        answer = redeem(database, attempt, [typing_code(1_000_000, 7)], WORKSHOP, counter, **ACT)
        assert isinstance(answer, Refusal)
        assert answer.reason is CounterRefusal.WRONG_CODE
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(RefusedAttempt)) == 1


def test_a_signed_code_that_is_in_no_register_is_told_so(database: Database) -> None:
    issued = issued_booklets(database, 1, agreed=an_agreement(database))
    plant_missing = scanned_codes(database, issued.first_booklet_number)[0]
    with database.write() as session:
        session.execute(Voucher.__table__.delete().where(Voucher.serial == issued.first_serial))  # type: ignore[attr-defined]
    assert say(database, [plant_missing], a_counter(database)).reason is CounterRefusal.UNKNOWN_VOUCHER


def test_every_refusal_is_a_sentence_that_ends(sqlite_database: Database) -> None:
    for reason in CounterRefusal:
        sentence = Refusal(reason, 412, True, NOW, NOW.date(), "Ce code est incomplet.").sentence
        assert sentence.endswith(".")
        assert "erreur" not in sentence.lower()
        assert all(len(part.split()) <= 20 for part in sentence.replace(":", ".").split(".")), sentence
