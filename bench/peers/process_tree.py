"""What the processes that a peer starts by itself take: they are gone, and not ours to wait for, when it has answered."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil

# Between two looks, in s. A look goes through all processes of the machine, so it is not free.
PAUSE = 0.1


@dataclass
class Children:
    """All processes below this one, from the first look to the last."""

    peak_bytes: int = 0
    """The largest sum of their resident sets. Pages that they share count in each."""
    _cpu_seconds: dict[int, float] = field(default_factory=dict)

    @property
    def cpu_seconds(self) -> float:
        """Processor time of all of them, up to the last look at each."""
        return sum(self._cpu_seconds.values())

    def look(self) -> None:
        """Notes what they have used by now."""
        resident = 0
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                self._cpu_seconds[child.pid] = times.user + times.system
                resident += child.memory_info().rss
        self.peak_bytes = max(self.peak_bytes, resident)


@contextlib.contextmanager
def watch_children(expected: bool) -> Iterator[Children]:
    """Looks at the child processes now and then. Where none are `expected` nothing is looked at, and nothing is lost to it."""
    children = Children()
    if not expected:
        yield children
        return
    done = threading.Event()

    def watch() -> None:
        while not done.wait(PAUSE):
            children.look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield children
    finally:
        done.set()
        thread.join()
