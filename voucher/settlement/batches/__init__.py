"""A period closed into a batch: frozen, approved by other eyes, its files written, its structures told; and how batches are read.

What is paid stands in `payable`; here it is only fixed and sent.
"""
