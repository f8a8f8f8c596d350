"""Why a bank refused or sent back a transfer, in plain French, and what to do next.

The codes are those of ISO 20022's external code sets (ExternalStatusReason1Code, ExternalReturnReason1Code) that the SEPA
rulebook lists for credit transfers; the sentences are ours.
"""

import re
import unicodedata

from voucher.settlement.words.causes import ReasonText

_NEW_RIB = "Demandez un nouveau RIB à la structure, puis payez-la dans le prochain lot."
_CALL_STRUCTURE = "Appelez la structure : elle doit voir avec sa banque. Payez-la ensuite dans le prochain lot."
_HEIRS = "Appelez la structure pour savoir qui la représente, puis demandez un nouveau RIB."
_CALL_BANK = "Appelez votre banque avant de payer de nouveau."
_CORRECT_FILE = "Prévenez l’équipe technique : le fichier doit être corrigé avant un nouvel envoi."
_FIND_FIRST = "Ne payez pas de nouveau : cherchez d’abord le premier envoi sur le relevé."
_ADD_FUNDS = "Approvisionnez le compte, puis payez la structure dans le prochain lot."


DUPLICATES = frozenset({"AM05", "DU01", "DU02", "DU03", "DU04", "DU05", "DUPL"})
"""The codes by which a bank says that it has had this file, block or transfer before: no rejection, the first may stand.

All those of ExternalStatusReason1Code: duplication, then the identifier met twice (message, payment information, transaction,
end to end, instruction).
"""

CODE_LENGTH = 4
"""A reason of a bank is a code of four letters or figures."""

