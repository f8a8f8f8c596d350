"""Money that comes back: disputes, claw-backs, overpayments netted or repaid, revenue orders."""
