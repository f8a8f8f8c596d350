"""Bank lines against what was expected: what a line pays or brings back, by itself or by a person, and how that is undone.

`rules` decides without a database. It reads no file and orders no payment.
"""
