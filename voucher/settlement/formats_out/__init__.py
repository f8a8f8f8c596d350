"""Values turned into bytes that leave: pain.001 held to its schema, the état liquidatif with its list, payment advices on paper.

It knows no database and no clock.
"""
