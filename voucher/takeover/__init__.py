"""The take-over export: all another operator needs to honour what is outstanding, and its import into an empty system."""
