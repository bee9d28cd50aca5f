"""Runs onnx's shape inference in a child process.

The C++ library is not safe with untrusted graphs: with onnx 1.23, bytes changed
at random in its own node models crash it (an ``axis`` far out of range, an input of unknown type)
or make it compute forever (an Einsum equation). The child is started first and initializes
while this process reads the file, so that it costs almost nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from types import TracebackType

from shapeinspect.binary import child_limits
from shapeinspect.binary.child_process import answer_of
from shapeinspect_onnx.graph import _child
from shapeinspect_onnx.reading.messages import folder

#: On a busy machine the child's computing takes up to this many times as long by the wall clock.
_PATIENCE = 10
#: The bytes of its answer, those for each byte of the model, and the most in all: what it adds are shapes.
_ANSWER, _ANSWER_EACH_BYTE, _ANSWER_AT_MOST = 16 << 20, 8, 128 << 20


class Worker:
    """A child process that waits for one model.

    Example:
        >>> with Worker() as worker:
        ...     worker.infer(b"no model")[0] is None
        True
    """

    def __enter__(self) -> Worker:
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and our own program
                [
                    sys.executable,
                    "-I",
                    "-S",
                    _child.__file__,
                    str(folder()),
                    child_limits.__file__,
                    str(os.getpid()),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except (OSError, ValueError):  # no interpreter to start: infer says so
            self._process = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except OSError:  # the child has ended before everything was written
                    continue
        process.wait()

    def infer(self, model: bytes, unread: int = 0) -> tuple[bytes | None, str]:
        """Infer the shapes of one model.

        Args:
            model: the small ModelProto's bytes.
            unread: how many of them inference only moves: they give it no time.

        Returns:
            the model with shapes, or None and the error.
        """
        process = self._process
        if process is None:
            return None, "it could not be started"
        most = min(_ANSWER + _ANSWER_EACH_BYTE * len(model), _ANSWER_AT_MOST)
        seconds = _child.seconds(len(model) - unread)
        model = _child.SECONDS.pack(seconds) + model  # of the same name, so that only one copy is held
        answer, code, late = answer_of(process, _PATIENCE * seconds, most, model)
        if late:
            return None, "it took too long"
        if len(answer) > most:
            return None, "its answer is too long"
        if code == 0 and answer[:1] == b"+":
            return answer[1:], ""
        if answer[:1] == b"-":
            first = answer[1:].decode("utf-8", "replace").strip().partition("\n")[0]
            return None, first[:200]
        return None, "it crashed or took too long"
