"""What funders owe and have paid: calls for funds on use, advances, receipts, final balances, and the backing of what is outstanding.

Funders' money only: what structures are owed belongs to settlement. It reads the ledger; it never touches a voucher.
"""
