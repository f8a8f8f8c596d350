"""What browsers send in place of a passkey's answer: refused as such, whatever it is."""

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from webauthn.helpers import bytes_to_base64url

from tests.soft_key import OURS, PARTY, SoftKey
from voucher.access.factors.passkey_answers import WrongAnswer, named_key, read_new_key, read_use

CHALLENGE = "AAAA"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SIGNED = ("clientDataJSON", "authenticatorData", "signature")
MADE = ("clientDataJSON", "attestationObject")
NAMES = sorted({"id", "rawId", "type", "userHandle", *SIGNED, *MADE})


def with_changes(answer: dict[str, Any], changed: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return an answer of which some parts are others, as JSON, and what its response holds."""
    outer = {name: value for name, value in changed.items() if name in answer}
    response = answer["response"] | {name: value for name, value in changed.items() if name not in answer}
    return json.dumps(answer | outer | {"response": response}), response


@given(changed=st.dictionaries(st.sampled_from(NAMES), JSON, max_size=3), cut=st.integers(0, 400))
def test_any_other_answer_is_a_wrong_answer(changed: dict[str, Any], cut: int) -> None:
    key, user = SoftKey(), {"id": "AAAA", "name": "x"}
    made = json.loads(key.make({"user": user, "rp": {"id": PARTY}, "challenge": CHALLENGE}))
    signed = json.loads(key.sign({"rpId": PARTY, "challenge": CHALLENGE}))
    public_key = read_new_key(OURS, CHALLENGE, json.dumps(made)).public_key
    made_text, made_parts = with_changes(made, changed)
    signed_text, signed_parts = with_changes(signed, changed)
    for text in (
        signed_text,
        signed_text[:cut],
        made_text,
        made_text[:cut],
        json.dumps(changed),
        "[" * cut,
        "0" * 30_000,
    ):
        with contextlib.suppress(WrongAnswer):
            named_key(text)
        with contextlib.suppress(WrongAnswer):
            read_use(OURS, CHALLENGE, text, public_key)
            assert text == signed_text
            assert [signed_parts[name] for name in SIGNED] == [signed["response"][name] for name in SIGNED]
        with contextlib.suppress(WrongAnswer):
            read_new_key(OURS, CHALLENGE, text)
            assert text == made_text
            assert [made_parts[name] for name in MADE] == [made["response"][name] for name in MADE]


PARTS = st.sampled_from([1, 2, 3, 7, -7, -8, -257, -48]) | st.binary(max_size=40) | JSON
COSE = st.dictionaries(st.sampled_from([1, 3, -1, -2, -3]), PARTS)


@given(answer=st.binary(max_size=200), public_key=COSE | PARTS)
def test_what_is_no_key_is_a_wrong_answer(answer: bytes, public_key: Any) -> None:
    """What the device wrote of its key is CBOR: whatever stands there, a page says no, now or when the key is used."""
    key, asked = SoftKey(), {"user": {"id": "AAAA", "name": "x"}, "rp": {"id": PARTY}, "challenge": CHALLENGE}
    made = json.loads(key.make(asked))
    made["response"]["attestationObject"] = bytes_to_base64url(answer)
    with contextlib.suppress(WrongAnswer):
        read_new_key(OURS, CHALLENGE, json.dumps(made))
        raise AssertionError("these bytes are no key")
    with contextlib.suppress(WrongAnswer):
        found = read_new_key(OURS, CHALLENGE, key.make(asked, public_key=public_key))
        read_use(OURS, CHALLENGE, key.sign({"rpId": PARTY, "challenge": CHALLENGE}), found.public_key)
        raise AssertionError("this key did not sign")
