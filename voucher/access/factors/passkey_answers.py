"""What a passkey is asked, and whether its answer is true (WebAuthn level 3, by py_webauthn). Knows no database.

asked = ask_new_key(party, programme_name, account_id, email, name, known_ids)     for navigator.credentials.create()
key = read_new_key(party, asked.challenge, answer)
asked = ask_key(party, known_ids)                                                  for navigator.credentials.get()
use = read_use(party, asked.challenge, answer, public_key)

Each key must know its person (a finger, a face, a code): a passkey is two factors by itself. Raises WrongAnswer for an answer that is
not one, that another address was given, to another challenge, or that the key did not sign.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cryptography.exceptions import UnsupportedAlgorithm
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    bytes_to_base64url,
    options_to_json_dict,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from voucher.kernel.relying_party import RelyingParty

ANSWER_LENGTH_MAX = 20_000
CREDENTIAL_BYTES_MAX = 1023
"""WebAuthn level 3, § 7.1: longer ones are refused."""

WAIT_MS = 5 * 60 * 1000
"""How long a browser waits for the person: the time to fetch a phone."""


class WrongAnswer(Exception):
    """The answer proves nothing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A challenge, in base64url, and the options that a browser is given with it."""

    challenge: str
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that a device has made."""

    credential_id: bytes
    public_key: bytes  # COSE
    sign_count: int
    is_synced: bool


@dataclass(frozen=True, slots=True)
class Use:
    """What a key says of itself with its signature: how often it signed (0 where it does not count), whether a copy is kept elsewhere."""

    sign_count: int
    is_synced: bool


def ask_new_key(
    party: RelyingParty, programme_name: str, account_id: UUID, email: str, name: str, known_ids: Iterable[bytes]
) -> Asked:
    """Ask for a key that its device keeps, so that a person need not type who they are; none of those that they have already."""
    options = generate_registration_options(
        rp_id=party.id,
        rp_name=programme_name,
        user_id=account_id.bytes,
        user_name=email,
        user_display_name=name,
        timeout=WAIT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=_descriptors(known_ids),
    )
    return Asked(bytes_to_base64url(options.challenge), options_to_json_dict(options))


def read_new_key(party: RelyingParty, challenge: str, answer: str) -> NewKey:
    """Return the key of an answer. Raises WrongAnswer."""
    try:
        credential = parse_registration_credential_json(_bounded(answer))
        _refuse_frames(credential.response.client_data_json)
        key = verify_registration_response(
            credential=credential,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except _NOT_TRUE as error:
        raise WrongAnswer(str(error)) from error
    if len(key.credential_id) > CREDENTIAL_BYTES_MAX:
        raise WrongAnswer("the credential's id is too long")
    return NewKey(key.credential_id, key.credential_public_key, key.sign_count, key.credential_backed_up)


def ask_key(party: RelyingParty, known_ids: Iterable[bytes] = ()) -> Asked:
    """Ask for the signature of one of these keys, or of whichever the person chooses."""
    options = generate_authentication_options(
        rp_id=party.id,
        timeout=WAIT_MS,
        allow_credentials=_descriptors(known_ids),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return Asked(bytes_to_base64url(options.challenge), options_to_json_dict(options))


def named_key(answer: str) -> tuple[bytes, bytes | None]:
    """Return the id of the key that answers, and the account that it says it is for (`userHandle`), where it does. Raises WrongAnswer."""
    try:
        credential = parse_authentication_credential_json(_bounded(answer))
    except _NOT_TRUE as error:
        raise WrongAnswer(str(error)) from error
    return credential.raw_id, credential.response.user_handle


def read_use(party: RelyingParty, challenge: str, answer: str, public_key: bytes) -> Use:
    """Return what a key says of itself, its signature once proved. Raises WrongAnswer.

    The counter is compared by the caller: the library would compare it before the signature, and anybody could make it go back.
    """
    try:
        credential = parse_authentication_credential_json(_bounded(answer))
        _refuse_frames(credential.response.client_data_json)
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except _NOT_TRUE as error:
        raise WrongAnswer(str(error)) from error
    return Use(verified.new_sign_count, verified.credential_backed_up)


# The library's own, and what Python and cryptography say of bytes that are no key, no text or no JSON.
_NOT_TRUE = (
    WebAuthnException,
    UnsupportedAlgorithm,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
)


def _bounded(answer: str) -> str:
    if len(answer) > ANSWER_LENGTH_MAX:
        raise ValueError("the answer is too long")
    return answer


def _refuse_frames(client_data: bytes) -> None:
    """Refuse an answer that was given inside a page of another site (WebAuthn level 3, § 7.1 and 7.2: `crossOrigin`)."""
    if parse_client_data_json(client_data).cross_origin:
        raise ValueError("the answer was given inside another site's page")


def _descriptors(ids: Iterable[bytes]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=one) for one in ids]
