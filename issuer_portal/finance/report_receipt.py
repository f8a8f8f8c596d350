"""What a bank's status report changed, in a few sentences."""

from voucher.settlement.import_report import Reported
from voucher.web.filters import plural


def report_receipt(done: Reported) -> str:
    """Say what a report of the bank changed, and what it left as it was."""
    parts = []
    if done.rejected_count:
        rejected = plural(done.rejected_count, "virement rejeté", "virements rejetés")
        parts.append(f"{rejected}. Le lot suivant les reprendra.")
    if done.duplicate_count:
        doubled = plural(done.duplicate_count, "doublon annoncé", "doublons annoncés")
        parts.append(f"{doubled}. Aucune dette n’est rouverte : deux personnes doivent répondre.")
    if not parts and done.set_aside:
        parts.append("le compte rendu est gardé. Aucun règlement ne change.")
    if not parts:
        parts.append("la banque ne rejette aucun virement. Il reste à attendre le relevé.")
    return f"Lot {done.batch_number} : {' '.join(parts)}"
