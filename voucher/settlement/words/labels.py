"""How settlement speaks: states, channels and kinds of files in French, one word for one thing."""

from voucher.programme.model import IssuerKind, SettlementChannel
from voucher.settlement.words.states import (
    AdviceState,
    BatchState,
    DisputeReason,
    MatchKind,
    PaymentFileKind,
    RecoveryKind,
    RefundState,
)

BATCH_STATES: dict[BatchState, str] = {
    BatchState.FROZEN: "À valider",
    BatchState.APPROVED: "À transmettre",
    BatchState.EXPORTED: "Transmis",
    BatchState.CLOSED: "Terminé",
}
"""The word of each state of a batch."""

ADVICE_STATES: dict[AdviceState, str] = {
    AdviceState.HELD: "En attente",
    AdviceState.DUE: "Arrêté",
    AdviceState.IN_FILE: "Transmis",
    AdviceState.PAID: "Payé",
    AdviceState.REJECTED: "Rejeté",
    AdviceState.RETURNED: "Retourné",
    AdviceState.TAKEN_UP: "Repris dans un autre lot",
    AdviceState.SETTLED: "Soldé, sans virement",
}
"""The word of each state of an advice."""

MATCH_KINDS: dict[MatchKind, str] = {
    MatchKind.PAYMENT: "Paiement",
    MatchKind.RETURN: "Retour d’un virement",
    MatchKind.CHARGE: "Frais de la banque",
    MatchKind.FUNDS: "Fonds d’un financeur",
    MatchKind.ADVANCE_REFUND: "Avance rendue à un financeur",
    MatchKind.ADVANCE_RETURN: "Avance rendue avant le décompte",
    MatchKind.OVERPAYMENT: "Trop-perçu remboursé",
    MatchKind.REFUND: "Renvoi à l’expéditeur",
    MatchKind.REFUND_DEBIT: "Renvoi exécuté",
    MatchKind.OFFSET: "Annulée par une autre ligne",
}
"""What a bank line was matched with, in French."""

REFUND_STATES: dict[RefundState, str] = {
    RefundState.PROPOSED: "à confirmer",
    RefundState.WITHDRAWN: "retiré",
    RefundState.IN_FILE: "transmis, la banque ne l’a pas encore débité",
    RefundState.PAID: "débité par la banque",
    RefundState.RETURNED: "revenu : l’argent attend sur une autre ligne",
    RefundState.REJECTED: "refusé : l’argent attend de nouveau sur cette ligne",
}
"""Where a refund stands, in French."""

CHANNELS: dict[str, str] = {
    SettlementChannel.PUBLIC_ACCOUNTANT: "Comptable public",
    SettlementChannel.MANDATED_OPERATOR: "Opérateur mandaté",
}

FILE_KINDS: dict[PaymentFileKind, tuple[str, str]] = {
    PaymentFileKind.TRANSFERS: ("Fichier de virements pour la banque", "application/xml"),
    PaymentFileKind.OLD_TRANSFERS: ("Fichier de virements pour la banque, ancienne version", "application/xml"),
    PaymentFileKind.LIQUIDATION_CSV: ("État liquidatif (CSV)", "text/csv; charset=utf-8"),
    PaymentFileKind.LIQUIDATION_JSON: ("État liquidatif (JSON)", "application/json"),
    PaymentFileKind.SUPPORTING_CSV: ("Pièce justificative : les encaissements (CSV)", "text/csv; charset=utf-8"),
    PaymentFileKind.LIQUIDATION_PDF: ("État liquidatif (PDF à signer)", "application/pdf"),
}
"""The name of each kind of kept file, and its media type."""

DISPUTE_REASONS: dict[str, str] = {
    DisputeReason.NOT_RENDERED: "Service non rendu",
    DisputeReason.WRONG_COUNT: "Nombre de chèques inexact",
    DisputeReason.TWICE: "Même service encaissé deux fois",
    DisputeReason.OUT_OF_SCOPE: "Service hors du dispositif",
    DisputeReason.COMPLAINT: "Réclamation reçue",
    DisputeReason.CONTROL: "Contrôle sur place ou sur pièces",
    DisputeReason.OTHER: "Autre fait",
}
"""Why a redemption is contested, in French."""

DISPUTE_STATES: dict[str, str] = {
    "open": "À décider",
    "dismissed": "Levée",
    "upheld": "Fondée",
}
"""The word of each state of a dispute."""

OVERPAYMENT_STATES: dict[str, str] = {
    "open": "À retenir",
    "due": "À réclamer",
    "claimed": "Titre demandé",
    "settled": "Soldé",
    "written_off": "Abandonné",
}
"""The word of each state of an overpayment."""

RECOVERY_KINDS: dict[str, str] = {
    RecoveryKind.NETTED: "Retenu sur un règlement",
    RecoveryKind.REPAID: "Remboursé par virement",
    RecoveryKind.WRITTEN_OFF: "Abandonné",
}
"""How an overpayment came back, in French."""

SIGNATORIES: dict[IssuerKind, str] = {
    IssuerKind.REGION: "La présidente ou le président du conseil régional",
    IssuerKind.DEPARTMENT: "La présidente ou le président du conseil départemental",
    IssuerKind.EPCI: "La présidente ou le président de l’intercommunalité",
    IssuerKind.METROPOLE: "La présidente ou le président de la métropole",
    IssuerKind.SYNDICAT_MIXTE: "La présidente ou le président du syndicat mixte",
}
"""Who signs for an issuer."""
