"""The take-over export: all another operator needs to honour what is outstanding, and its import into an empty system.

Whole tables are copied, the journal as it was written: books go on, old codes are redeemed, old payments are matched. The
format stands in docs/takeover.md. Staff, sessions and the audit trail stay with the operator who had them.
"""
