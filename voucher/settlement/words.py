"""How settlement speaks: states, channels and kinds of files in French, one word for one thing."""

from voucher.programme.model import SettlementChannel
from voucher.settlement.model import AdviceState, BatchState

BATCH_STATES: dict[BatchState, tuple[str, str]] = {
    BatchState.FROZEN: ("À valider", "wait"),
    BatchState.APPROVED: ("À transmettre", "wait"),
    BatchState.EXPORTED: ("Transmis", "info"),
    BatchState.CLOSED: ("Terminé", "success"),
}
"""The word of each state of a batch, and the kind of its tag."""

ADVICE_STATES: dict[AdviceState, tuple[str, str]] = {
    AdviceState.HELD: ("En attente", "warn"),
    AdviceState.DUE: ("À transmettre", "wait"),
    AdviceState.IN_FILE: ("Transmis", "info"),
    AdviceState.PAID: ("Payé", "success"),
    AdviceState.REJECTED: ("Rejeté", "danger"),
    AdviceState.RETURNED: ("Retourné", "danger"),
    AdviceState.TAKEN_UP: ("Repris dans un autre lot", "neutral"),
}
"""The word of each state of an advice, and the kind of its tag."""

CHANNELS: dict[str, str] = {
    SettlementChannel.PUBLIC_ACCOUNTANT: "Comptable public",
    SettlementChannel.MANDATED_OPERATOR: "Opérateur mandaté",
}

FILE_KINDS: dict[str, tuple[str, str]] = {
    "pain.001.001.09": ("Fichier de virements pour la banque", "application/xml"),
    "pain.001.001.03": ("Fichier de virements pour la banque, ancienne version", "application/xml"),
    "liquidation_csv": ("État liquidatif (CSV)", "text/csv; charset=utf-8"),
    "liquidation_json": ("État liquidatif (JSON)", "application/json"),
    "supporting_csv": ("Pièce justificative : les encaissements (CSV)", "text/csv; charset=utf-8"),
    "liquidation_pdf": ("État liquidatif (PDF à signer)", "application/pdf"),
}
"""The name of each kind of kept file, and its media type."""
