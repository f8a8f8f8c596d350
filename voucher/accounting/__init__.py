"""The books as an accountant asks for them: trial balance, matching letters, FEC, annual account, counts of inactive stock.

It owns the letters, the annual accounts that were produced and the counts. It reads every room below and posts nothing: what
moves money is written where the business happens; closing a year is the ledger's.
"""
