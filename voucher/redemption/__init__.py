"""At the counter: check, redeem, undo. The database, not the code, decides that a voucher is used once.

It owns redemptions and the periods they belong to. It never pays, and never knows who holds a voucher.
"""
