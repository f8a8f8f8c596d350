"""Structures, places and counters, and the lieux standard in and out."""
