"""Bytes that come in, turned into values: camt, CFONB 120, pain.002, the accountant's return, zips; bounded, and refused by name.

It knows no database and no clock.
"""
