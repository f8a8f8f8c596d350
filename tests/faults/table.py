"""All faults: what was done to the database, in words → the statements that do it, and the checks that must name it.

A check that no fault expects fails the suite, and so does a name that no check bears. Whoever writes a check plants a fault here,
in the file of its room: SQL that both engines take, over the world of `world.py`.
"""

from tests.faults import books, funds, payments, people, vouchers

Fault = tuple[str, set[str]]

PARTS: tuple[dict[str, Fault], ...] = (books.FAULTS, vouchers.FAULTS, funds.FAULTS, payments.FAULTS, people.FAULTS)
FAULTS: dict[str, Fault] = {words: fault for part in PARTS for words, fault in part.items()}
