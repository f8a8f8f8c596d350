"""The ground floor: money, days, identifiers, refusals, settings and the database. It knows nothing of vouchers."""
