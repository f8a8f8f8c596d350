"""What everybody may know: the proof of the books, the funnel, the stages of the money by programme and by funder.

It reads every room below and writes nothing.
"""