_TABLE: dict[str, tuple[str, str]] = {
    "AB05": ("La banque de la structure n’a pas répondu à temps.", "Payez la structure dans le prochain lot."),
    "AB06": ("La banque de la structure n’a pas répondu à temps.", "Payez la structure dans le prochain lot."),
    "AC01": ("Le numéro de compte (IBAN) est faux ou n’existe pas.", _NEW_RIB),
    "AC02": ("Le compte débité n’est pas reconnu par la banque qui paie.", "Vérifiez l’IBAN du compte qui paie dans la convention."),
    "AC03": ("Le numéro de compte (IBAN) de la structure est faux.", _NEW_RIB),
    "AC04": ("Le compte de la structure est fermé.", _NEW_RIB),
    "AC06": ("Le compte de la structure est bloqué.", _CALL_STRUCTURE),
    "AC07": ("Le compte de la structure est fermé.", _NEW_RIB),
    "AC13": ("Ce type de compte n’accepte pas ce virement.", _NEW_RIB),
    "AG01": ("Ce compte ne peut pas recevoir de virement (un livret, par exemple).", _NEW_RIB),
    "AG02": ("Le code d’opération n’est pas admis par la banque.", _CORRECT_FILE),
    "AM01": ("Le montant du virement est nul.", _CORRECT_FILE),
    "AM02": ("Le montant dépasse le plafond autorisé.", "Faites relever le plafond par votre banque, ou faites plusieurs lots."),
    "AM03": ("La devise n’est pas admise : seul l’euro l’est.", _CORRECT_FILE),
    "AM04": ("Le compte débité n’était pas assez approvisionné.", _ADD_FUNDS),
    "AM05": ("La banque a déjà reçu ce virement.", _FIND_FIRST),
    "AM07": ("Le montant est bloqué par la banque.", _CALL_BANK),
    "AM09": ("Le montant reçu n’est pas celui attendu.", "Comparez le bordereau et le relevé, puis appelez votre banque."),
    "AM10": ("Le total du fichier ne correspond pas à ses virements.", _CORRECT_FILE),
    "AM18": ("Le nombre de virements annoncé par le fichier est faux.", _CORRECT_FILE),
    "BE01": ("Le nom ne correspond pas au titulaire du compte.", "Vérifiez le nom du titulaire sur le RIB, corrigez-le, puis payez dans le prochain lot."),
    "BE04": ("Il manque l’adresse de la structure, que la banque exige.", "Demandez à votre banque quelle adresse fournir."),
    "BE05": ("L’émetteur du fichier n’est pas reconnu par la banque.", _CALL_BANK),
    "CNOR": ("La banque de la structure n’est pas joignable en SEPA.", _NEW_RIB),
    "CURR": ("La devise du virement est fausse.", _CORRECT_FILE),
    "CUST": ("Le virement a été annulé à la demande de l’émetteur.", "Vérifiez qui a demandé cette annulation avant de payer de nouveau."),
    "DNOR": ("La banque qui paie n’est pas enregistrée pour ce type de virement.", _CALL_BANK),
    "DT01": ("La date d’exécution est refusée par la banque.", "Choisissez un autre jour ouvré bancaire, puis payez dans le prochain lot."),
    "DU01": ("La banque a déjà reçu ce fichier.", _FIND_FIRST),
    "DU02": ("La banque a déjà reçu ce bloc de virements.", _FIND_FIRST),
    "DU03": ("La banque a déjà reçu ce virement.", _FIND_FIRST),
    "DU04": ("La banque a déjà reçu un virement de cette référence.", _FIND_FIRST),
    "DU05": ("La banque a déjà reçu cet ordre de virement.", _FIND_FIRST),
    "DUPL": ("La banque a déjà reçu ce fichier ou ce virement.", _FIND_FIRST),
    "ED05": ("Le règlement entre banques a échoué.", _CALL_BANK),
    "FF01": ("Le format du fichier est refusé par la banque.", _CORRECT_FILE),
    "FOCR": ("Le virement est revenu après une demande de rappel.", "Vérifiez qui a demandé le rappel, puis décidez s’il faut payer de nouveau."),
    "FR01": ("La banque soupçonne une fraude.", "Ne payez pas de nouveau. Appelez votre banque et la structure, par un numéro déjà connu."),
    "FRAD": ("Le virement est déclaré frauduleux.", "Ne payez pas de nouveau. Appelez votre banque et la structure, par un numéro déjà connu."),
    "MD07": ("Le titulaire du compte est décédé.", _HEIRS),
    "MS02": ("La structure a refusé le virement, sans dire pourquoi.", "Appelez la structure avant de payer de nouveau."),
    "MS03": ("La banque n’a pas donné de raison.", _CALL_STRUCTURE),
    "NARR": ("La banque donne sa raison en toutes lettres.", "Lisez le message de la banque à côté de cette ligne."),
    "NOAS": ("La structure n’a pas répondu à la demande de rappel.", "Appelez la structure."),
    "NOOR": ("La banque n’a jamais reçu le premier envoi de ce virement.", "Payez la structure dans le prochain lot."),
    "RC01": ("Le code de la banque de la structure (BIC) est faux.", _NEW_RIB),
    "RC03": ("Le code de la banque qui paie (BIC) est faux.", "Corrigez le BIC du compte qui paie."),
    "RC04": ("Le code de la banque de la structure (BIC) est faux.", _NEW_RIB),
    "RF01": ("Un identifiant sert deux fois dans le fichier.", _CORRECT_FILE),
    "RR01": ("Il manque le compte ou l’identité de l’émetteur, exigés par la loi.", "Vérifiez le compte qui paie, puis appelez votre banque."),
    "RR02": ("Il manque le nom ou l’adresse de l’émetteur, exigés par la loi.", "Vérifiez le nom du compte qui paie, puis appelez votre banque."),
    "RR03": ("Il manque le nom ou l’adresse de la structure, exigés par la loi.", "Vérifiez le nom du titulaire sur le RIB, puis appelez votre banque."),
    "RR04": ("La banque refuse pour une raison réglementaire.", _CALL_BANK),
    "SL01": ("La banque de la structure propose un service qui bloque ce virement.", _CALL_STRUCTURE),
    "SVNR": ("Le service demandé n’a pas été rendu.", _CALL_BANK),
    "TECH": ("Une panne technique a arrêté le virement.", "Payez la structure dans le prochain lot."),
    "TM01": ("Le fichier est arrivé après l’heure limite de la banque.", "Choisissez un autre jour ouvré bancaire, puis payez dans le prochain lot."),
    "UPAY": ("La structure dit que ce paiement n’était pas dû.", "Appelez la structure et vérifiez le bordereau avant de payer de nouveau."),
}  # fmt: skip

_UNKNOWN = "La banque donne le code « {code} », que nous ne connaissons pas."

_OF_ACCOUNT = {
    "AC01": "IBAN faux",
    "AC03": "IBAN faux",
    "AC04": "Compte fermé",
    "AC06": "Compte bloqué",
    "AC07": "Compte fermé",
    "AC13": "Compte qui ne reçoit pas de virement",
    "AG01": "Compte qui ne reçoit pas de virement",
    "BE01": "Nom du titulaire refusé",
    "BE04": "Adresse du titulaire demandée",
    "CNOR": "Banque de la structure injoignable",
    "MD07": "Titulaire décédé",
    "RC01": "BIC faux",
    "RC04": "BIC faux",
    "RR03": "Nom ou adresse du titulaire demandés",
}
"""What is wrong with the account, for the codes that say so: the same details would fail again."""

