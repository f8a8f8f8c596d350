"""Settlement: batches, payment advices, liquidation statements, bank files out and in, matching, claw-backs.

It owns the way from a closed period to a booked bank line. It never decides who may use a voucher (redemption does), never
writes a movement by hand (ledger does), and never calls a payment *paid* without a booked bank line. The modules that read
and write bank files and documents (`pain001`, `camt053`, `pain002`, `documents`) are pure: bytes and values in, bytes and
values out, no database, no clock, no network.
"""
