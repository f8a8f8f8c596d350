"""A structure's life: proposed, qualified by the programme, perhaps suspended; and the bank details it is paid on."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy import select, update

from voucher.kernel.calendar import french_instant
from voucher.kernel.clean_input import account_holder, bank_of_account, identifier, optional_text, required_text
from voucher.kernel.database import Database, changed, take_turn
from voucher.kernel.idempotency import insert_once
from voucher.kernel.identifiers import check_iban
from voucher.kernel.number_labels import iban_end
from voucher.kernel.refusals import Refused
from voucher.mail.letter_kinds import LetterKind
from voucher.mail.queue import Letter, queue
from voucher.network.lieux_cells import BadCell, pivot_of
from voucher.network.model import BankDetails, Structure, StructureState

NETWORK_TURN = "network"
"""The turn that whoever writes structures or places takes, so that an import and a hand never meet."""


@dataclass(frozen=True, slots=True)
class NewStructure:
    """A legal person that wishes to be paid. `pivot` is its SIRET or, for an association without one, its RNA number."""

    id: UUID
    pivot: str
    name: str
    contact_email: str = ""
    vat_regime: str = "non communiqué"


@dataclass(frozen=True, slots=True)
class NewBankDetails:
    """A RIB as the bank wrote it: `holder_name` is the account's exact title, for the verification of payee."""

    id: UUID
    structure_id: UUID
    holder_name: str
    iban: str
    iban_again: str
    bic: str | None = None


def propose_structure(database: Database, structure: NewStructure, *, by: UUID, now: datetime) -> UUID:  # noqa: ARG001 - a use case says who acts
    """Record a structure as proposed and return its id; the same command again changes nothing. Raises Refused (SIRET or RNA, name)."""
    row: dict[str, object] = {
        "id": structure.id,
        "pivot": _pivot(structure.pivot),
        "name": required_text(structure.name, "name", 150),
        "contact_email": optional_text(structure.contact_email, "contact_email", 200),
        "vat_regime": optional_text(structure.vat_regime, "vat_regime", 60) or "non communiqué",
    }
    born = {"state": StructureState.PROPOSED, "created_at": now, "state_changed_at": now, "state_reason": ""}
    taken = Refused("structure_exists", "Une structure porte déjà ce numéro. Cherchez-la dans la liste.", "pivot")
    with database.write() as session:
        take_turn(session, NETWORK_TURN)
        insert_once(session, Structure, row, born, taken)
    return structure.id


def describe_structure(
    database: Database,
    structure_id: UUID,
    *,
    name: str,
    contact_email: str,
    vat_regime: str,
    by: UUID,  # noqa: ARG001 - a use case says who acts
    now: datetime,
) -> None:
    """Correct what is said of a structure; its number never changes. The address it had is told of a new one. Raises Refused."""
    row = {
        "name": required_text(name, "name", 150),
        "contact_email": optional_text(contact_email, "contact_email", 200),
        "vat_regime": optional_text(vat_regime, "vat_regime", 60) or "non communiqué",
    }
    with database.write() as session:
        before = session.execute(
            select(Structure.contact_email).where(Structure.id == structure_id).with_for_update()
        ).one_or_none()
        if before is None:
            raise _unknown_structure()
        if before.contact_email not in ("", row["contact_email"]):
            queue(session, [_address_changed(structure_id, before.contact_email, now)], now)
        session.execute(update(Structure).where(Structure.id == structure_id).values(**row))


def qualify_structure(database: Database, structure_id: UUID, *, by: UUID, now: datetime) -> None:  # noqa: ARG001 - a use case says who acts
    """Let a structure take vouchers: one that was proposed, or whose suspension ends. Raises Refused."""
    _change_state(
        database,
        structure_id,
        before=(StructureState.PROPOSED, StructureState.SUSPENDED),
        after=StructureState.QUALIFIED,
        reason="",
        now=now,
        refusal=Refused("already_qualified", "Cette structure est déjà qualifiée. Il n’y a rien à faire."),
    )


def suspend_structure(database: Database, structure_id: UUID, reason: str, *, by: UUID, now: datetime) -> None:  # noqa: ARG001 - a use case says who acts
    """Stop a qualified structure from taking vouchers; what it is owed stays owed. Raises Refused; a reason is required."""
    _change_state(
        database,
        structure_id,
        before=(StructureState.QUALIFIED,),
        after=StructureState.SUSPENDED,
        reason=required_text(reason, "reason", 200),
        now=now,
        refusal=Refused("not_qualified", "Seule une structure qualifiée peut être suspendue. Regardez son état."),
    )


