"""The books an accountant reads: journals, trial balance, matching, fiscal years, FEC, annual account, stock count.

It writes no movement of its own beyond the close; every figure comes from the ledger.
"""
