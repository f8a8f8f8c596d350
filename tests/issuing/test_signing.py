"""A code that was not signed by the key is never authentic; a sealed key opens only as it was sealed."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from voucher.issuing.code import Algorithm, Kind, Payload, SignedCode, UnreadableCode, read_code
from voucher.issuing.key_document import (
    KeyState,
    PublishedKey,
    UntrustedKeyDocument,
    key_document,
    verify_key_document,
)
from voucher.issuing.signing import (
    is_authentic,
    new_private_key,
    open_private_key,
    public_key_of,
    seal_private_key,
    sign,
)
from voucher.kernel.sealed_secret import SealBroken

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))
TEST_KEYS = {
    Algorithm.ED25519: Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS["test_private_keys"]["ed25519"])),
    Algorithm.ES256: ec.derive_private_key(int(VECTORS["test_private_keys"]["es256"], 16), ec.SECP256R1()),
}
PROGRAMME = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS["test_private_keys"]["programme"]))
MASTER = bytes(range(32))

both_algorithms = pytest.mark.parametrize("algorithm", list(Algorithm), ids=lambda algorithm: algorithm.name)


def a_payload(algorithm: Algorithm) -> Payload:
    return Payload(
        kind=Kind.VOUCHER,
        booklet_size=10,
        key_id=7,
        serial=12345,
        use_by=date(2027, 12, 31),
        face_value_cents=1000,
        tag=0xA1B2C3,
        algorithm=algorithm,
    )


@both_algorithms
def test_a_signed_code_is_authentic_under_its_key_and_no_other(algorithm: Algorithm) -> None:
    key, other = new_private_key(algorithm), new_private_key(algorithm)
    code = sign(key, a_payload(algorithm))
    assert is_authentic(public_key_of(key), code)
    assert is_authentic(public_key_of(key), read_code(code.to_text()))
    assert not is_authentic(public_key_of(other), code)


@both_algorithms
def test_signing_again_gives_the_same_code(algorithm: Algorithm) -> None:
    key = new_private_key(algorithm)
    assert sign(key, a_payload(algorithm)) == sign(key, a_payload(algorithm))


@both_algorithms
def test_any_flipped_bit_makes_a_code_unreadable_or_false(algorithm: Algorithm) -> None:
    key = TEST_KEYS[algorithm]
    code = sign(key, a_payload(algorithm))
    whole = code.payload.encode() + code.signature
    for bit in range(8 * len(whole)):
        data = (int.from_bytes(whole) ^ 1 << bit).to_bytes(len(whole))
        try:
            flipped = SignedCode(Payload.decode(data[:16]), data[16:])
        except UnreadableCode:
            continue
        assert not is_authentic(public_key_of(key), flipped)


@both_algorithms
def test_a_key_of_another_shape_makes_nothing_authentic(algorithm: Algorithm) -> None:
    code = sign(TEST_KEYS[algorithm], a_payload(algorithm))
    for public_key in (b"", bytes(31), bytes(32), bytes(65), b"\x04" + bytes(64)):
        assert not is_authentic(public_key, code)


def test_a_key_signs_only_payloads_of_its_algorithm() -> None:
    with pytest.raises(ValueError, match="ED25519 key cannot sign a ES256 payload"):
        sign(TEST_KEYS[Algorithm.ED25519], a_payload(Algorithm.ES256))


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["label"])
def test_the_shared_vectors_are_signed_as_here_and_authentic(vector: dict) -> None:
    code = read_code(vector["text"])
    key = TEST_KEYS[code.payload.algorithm]
    assert public_key_of(key).hex() == vector["public_key"]
    assert is_authentic(bytes.fromhex(vector["public_key"]), code)
    assert sign(key, code.payload).signature.hex() == vector["signature"]


@pytest.mark.parametrize("vector", VECTORS["forged"], ids=lambda vector: vector["label"])
def test_the_shared_forgeries_read_but_are_not_authentic(vector: dict) -> None:
    assert not is_authentic(bytes.fromhex(vector["public_key"]), read_code(vector["text"]))


@both_algorithms
def test_a_sealed_private_key_opens_with_its_secret_id_and_algorithm(algorithm: Algorithm) -> None:
    key = new_private_key(algorithm)
    sealed = seal_private_key(key, key_id=7, master_secret=MASTER)
    opened = open_private_key(sealed, key_id=7, algorithm=algorithm, master_secret=MASTER)
    assert public_key_of(opened) == public_key_of(key)


def test_a_seal_never_opens_otherwise() -> None:
    sealed = seal_private_key(TEST_KEYS[Algorithm.ED25519], key_id=7, master_secret=MASTER)
    right = {"key_id": 7, "algorithm": Algorithm.ED25519, "master_secret": MASTER}
    wrongs = [right | {"key_id": 8}, right | {"algorithm": Algorithm.ES256}, right | {"master_secret": bytes(32)}]
    for wrong in wrongs:
        with pytest.raises(SealBroken):
            open_private_key(sealed, **wrong)  # type: ignore[arg-type]
    for place in range(len(sealed)):
        broken = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(SealBroken):
            open_private_key(broken, **right)  # type: ignore[arg-type]
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            open_private_key(sealed[:length], **right)  # type: ignore[arg-type]


def test_sealing_twice_never_gives_the_same_bytes_and_never_shows_the_key() -> None:
    key = TEST_KEYS[Algorithm.ED25519]
    first, second = (seal_private_key(key, key_id=7, master_secret=MASTER) for _ in range(2))
    assert first != second
    assert bytes.fromhex(VECTORS["test_private_keys"]["ed25519"]) not in first


def test_a_short_master_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        seal_private_key(TEST_KEYS[Algorithm.ED25519], key_id=7, master_secret=b"secret")


def published_keys() -> list[PublishedKey]:
    since = datetime(2027, 1, 1, tzinfo=UTC)
    first = PublishedKey(
        key_id=7,
        issuer_siren="200000016",
        issuer_name="Département du Val-Imaginé",
        algorithm=Algorithm.ED25519,
        public_key=public_key_of(TEST_KEYS[Algorithm.ED25519]),
        state=KeyState.ACTIVE,
        active_from_at=since,
    )
    second = replace(
        first,
        key_id=8,
        algorithm=Algorithm.ES256,
        public_key=public_key_of(TEST_KEYS[Algorithm.ES256]),
        state=KeyState.REVOKED,
        revoked_at=datetime(2027, 2, 1, 8, 30, tzinfo=UTC),
    )
    return [first, second]


def test_a_published_document_reads_back_in_the_order_of_ids() -> None:
    at = datetime(2027, 3, 1, 7, tzinfo=UTC)
    document = key_document(reversed(published_keys()), programme_key=PROGRAMME, published_at=at)
    read = verify_key_document(document, public_key_of(PROGRAMME))
    assert read.published_at == at
    assert list(read.keys) == published_keys()
    assert document == key_document(published_keys(), programme_key=PROGRAMME, published_at=at)


def test_a_document_changed_anywhere_or_signed_by_another_is_not_trusted() -> None:
    at = datetime(2027, 3, 1, 7, tzinfo=UTC)
    document = key_document(published_keys(), programme_key=PROGRAMME, published_at=at)
    public = public_key_of(PROGRAMME)
    revived = document.replace(b'"state":"revoked"', b'"state":"active"')
    assert revived != document
    stranger = key_document(published_keys(), programme_key=Ed25519PrivateKey.generate(), published_at=at)
    unsigned = json.dumps({"keys": []}).encode()
    deep = b"[" * 100_000
    for wrong in (revived, stranger, unsigned, document[:-1], b"", b"[]", b"null", b"\xff", deep, b" " * 5_000_000):
        with pytest.raises(UntrustedKeyDocument):
            verify_key_document(wrong, public)


def test_the_shared_document_is_trusted() -> None:
    shared = VECTORS["key_document"]
    read = verify_key_document(shared["document"].encode(), bytes.fromhex(shared["programme_public_key"]))
    assert [key.key_id for key in read.keys] == [7, 8]
