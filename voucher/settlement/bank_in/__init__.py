"""What comes in from the bank or the public accountant: each file kept once, its booked lines stored once, and what they prove.

Reads with `formats`, lets `reconciliation` decide and write. It knows no page, and makes no payment leave.
"""