def record_bank_details(database: Database, details: NewBankDetails, *, by: UUID, now: datetime) -> UUID:
    """Record a structure's RIB, which waits for another person to confirm it; the same command again changes nothing.

    Until then payments go to the RIB in use. One that waited is ended, never confirmed. The IBAN is typed twice; the structure is
    told by e-mail. Raises Refused at once for what a transfer could not carry (kernel.sepa) and when the two IBANs differ.
    """
    iban = identifier(check_iban, details.iban, "iban")
    if identifier(check_iban, details.iban_again, "iban_again") != iban:
        raise Refused(
            "iban_differs", "Les deux IBAN sont différents. Recopiez-les tous les deux depuis le RIB.", "iban_again"
        )
    row: dict[str, object] = {
        "id": details.id,
        "structure_id": details.structure_id,
        "holder_name": account_holder(details.holder_name, "holder_name"),
        "iban": iban,
        "bic": bank_of_account(details.bic, iban, "bic"),
    }
    raced = Refused("details_changed", "Quelqu’un vient de changer ce RIB. Relisez-le, puis recommencez.", "iban")
    with database.write() as session:
        # The structure's row orders those who change its bank details.
        structure = session.execute(
            select(Structure.id, Structure.contact_email).where(Structure.id == details.structure_id).with_for_update()
        ).one_or_none()
        if structure is None:
            raise _unknown_structure()
        if session.get(BankDetails, details.id) is None:
            ended = (
                update(BankDetails)
                .where(BankDetails.structure_id == details.structure_id, BankDetails.is_waiting())
                .values(ended_at=now)
                .execution_options(synchronize_session=False)
            )
            session.execute(ended)
            queue(session, [_rib_recorded(details.id, structure.contact_email, iban, now)], now)
        born = {"recorded_by": by, "recorded_at": now, "ended_at": None, "confirmed_by": None, "confirmed_at": None}
        insert_once(session, BankDetails, row, born, raced)
    return details.id


def _address_changed(structure_id: UUID, recipient: str, now: datetime) -> Letter:
    """Tell the address that a structure had that we write elsewhere now: a RIB changed next would be told there."""
    body = (
        "Bonjour,",
        f"Depuis le {french_instant(now)}, nous écrivons à votre structure à une autre adresse.",
        "Ce n’est pas vous qui l’avez demandé ? Appelez-nous tout de suite.",
        "Votre page :",
    )
    # Each change is a fact of its own.
    about_id = uuid5(structure_id, now.isoformat())
    return Letter(
        kind=LetterKind.ADDRESS_CHANGED,
        about_id=about_id,
        issuer_id=None,
        recipient=recipient,
        subject="Votre adresse a changé",
        body="\n\n".join(body),
        path="/comptoir/lieu/",
    )


def _rib_recorded(details_id: UUID, recipient: str, iban: str, now: datetime) -> Letter:
    """Tell the structure that its money may go elsewhere: who took over an account of its staff cannot do so unseen."""
    body = (
        "Bonjour,",
        f"Un RIB a été enregistré pour votre structure le {french_instant(now)}. Il finit par {iban_end(iban)}.",
        "Une autre personne doit encore le confirmer. Il servira ensuite à vos règlements.",
        "Ce n’est pas vous ? Appelez-nous tout de suite.",
        "Vos RIB sont sur cette page :",
    )
    subject = "Un RIB est enregistré pour votre structure"
    return Letter(
        kind=LetterKind.RIB_RECORDED,
        about_id=details_id,
        issuer_id=None,
        recipient=recipient,
        subject=subject,
        body="\n\n".join(body),
        path="/comptoir/lieu/rib",
    )


def _pivot(text: str) -> str:
    try:
        return pivot_of(text, "")[0]
    except BadCell as bad:
        raise Refused("invalid_identifier", bad.sentence, "pivot") from None


def _change_state(
    database: Database,
    structure_id: UUID,
    *,
    before: tuple[StructureState, ...],
    after: StructureState,
    reason: str,
    now: datetime,
    refusal: Refused,
) -> None:
    with database.write() as session:
        change = (
            update(Structure)
            .where(Structure.id == structure_id, Structure.state.in_(before))
            .values(state=after, state_changed_at=now, state_reason=reason)
        )
        if changed(session, change) == 0:
            raise refusal if session.get(Structure, structure_id) else _unknown_structure()


def _unknown_structure() -> Refused:
    return Refused("unknown_structure", "Cette structure n’existe pas. Cherchez-la dans la liste.")
