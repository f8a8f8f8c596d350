"""From the issuer's stock to the person's hand: prescribers, stock slips, hand-over, stop orders, lapse.

It knows no counter and no redemption; it keeps no personal data (a booklet is a bearer instrument).
"""
