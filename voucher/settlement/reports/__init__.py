"""What a bank says of our transfers before any money moves: duplicates that two people answer, names that it does not know.

What it says changes no money by itself; `bank_in` keeps it, and here people read it and answer.
"""
