"""What a bank takes for itself: charges told apart by their transaction code, or given beside an amount (`Chrgs`)."""

from voucher.settlement.formats_in.camt_fields import Fields, WrongEntry, cents_of

# Sub-families of ISO 20022's external bank transaction codes that name the bank's own price: charges, fees, commissions.
# Taxes (TAXE), interest (INTR) and adjustments (ADJT) are left to a person.
_SUB_FAMILIES = frozenset({"CHRG", "FEES", "COMM", "COME", "COMI", "COMT"})
_DOMAINS = frozenset({"PMNT", "ACMT", "CAMT"})
_PARTS = 3


def is_charge(domain_code: str | None) -> bool:
    """Say whether a bank transaction code (`ACMT-MDOP-CHRG`) is surely a charge or, on the credit side, one given back."""
    parts = (domain_code or "").split("-")
    return len(parts) == _PARTS and parts[0] in _DOMAINS and parts[2] in _SUB_FAMILIES


def charge_cents(fields: Fields) -> int:
    """Return the charges that an entry or a transaction gives beside its amount, in cents taken from the account (0: none).

    The total where the bank says it, else the sum of its records (versions 03 and after) or of its single amounts (02). What
    is not euros to the cent is no charge that we can split.
    """
    if "Chrgs" not in fields:
        return 0
    try:
        total = fields.cents("Chrgs/TtlChrgsAndTaxAmt")
    except WrongEntry:
        return 0
    if total:
        return total
    for path in ("Chrgs/Rcrd", "Chrgs"):
        amounts, currencies = fields.every(f"{path}/Amt"), fields.every(f"{path}/Amt@Ccy")
        sides = fields.every(f"{path}/CdtDbtInd")
        if not amounts or len(currencies) != len(amounts) or len(sides) not in (0, len(amounts)):
            continue
        try:
            cents = [cents_of(text, currency) for text, currency in zip(amounts, currencies, strict=True)]
        except WrongEntry:
            return 0
        signs = [-1 if side == "CRDT" else 1 for side in sides] or [1] * len(cents)
        return max(0, sum(sign * one for sign, one in zip(signs, cents, strict=True)))
    return 0
