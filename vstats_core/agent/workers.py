"""Give every collector a thread and a deadline of its own, so that a hung one costs nobody else."""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from types import FunctionType, MethodType
from typing import Generic, TypedDict, TypeVar, Unpack

from vstats_core.agent.threads import Offspring
from vstats_core.errors import VStatsError
from vstats_core.logs.setup import worth_logging

__all__ = ["Lane", "Terms"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST_PAUSE = 300.0
"""Seconds after which even a collector that always fails is asked again."""
SOON = 0.5
"""Seconds until a collector that only took its starting point is asked for a first value."""
LONGEST_ERROR = 200
MOST_OFFSPRING = 32
"""Threads that a collector may leave running; one that leaves more is not called until they end."""


class Terms(TypedDict, Generic[T]):
    """What to call, how often, and how long a call may take; times in seconds."""

    call: Callable[[], T | None]
    interval: float
    timeout: float


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What came of one call: a value, None for nothing to say, or an error."""

    value: T | None
    error: str
    duration: float


class Lane(Generic[T]):
    """One collector's thread: one call in flight, one deadline, the newest good value.

    All methods and attributes belong to the event loop's thread. Nothing here waits for the call:
    ``settled`` is called when it is over, has failed or is late.
    """

    def __init__(
        self,
        name: str,
        *,
        settled: Callable[[], None],
        **terms: Unpack[Terms[T]],
    ) -> None:
        self.name = name
        self.value: T | None = None
        self.error = ""
        self.in_flight = False
        self.late = False
        self.duration = 0.0
        self._take(**terms)
        self._settled = settled
        self._failures = 0
        self._answers = 0
        self._asked_at = 0.0
        self._loop = asyncio.get_running_loop()
        self._collected_at = self._loop.time()
        self._next_call = self._collected_at
        self._deadline: asyncio.TimerHandle | None = None
        self._requests: queue.SimpleQueue[Callable[[], T | None] | None] = queue.SimpleQueue()
        title = f"collector {name}"
        # A daemon: a call that never returns must not keep the process from ending.
        thread = threading.Thread(target=_titled(self._work, title), name=title, daemon=True)
        self._offspring = Offspring(thread)
        thread.start()

    def ask_if_due(self, slack: float = 0.0) -> bool:
        """Start a call if the last one is over and the next is due within the slack, in seconds."""
        if self.in_flight or self._loop.time() + slack < self._next_call:
            return False
        if self._offspring.count() > MOST_OFFSPRING:
            return False  # one call more, and there would be more of them
        self._ask()
        return True

    def change(self, **terms: Unpack[Terms[T]]) -> None:
        """Go on on other terms, beginning with the next call, which is due now."""
        self._take(**terms)
        self._failures = 0
        self._next_call = self._loop.time()

    def retire(self) -> None:
        """Let the thread end, when its call is over."""
        self._requests.put(None)

    @property
    def answered(self) -> bool:
        """Whether there is a value, or a reason why there is none."""
        return self.value is not None or bool(self.error)

    @property
    def complaint(self) -> str:
        """What is wrong; empty when nothing is, and while there is honestly nothing to say."""
        return self.error or ("" if self._answers else "no answer yet")

    @property
    def age(self) -> float:
        """Seconds since the value was collected; while there is none, since the start."""
        return self._loop.time() - self._collected_at

    @property
    def busy_for(self) -> float:
        """Seconds that the last call took, or has taken so far."""
        return self._loop.time() - self._asked_at if self.in_flight else self.duration

    def _take(self, call: Callable[[], T | None], interval: float, timeout: float) -> None:
        self._call = call
        self._interval = interval
        self._timeout = timeout

    def _ask(self) -> None:
        self.in_flight = True
        self._asked_at = self._loop.time()
        self._next_call = self._asked_at + self._interval
        self._deadline = self._loop.call_later(self._timeout, self._overdue)
        self._requests.put(self._call)

    def _work(self) -> None:
        while (call := self._requests.get()) is not None:
            answer = _answer(call)
            try:
                self._loop.call_soon_threadsafe(self._done, answer)
            except RuntimeError:  # the loop is closed: the agent has ended
                return

    def _done(self, answer: Answer[T]) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self.in_flight = False
        self._answers += 1
        self.duration = answer.duration
        left = self._offspring.count()
        if self.late:
            self.late = False
            if not answer.error:
                self.error = f"took {answer.duration:.1f} s, {self._allowed}"
        elif answer.error:
            self._fail(answer.error)
        elif left > MOST_OFFSPRING:
            self._fail(f"left {left} threads running; at most {MOST_OFFSPRING} are allowed")
        else:
            self._succeed(answer.value)
        self._settled()

    def _succeed(self, value: T | None) -> None:
        if self._failures:
            logger.info("collector %s works again after %d failures", self.name, self._failures)
        self._failures = 0
        self.error = ""
        if value is not None:
            self.value = value
            self._collected_at = self._asked_at
        elif self._answers == 1:
            self._next_call = self._asked_at + SOON
            self._loop.call_later(SOON, self.ask_if_due, SOON)

    def _overdue(self) -> None:
        self.late = True
        self._fail(f"no answer, {self._allowed}")
        self._settled()

    def _fail(self, error: str) -> None:
        self._failures += 1
        self.error = error
        pause = self._interval * 2 ** min(self._failures, 20)
        self._next_call = self._asked_at + min(pause, max(self._interval, LONGEST_PAUSE))
        if worth_logging(self._failures):
            logger.warning(
                "collector %s failed (%d in a row): %s", self.name, self._failures, error
            )

    @property
    def _allowed(self) -> str:
        return f"its timeout is {self._timeout:g} s"


def _titled(work: Callable[[], None], title: str) -> Callable[[], None]:
    """Return the method as a function that bears the title wherever its frame is shown.

    The watchdog can only print frames, and must name the collector.
    """
    function = work.__func__  # type: ignore[attr-defined]
    code = function.__code__.replace(co_name=title, co_qualname=title)
    copy = FunctionType(code, function.__globals__, title)
    return MethodType(copy, work.__self__)  # type: ignore[attr-defined]


def _answer(call: Callable[[], T | None]) -> Answer[T]:
    started = time.monotonic()
    value, error = None, ""
    try:
        value = call()
    except BaseException as failure:
        error = _describe(failure)
        logger.debug("%s raised", threading.current_thread().name, exc_info=failure)
    return Answer(value, error, time.monotonic() - started)


def _describe(failure: BaseException) -> str:
    """Return the failure in a line; a stranger's also says where in its code it arose."""
    try:
        text = str(failure)
    except Exception:  # noqa: BLE001 - its __str__ is a stranger's, too
        text = ""
    if not isinstance(failure, VStatsError):
        text = f"{type(failure).__name__}: {text}" if text else type(failure).__name__
    text = " ".join(text[:LONGEST_ERROR].split())
    frame = failure.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is not None and not isinstance(failure, VStatsError):
        text += f" ({PurePath(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno})"
    return text.encode(errors="replace").decode()
