"""Acts at the same moment: real threads that start together."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from voucher.kernel.refusals import Refused


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run acts in as many threads; return what each gave, in their order, or the refusal that it met.

    Whatever else one raises is raised here, once all are done.
    """
    start = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return act()
        except Refused as refused:
            return refused

    with ThreadPoolExecutor(len(acts)) as pool:
        return [one.result() for one in [pool.submit(run, act) for act in acts]]


def refusals_in(answers: Sequence[Any]) -> list[str]:
    """Return the codes of the refusals among what `at_once` gave, sorted."""
    return sorted(one.code for one in answers if isinstance(one, Refused))
