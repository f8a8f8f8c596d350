"""The sixteen bytes, the 128 characters and the address: what is written is read back, and nothing else is read."""

import json
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher.issuing.code import (
    BOOKLET_SIZE_MAX,
    FACE_VALUE_CENTS_MAX,
    FIRST_DAY,
    KEY_ID_MAX,
    LAST_DAY,
    SERIAL_MAX,
    TAG_MAX,
    Algorithm,
    Kind,
    Payload,
    SignedCode,
    Unreadable,
    UnreadableCode,
    read_code,
)
from voucher.kernel.addresses import code_prefix
from voucher.kernel.number_labels import serial_label

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))

payloads = st.builds(
    Payload,
    kind=st.sampled_from(Kind),
    booklet_size=st.integers(1, BOOKLET_SIZE_MAX),
    key_id=st.integers(0, KEY_ID_MAX),
    serial=st.integers(0, SERIAL_MAX),
    use_by=st.dates(FIRST_DAY, LAST_DAY),
    face_value_cents=st.integers(1, FACE_VALUE_CENTS_MAX),
    tag=st.integers(0, TAG_MAX),
    algorithm=st.sampled_from(Algorithm),
)
codes = st.builds(SignedCode, payload=payloads, signature=st.binary(min_size=64, max_size=64))


def a_payload(**changes: object) -> Payload:
    values: dict[str, object] = {
        "kind": Kind.VOUCHER,
        "booklet_size": 10,
        "key_id": 7,
        "serial": 12345,
        "use_by": date(2027, 12, 31),
        "face_value_cents": 1000,
        "tag": 0xA1B2C3,
    }
    return Payload(**{**values, **changes})  # type: ignore[arg-type]


def test_the_layout_is_the_one_that_is_published() -> None:
    assert a_payload().encode().hex(" ", 1) == "11 2a 00 07 00 00 30 39 0c d6 00 03 e8 a1 b2 c3"


@given(payloads)
def test_a_payload_is_sixteen_bytes_that_read_back(payload: Payload) -> None:
    assert len(payload.encode()) == 16
    assert Payload.decode(payload.encode()) == payload


@given(st.binary(max_size=20))
def test_any_bytes_are_either_the_only_writing_of_a_payload_or_unreadable(data: bytes) -> None:
    try:
        payload = Payload.decode(data)
    except UnreadableCode:
        return
    assert payload.encode() == data


@given(codes, st.sampled_from([str.upper, str.lower, str.title]), st.sampled_from(["", " ", "\r\n", "\t "]))
def test_a_code_is_read_from_its_address_or_its_characters_in_any_case(code: SignedCode, case, space: str) -> None:
    assert read_code(space + case(code.to_text()) + space) == code
    assert read_code(space + case(code.to_url("https://pass.exemple.fr")) + space) == code


@given(codes)
def test_the_whole_text_fits_the_alphanumeric_mode_of_a_qr_code(code: SignedCode) -> None:
    text = code.to_url("https://pass.exemple.fr")
    assert len(text) == 154
    assert set(text) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    with suppress(UnreadableCode):
        assert read_code(text).to_text() in text.upper()


@given(codes, st.integers(0, 127))
def test_a_code_cut_short_is_said_to_be_incomplete(code: SignedCode, length: int) -> None:
    with pytest.raises(UnreadableCode) as refusal:
        read_code("https://pass.exemple.fr/v/" + code.to_text()[:length])
    assert refusal.value.reason is Unreadable.TRUNCATED


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["label"])
def test_the_shared_vectors_are_written_and_read(vector: dict) -> None:
    fields = dict(vector["payload"])
    fields |= {
        "kind": Kind(fields["kind"]),
        "algorithm": Algorithm(fields["algorithm"]),
        "use_by": date.fromisoformat(fields["use_by"]),
    }
    code = SignedCode(Payload(**fields), bytes.fromhex(vector["signature"]))
    assert code.payload.encode().hex() == vector["payload_bytes"]
    assert code.to_text() == vector["text"]
    assert code.to_url("https://pass.exemple.fr") == vector["url"]
    assert read_code(vector["url"]) == read_code(vector["text"]) == code


@pytest.mark.parametrize("vector", VECTORS["unreadable"], ids=lambda vector: vector["label"])
def test_the_shared_unreadable_texts_are_refused_with_their_reason(vector: dict) -> None:
    with pytest.raises(UnreadableCode) as refusal:
        read_code(vector["text"])
    assert refusal.value.reason == vector["reason"]


def test_each_reason_has_a_sentence_that_says_what_to_do() -> None:
    for reason in Unreadable:
        assert reason.sentence.count(".") >= 2


@pytest.mark.parametrize(
    "change",
    [
        {"booklet_size": 0},
        {"booklet_size": 32},
        {"key_id": 65536},
        {"serial": SERIAL_MAX + 1},
        {"serial": -1},
        {"use_by": date(2018, 12, 31)},
        {"face_value_cents": 0},
        {"face_value_cents": FACE_VALUE_CENTS_MAX + 1},
        {"tag": TAG_MAX + 1},
        {"version": 2},
    ],
)
def test_a_value_without_a_place_in_the_sixteen_bytes_is_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(change)).split("_")[0]):
        a_payload(**change)


def test_a_signature_has_sixty_four_bytes() -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        SignedCode(a_payload(), bytes(63))


def test_the_demonstration_address_is_taken() -> None:
    assert code_prefix("http://127.0.0.1:8000") == "HTTP://127.0.0.1:8000/V/"
    assert code_prefix("https://pass.fr/") == "HTTPS://PASS.FR/V/"


@pytest.mark.parametrize(
    ("base_url", "reason"),
    [
        ("https://pass-numerique.departement.fr", "trop long"),
        ("https://pass.exemple.fra", "trop long"),
        ("https://pass.fr/chemin", "sans chemin"),
        ("https://pass_1.fr", "sans chemin"),
        ("https://é.fr", "sans chemin"),
        ("ftp://pass.fr", "sans chemin"),
        ("pass.fr", "sans chemin"),
        ("", "sans chemin"),
    ],
)
def test_an_address_that_does_not_fit_a_qr_code_is_refused(base_url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        code_prefix(base_url)


def test_a_serial_is_shown_in_groups_of_four() -> None:
    shown = [serial_label(serial).replace("\u00a0", " ") for serial in (0, 12345, 99999999, 100000000, SERIAL_MAX)]
    assert shown == ["0000 0000", "0001 2345", "9999 9999", "0001 0000 0000", "0010 7374 1823"]