_NEEDS_ANOTHER = frozenset(_OF_ACCOUNT) - {"AC06", "BE01", "BE04", "RR03"}
"""Codes after which no transfer will ever reach the account. A block ends, a name or an address is corrected."""

_ACCOUNT = r"\b(?:comptes?|rib|iban)\b"
_ACCOUNTANTS_WORDS = (
    ("AC04", rf"{_ACCOUNT}.{{0,30}}\b(?:clos|cloture|ferme|resilie)e?s?\b|\bcloture d[ue] compte\b"),
    ("AC06", rf"{_ACCOUNT}.{{0,30}}\b(?:bloque|gele|saisi)e?s?\b"),
    ("MD07", r"\b(?:titulaire|representant).{0,20}\bdecede"),
    ("BE01", r"\b(?:titulaire|nom|beneficiaire)\b.{0,40}(?:\bne correspond|\bdifferente?\b|\bnon concordant)"),
    (
        "AC01",
        rf"{_ACCOUNT}.{{0,30}}\b(?:faux|fausse|errone|incorrect|invalide|inconnu|inexistant|perime|non valide|n.existe pas)e?s?\b",
    ),
    ("AC01", r"\b(?:faux|mauvais) (?:rib|iban)\b"),
    ("AC01", r"\bcoordonnees bancaires\b.{0,20}\b(?:errone|incorrect|invalide|perime)e?s\b"),
)
"""How accountants say it, without accents: the code of a bank that means the same."""
_SECOND = re.compile(
    r"\bdoublons?\b|\bdeja (?:ete )?(?:paye|regle|vire|execute)e?s?\b|\bdouble (?:paiement|reglement|virement|envoi)\b"
)
_EMPTIED = re.compile(r"\bcompte\b.{0,20}\bsoldée?s?\b")


def duplicate_code(reason: str) -> str:
    """Return the code of a reason that says « duplicate », in a bank's code or an accountant's words; empty for any other."""
    plain = _without_accents(reason)
    said = next((one for one in re.findall(r"\b[A-Z]{2}[A-Z0-9]{2}\b", reason.upper()) if one in DUPLICATES), "")
    return said or ("DUPL" if len(reason) > CODE_LENGTH and _SECOND.search(plain) else "")


def known_codes() -> list[str]:
    """Return the codes of the table, sorted."""
    return sorted(_TABLE)


def explain(code: str | None) -> ReasonText:
    """Return what a reason code of a bank means; an unknown or missing code gets a sentence too, never an error."""
    if not code:
        return ReasonText("", "La banque n’a pas donné de raison.", _CALL_STRUCTURE, is_known=False)
    if len(code) > CODE_LENGTH:
        return _said_by_accountant(code)
    known = _TABLE.get(code)
    if known is None:
        return ReasonText(
            code, _UNKNOWN.format(code=code), "Demandez à votre banque ce qu’il veut dire.", is_known=False
        )
    return ReasonText(code, *known, account=_OF_ACCOUNT.get(code, ""), needs_another=code in _NEEDS_ANOTHER)


def _said_by_accountant(words: str) -> ReasonText:
    """A public accountant gives its reason in its own words, after a bank's code or without one.

    Words are read as a sign, never as a proof: only a code closes an account for good.
    """
    said = f"Le comptable dit : « {words} »."
    plain = _without_accents(words)
    codes = [one for one in re.findall(r"\b[A-Z]{2}[A-Z0-9]{2}\b", words) if one in _OF_ACCOUNT]
    read = (one for one, pattern in _ACCOUNTANTS_WORDS if re.search(pattern, plain))
    # « soldé » closes an account, « solde » is what is on it.
    code = next(iter(codes), None) or next(read, "AC04" if _EMPTIED.search(words.casefold()) else None)
    if code is None:
        return ReasonText("", said, _CALL_STRUCTURE, is_known=False)
    sentence, what_to_do = _TABLE[code]
    is_given = code in codes and words.lstrip().startswith(code)
    needs_another = is_given and code in _NEEDS_ANOTHER
    return ReasonText(code, f"{sentence} {said}", what_to_do, account=_OF_ACCOUNT[code], needs_another=needs_another)


def _without_accents(words: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFD", words.casefold()) if not unicodedata.combining(one))
