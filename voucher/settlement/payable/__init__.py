"""What is owed to structures at this moment, which period comes next, and why something is not paid now: one answer for all pages."""
