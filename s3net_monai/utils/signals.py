"""The signals by which a scheduler or a closed terminal ends a process."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

# Windows has no hang-up signal.
ENDING_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def ending_signals_as_keyboard_interrupt() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` on SIGTERM and SIGHUP, so that the run writes its report and removes unpacked images.

    A signal that is ignored, as SIGHUP under nohup, remains ignored.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    handled = [number for number in ENDING_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    previous = [signal.signal(number, interrupt) for number in handled]
    try:
        yield
    finally:
        for number, handler in zip(handled, previous, strict=True):
            signal.signal(number, handler)
