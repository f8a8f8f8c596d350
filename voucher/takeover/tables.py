"""Which tables a take-over carries, in what order, and which it leaves out, each with its reason. A test holds this list
against all tables of the house.

A new table: write it here, in French, under CARRIED if the next operator needs it to honour a voucher, pay a debt, match a bank
line, answer for the books; else under LEFT_OUT, with why. Then run `python -m voucher.takeover.document > docs/takeover.md`.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Column, ForeignKey, LargeBinary, MetaData, Table
from sqlalchemy import schema as table_order

from voucher.business_models import Base
from voucher.takeover.cells import column_of

CARRIED: Mapping[str, str] = {
    "funder": "Les financeurs.",
    "envelope": "Les enveloppes ouvertes par les financeurs, et ce que les conventions en tiennent.",
    "issuer": "Les collectivités émettrices.",
    "paying_account": "Les comptes bancaires qui paient les structures.",
    "agreement": "Les conventions : plafond, chèque, dates, façon de payer.",
    "agreement_share": "La part de chaque financeur dans une convention.",
    "share_ending": "Les financeurs dont la part a pris fin avant les autres.",
    "share_ending_part": "La part de chacun de ceux qui restent.",
    "past_share": "Les parts d’avant : ce qui fut commandé sous elles les garde.",
    "kept_part": "Ce qu’un financeur garde engagé des parts d’avant.",
    "credit_release": "Les crédits rendus à une enveloppe.",
    "commitment": "Les engagements de crédits sur une convention.",
    "credit": "Ce qu’une convention peut encore émettre, par financeur.",
    "structure": "Les structures payées.",
    "bank_details": "Les RIB des structures, anciens et actuels.",
    "place": "Les lieux où l’on encaisse.",
    "issuer_key": "Les clés de signature des collectivités : leur partie publique vérifie les codes déjà imprimés.",
    "serial_counter": "Le prochain numéro de chèque et de carnet.",
    "issue_batch": "Les commandes : numéros, valeur, dates de validité.",
    "batch_share": "Ce que chaque financeur paie d’une commande.",
    "booklet": "Les carnets : état, code et signature.",
    "voucher": "Les chèques : état, code et signature.",
    "prescriber": "Les prescripteurs.",
    "stock_slip": "Les bordereaux de stock.",
    "handover": "Les remises de carnets ; rien sur les personnes.",
    "stop_order": "Les oppositions.",
    "stock_void": "Les destructions de carnets non remis.",
    "stock_count": "Les inventaires de stock.",
    "stock_count_gap": "Les écarts d’un inventaire.",
    "lapse": "Les caducités.",
    "period": "Les périodes de règlement.",
    "redemption": "Les encaissements.",
    "redeemed_voucher": "Les chèques de chaque encaissement.",
    "dispute": "Les contestations d’encaissements.",
    "overpayment": "Les trop-perçus des structures.",
    "recovery": "Ce qui est récupéré d’un trop-perçu.",
    "revenue_order": "Les demandes de titre de recette.",
    "approver_deputy": "Les remplacements : qui a validé des lots à la place de qui, et quels jours.",
    "settlement_batch": "Les lots de règlement.",
    "payment_advice": "Ce que chaque structure reçoit d’un lot, et où en est son règlement.",
    "payment_event": "L’histoire de chaque règlement : chaque changement d’état, pourquoi, par quelle ligne, quand.",
    "advice_line": "Ce dont un règlement est fait.",
    "payment_hold": "Les structures dont le paiement est suspendu.",
    "payment_file": "Les fichiers transmis à la banque ou au comptable, octet pour octet.",
    "bank_file": "Les fichiers reçus de la banque ou du comptable, octet pour octet.",
    "bank_statement": "Les relevés de compte.",
    "bank_line": "Les lignes de banque.",
    "bank_match": "De quoi chaque ligne de banque a été rapprochée.",
    "line_proposal": "Ce que deux personnes décident d’une part de ligne : qui propose, qui confirme.",
    "line_refund": "Ce qui est renvoyé à qui l’avait envoyé, et où en est ce virement.",
    "line_note": "Ce que des personnes écrivent à côté d’une ligne de banque.",
    "bank_set_aside": "Ce qu’un fichier de banque contient et qui n’est compté nulle part.",
    "transfer_report": "Ce que la banque a dit de chaque virement avant de le débiter.",
    "duplicate_answer": "Les réponses aux doublons annoncés : qui, quand, laquelle.",
    "funds_call": "Les appels de fonds.",
    "funds_call_use": "Les écritures derrière un appel de fonds.",
    "funds_receipt": "Les fonds reçus.",
    "funding_close": "Les soldes finaux avec un financeur.",
    "advance_refund": "Les avances rendues.",
    "advance_return": "Les avances rendues avant un décompte final.",
    "funding_document": "Les documents envoyés aux financeurs, octet pour octet.",
    "backing_figure": "La couverture publiée chaque jour, signée.",
    "backing_line": "La couverture de chaque convention, jour par jour.",
    "account": "Les comptes du registre.",
    "movement": "Les mouvements du registre.",
    "entry": "Les écritures du registre.",
    "seal": "Le rang et l’empreinte de chaque écriture scellée.",
    "seal_node": "Les nœuds de l’arbre des écritures scellées.",
    "checkpoint": "Les points de contrôle signés.",
    "seal_handover": "Les reprises passées : quelle clé signe le registre, et depuis quand.",
    "fiscal_year": "Les exercices.",
    "opening_balance": "Les soldes à l’ouverture d’un exercice.",
    "close_check": "Ce que deux personnes ont vu et accepté avant chaque clôture d’exercice.",
    "rule_start": "Depuis quand une règle des livres vaut : ce qui fut écrit avant reste.",
    "annual_account": "Les comptes annuels produits.",
    "matching_letter": "Le lettrage.",
    "lettered_movement": "Les mouvements lettrés.",
    "lettered_period": "Les périodes lettrées.",
    "letter_undone": "Les lettrages défaits.",
}
"""What the archive holds, and what each table is, in French."""

LEFT_OUT: Mapping[str, str] = {
    "staff_account": "Les personnes qui travaillaient chez l’opérateur d’avant : données personnelles.",
    "role_grant": "Les rôles de ces personnes.",
    "staff_session": "Leurs connexions ouvertes.",
    "staff_browser": "Les navigateurs où ces personnes se sont connectées.",
    "staff_network": "Les réseaux d’où ces personnes se sont connectées.",
    "passkey": "De quoi reconnaître leurs clés d’accès.",
    "totp_device": "Les secrets de leurs applications de codes.",
    "recovery_code": "De quoi reconnaître leurs codes de secours.",
    "provider_identity": "Qui elles sont chez un fournisseur d’identité.",
    "sign_in_step": "Les connexions commencées et non finies.",
    "account_link": "Les liens envoyés à ces personnes pour choisir leur mot de passe.",
    "link_secret": "De quoi reconnaître ces liens.",
    "account_change": "Les rôles et adresses de ces personnes, et qui les a confirmés.",
    "audit_line": "Le journal des accès : il reste chez celui qui en répond, qui garde de quoi le prouver.",
    "trail_seal": "Le rang et l’empreinte de chaque ligne scellée de ce journal : ils restent avec lui.",
    "trail_checkpoint": "Les points de contrôle de ce journal : le nouvel opérateur scelle le sien, depuis sa première ligne.",
    "payment_letter": "Les courriels écrits aux structures sur un règlement : le nouvel opérateur écrit les siens.",
    "outbox_message": "Les courriels en attente : le nouvel opérateur écrit les siens.",
    "refused_attempt": "Les encaissements refusés : rien n’a été débité, et ce qui fut tapé peut être un morceau de code.",
    "try_count": "Les essais comptés depuis peu : ils ne valent que quelques minutes.",
    "wrong_codes": "Les codes faux tapés, heure par heure : une alarme de l’opérateur d’avant.",
    "places_import": "Les comptes rendus d’import : les lieux eux-mêmes sont repris.",
}
"""What the archive does not hold, and why, in French."""

ROOMS_LEFT_OUT = frozenset({"access", "trail", "mail"})
"""Rooms of which no table is carried: what is wrong there stays there, and keeps nobody from taking the books over."""

KEPT_BACK: Mapping[str, frozenset[str]] = {"issuer_key": frozenset({"sealed_private_key"})}
"""Columns that are never in a table's file: a private key leaves only sealed for the one who takes over."""

