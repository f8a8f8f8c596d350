"""The audit trail: who saw or changed what, line by line; it only grows, and it is sealed with the journal (docs/proof.md).

It knows people by their accounts' ids alone. `voucher.access` writes lines and shows them beside names.
"""
