"""A process of its own for workers that are threads: patches are deblended in the main thread of a process.

Alarms, by which a fit that hangs is ended, reach the main thread alone; workers of a cluster are threads of a process
that does other things beside. So such a worker keeps a child, to which it hands patch after patch. The child ends when
its worker does, in whatever way; where the child is killed, the worker lives on and tells.

Jobs come to it by its standard input, results go to its standard output.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

from ..exceptions import WorkerDiedError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Child", "in_main_thread", "serve"]


class Child:
    """A process that calls a function for one argument after the other; it is started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def call(self, function: Callable[[Any], Any], argument: object) -> Any:
        """Call a function of a module there, and return its result or raise its error.

        Raises
        ------
        WorkerDiedError
            If the process was ended in the meantime; the next call starts another.
        """
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = _start()
            process = self._process
            stdin, stdout = process.stdin, process.stdout
            if stdin is None or stdout is None:
                raise RuntimeError("the process was started without pipes")
            try:
                pickle.dump((function, argument), stdin)
                stdin.flush()
                good, value = pickle.load(stdout)  # noqa: S301 -- from a process that we started
            except (EOFError, OSError, pickle.UnpicklingError) as error:
                process.kill()
                process.communicate()
                self._process, code = None, process.returncode
                raise WorkerDiedError(f"the process that worked on it was ended with exit code {code}") from error
        if not good:
            raise value
        return value

    def close(self) -> None:
        """End the process, if there is one, and wait for it."""
        with self._lock:
            process, self._process = self._process, None
            if process is not None:
                process.kill()
                process.communicate()


def in_main_thread() -> bool:
    """Whether the caller is the main thread of its process."""
    return threading.current_thread() is threading.main_thread()


def _start() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", f"from {__name__} import serve; serve()"]
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)  # noqa: S603 -- ourselves


def serve() -> None:
    """Be the child, until the worker closes its pipe or is gone."""
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What libraries print must not come between the results.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    jobs: queue.SimpleQueue[tuple[Callable[[Any], Any], object]] = queue.SimpleQueue()
    threading.Thread(target=_take, args=(sys.stdin.buffer, jobs), daemon=True).start()
    while True:
        function, argument = jobs.get()
        try:
            answer = (True, function(argument))
        except Exception as error:  # noqa: BLE001 -- it is raised where the job came from
            answer = (False, error)
        pickle.dump(answer, results)
        results.flush()


def _take(stream: IO[bytes], jobs: queue.SimpleQueue[Any]) -> None:
    """Take jobs as they come; the end of the stream is that of the worker, and of this process, whatever it is at."""
    while True:
        try:
            jobs.put(pickle.load(stream))  # noqa: S301 -- from the process that started us
        except EOFError:
            os._exit(0)
