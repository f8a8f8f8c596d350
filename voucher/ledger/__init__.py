"""The programme's double-entry ledger: accounts, entries, movements, balances. It only grows.

It owns the chart of accounts and the table *event → movements*. It knows no voucher, no structure and no agreement but
by their ids; it never reads the clock; it never commits: the use case that changes a state posts the entry in its own
transaction.
"""