SEEDED = frozenset({"serial_counter"})
"""Tables to which a migration gives their one row: an import changes it."""


def _comes_before(key: ForeignKey) -> bool:
    """Say that a foreign key does not order the tables: movements come before their entry, which closes them."""
    return key.parent.table.name == "movement" and key.column.table.name == "entry"


def said(table_name: str) -> str:
    """Return what a carried table holds, in French and in a few words: « Les financeurs »."""
    return CARRIED[table_name].partition(" :")[0].rstrip(".")


@cache
def carried_tables() -> tuple[Table, ...]:
    """Return the tables carried, each after those it refers to; movements before their entries, these before closed years."""
    tables = Base.metadata.tables
    carried = [tables[name] for name in CARRIED]
    first = [(tables["movement"], tables["entry"]), (tables["entry"], tables["fiscal_year"])]
    return tuple(table_order.sort_tables(carried, skip_fn=_comes_before, extra_dependencies=first))  # type: ignore[arg-type]  # it gives keys, whatever it says


def tables_of_schema(schema: Mapping[str, Any], names: Sequence[str]) -> tuple[Table, ...]:
    """Return the tables of an archive made by an earlier version, as its schema describes them, in the order of `names`.

    Raises KeyError, TypeError or ValueError for a schema that does not.
    """
    metadata, found = MetaData(), []
    for name in names:
        said = schema[name]
        columns = [
            column_of(_plain_name(one["name"]), one["form"], is_nullable=one["nullable"]) for one in said["columns"]
        ]
        columns += [Column(kept_back, LargeBinary) for kept_back in sorted(KEPT_BACK.get(name, ()))]
        table = Table(_plain_name(name), metadata, *columns)
        found.append(table)
    return tuple(found)


def _plain_name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise ValueError(f"{name!r} names no table nor column")
    return name


def columns_of(table: Table) -> list[Column[object]]:
    """Return the columns that a table's file holds, in order."""
    kept_back = KEPT_BACK.get(table.name, frozenset())
    return [column for column in table.columns if column.name not in kept_back]


def order_of(table: Table) -> list[Column[object]]:
    """Return the order of a table's rows: its key's; a row that names another of its table comes after it."""
    own = [
        column
        for column in table.columns
        if any(key.column.table is table and key.parent is not key.column for key in column.foreign_keys)
    ]
    # What names none comes first; what names one, by when it was made: identifiers grow with time.
    return [*(column.is_not(None) for column in own), *table.primary_key.columns]
