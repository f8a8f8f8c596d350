"""A realistic programme made through the same use cases as people use: for showing, for trying, for pictures.

It stands above every room and below the portals. Names of places and people are plainly invented; amounts are not real.
Everything follows from a seed and from the day it is made, so that two demonstrations of one day are alike.
"""

from voucher.demonstration.fill import fill as fill
from voucher.demonstration.people import DEMO_PASSWORD as DEMO_PASSWORD
from voucher.demonstration.people import DEMO_STAFF as DEMO_STAFF
from voucher.demonstration.people import SECOND_OF_PROGRAMME as SECOND_OF_PROGRAMME
