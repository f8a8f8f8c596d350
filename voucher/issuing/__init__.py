"""Issuing: from an order to signed vouchers and the paper that carries them.

Owns orders, issue batches, serials, issuers' keys, the signed code, its QR drawing and the printed booklets. It may not
decide who may use a voucher, nor whether one was used: a signature proves that a voucher is ours, never that it is unused.
"""
