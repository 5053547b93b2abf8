"""See to it that no command outlives the agent, however the agent ends."""

import subprocess
from contextlib import suppress
from types import TracebackType
from typing import Self

__all__ = ["Guard"]

SHELL = "/bin/sh"
# It reads until it is told that all is over. If its input ends before, the agent has died: the
# kernel closes a dead process's files, even one's that was killed. Signals it leaves to the rest.
SCRIPT = """
trap '' HUP INT TERM
groups=
while read -r word; do
  case $word in over) exit;; esac
  groups="$groups -$word"
done
[ -z "$groups" ] || kill -s KILL -- $groups
"""
PATIENCE = 1.0
"""Seconds that it may take to end."""


class Guard:
    """A small shell beside the commands, which kills them if the agent dies.

    Linux can send a child a signal when its parent dies, but only a child: not those that it has
    started; and it would have to be asked for between fork and exec, where a program with threads
    must not run any Python. Where there is no shell, there is no guard.
    """

    def __init__(self) -> None:
        self._shell: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with suppress(OSError):
            self._shell = subprocess.Popen(  # noqa: S603 - a script of ours, the same each time
                [SHELL, "-c", SCRIPT],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                start_new_session=True,
            )
        return self

    def watch(self, group: int) -> None:
        """Take a process group into its care."""
        self._tell(f"{group}\n")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._tell("over\n")
        if self._shell is not None:
            assert self._shell.stdin is not None  # noqa: S101 - PIPE
            self._shell.stdin.close()
            try:
                self._shell.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._shell.kill()
                self._shell.wait()

    def _tell(self, line: str) -> None:
        if self._shell is not None and self._shell.stdin is not None:
            with suppress(OSError):  # somebody has killed it
                self._shell.stdin.write(line.encode())
