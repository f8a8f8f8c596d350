"""Python's collector of cycles, for the whole process: called once, where a process starts."""

import gc

NEW_OBJECTS = 50_000


def collect_less_often() -> None:
    """Look for cycles each 50,000 new objects.

    Python does so each 700. An import makes millions of rows that are kept a while and have no cycle: walking them for nothing took a
    sixth of its time.
    """
    gc.set_threshold(NEW_OBJECTS, 20, 50)
