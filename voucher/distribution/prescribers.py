"""Register who hands booklets over."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voucher.distribution.model import Prescriber, PrescriberKind
from voucher.kernel.clean_input import member, optional_text, postcode, required_text
from voucher.kernel.database import Database
from voucher.kernel.idempotency import insert_once
from voucher.kernel.refusals import Refused
from voucher.programme.model import Issuer


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrescriber:
    """An organisation that hands booklets of one issuer over. Its name and city are told to whoever hands one over twice."""

    id: UUID
    issuer_id: UUID
    name: str
    kind: str
    postcode: str
    city: str
    address: str = ""
    contact_email: str = ""


def register_prescriber(database: Database, prescriber: NewPrescriber, *, by: UUID, now: datetime) -> UUID:  # noqa: ARG001 - a use case says who acts
    """Register a prescriber and return its id; the same command again changes nothing. Raises Refused (issuer, name, kind)."""
    row: dict[str, object] = {
        "id": prescriber.id,
        "issuer_id": prescriber.issuer_id,
        "name": required_text(prescriber.name, "name", 150),
        "kind": member(PrescriberKind, prescriber.kind, "kind"),
        "address": optional_text(prescriber.address, "address", 200),
        "postcode": postcode(prescriber.postcode, "postcode"),
        "city": required_text(prescriber.city, "city", 80),
        "contact_email": optional_text(prescriber.contact_email, "contact_email", 200),
    }
    taken = Refused("prescriber_exists", "Un prescripteur porte déjà ce nom. Choisissez-le dans la liste.", "name")
    with database.write() as session:
        if session.get(Issuer, prescriber.issuer_id) is None:
            raise Refused("unknown_issuer", "Choisissez une collectivité de la liste.", "issuer_id")
        insert_once(session, Prescriber, row, {"created_at": now}, taken)
    return prescriber.id
