"""The programme's board: one funnel, money held against money owed, the map, what needs a decision. It changes nothing."""

from issuer_portal.board.pages import READERS
from issuer_portal.board.pages import blueprint as blueprint
from voucher.web.navigation import NavItem

NAVIGATION = (NavItem("Tableau de bord", "board.home", READERS),)
