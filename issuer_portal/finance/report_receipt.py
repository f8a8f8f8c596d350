"""What a bank's status report changed, in a few sentences."""

from voucher.settlement.bank_in.import_report import Reported
from voucher.settlement.reports.read_payees import PAYEE_WORDS, is_doubtful
from voucher.settlement.words.payment_sentences import still_owed
from voucher.web.filters import plural


def has_doubtful_names(done: Reported) -> bool:
    """Whether the bank doubts the name of a holder, so that the file may wait for an authorisation."""
    return any(is_doubtful(code) for code in done.payee_counts)


def report_receipt(done: Reported) -> str:
    """Say what a report of the bank changed, and what it left as it was."""
    if done.is_refund and done.ignored:
        return f"Renvoi {done.batch_number} : le compte rendu est gardé. Rien ne change."
    if done.is_refund:
        return (
            f"Renvoi {done.batch_number} : la banque le refuse. L’argent attend de nouveau sur sa ligne."
            if done.rejected_count
            else f"Renvoi {done.batch_number} : la banque ne le refuse pas. Il reste à attendre le relevé."
        )
    parts = []
    if done.rejected_count:
        rejected = plural(done.rejected_count, "virement rejeté", "virements rejetés")
        parts.append(f"{rejected}. {still_owed(done.rejected_count)}")
    if done.duplicate_count:
        doubled = plural(done.duplicate_count, "doublon annoncé", "doublons annoncés")
        parts.append(f"{doubled}. Aucune dette n’est rouverte : deux personnes doivent répondre.")
    if not parts and done.ignored:
        parts.append("le compte rendu est gardé. Aucun règlement ne change.")
    if not parts:
        wait = "" if has_doubtful_names(done) else " Il reste à attendre le relevé."
        parts.append(f"la banque ne rejette aucun virement.{wait}")
    if done.payee_counts:
        names = (
            f"{PAYEE_WORDS[code].lower()}, {plural(count, 'virement')}" for code, count in done.payee_counts.items()
        )
        parts.append(f"Noms des titulaires : {' ; '.join(names)}.")
    if has_doubtful_names(done):
        parts.append("Le fichier peut attendre une autorisation à la banque.")
    return f"Lot {done.batch_number} : {' '.join(parts)}"
