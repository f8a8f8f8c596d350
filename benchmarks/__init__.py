"""Measurements, each beside a limit measured in the same run. `make bench` prints the table. Never a timed test."""
