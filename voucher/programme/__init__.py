"""Where the money comes from: envelopes, funders, issuers, agreements and what is committed to them.

It owns every ceiling and the only guarded balance, `credit`. It knows no structure and no voucher.
"""
