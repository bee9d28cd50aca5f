"""Runs texts as scripts, each in a process of its own that is forked with the frameworks already imported.

A fresh interpreter would spend most of its time on imports. A child's standard output and error go to files,
its time is limited, and what it found lies in a file that the parent reads when it has ended.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import pkgutil
import shutil
import signal
import sys
import tempfile
import time
import traceback
import types
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

#: Seconds on the processor, and on the clock.
CPU_LIMIT, CLOCK_LIMIT = 120, 240
#: What is written down as the error of a child that ended before it could tell.
ENDED = "Ended"


def prepare(framework: str) -> None:
    """Import what the children of this process need, and start no thread that a fork would lose."""
    os.environ.update(
        TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1",
        PYTHONDONTWRITEBYTECODE="1", COLUMNS="80", TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1",
    )  # fmt: skip
    if framework in ("torch", "onnx"):
        import torch
        import torch._dynamo  # every optimizer imports it
        import torch._meta_registrations  # every run without numbers does
        import torch.optim  # imported for the children
        import torch.utils.data  # imported for the children

        torch.set_num_threads(1)
    if framework == "keras":
        import keras  # noqa: F401  # imported for the children
    if framework == "onnx":
        import onnx  # noqa: F401  # imported for the children
        import onnxruntime  # noqa: F401  # imported for the children
    for package in ("shapeinspect", f"shapeinspect_{framework}"):
        found = importlib.import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


class Job:
    """One run of a text.

    Args:
        text: the script.
        name: its name, without the ending.
        debug: whether it is run by ``python -m shapeinspect``.
        settings: layers that are built again with another argument before the model is called:
            path, name, value.
    """

    def __init__(
        self, text: str, name: str, debug: bool = False, settings: Sequence[tuple[str, str, Any]] = ()
    ) -> None:
        self.text, self.name, self.debug, self.settings = text, name, debug, tuple(settings)
        self.folder = ""
        self.began = 0.0

    def start(self) -> int:
        """Fork the child, and return its process."""
        self.folder, self.began = tempfile.mkdtemp(prefix="mutant-"), time.monotonic()
        sys.stdout.flush()
        child = os.fork()
        if child:
            return child
        code = 1
        try:
            code = self._child()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException:  # noqa: BLE001  # as the interpreter would print it
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        return 0

    def _child(self) -> int:
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT, CPU_LIMIT))
        os.chdir(self.folder)
        for stream, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
        script = os.path.join(self.folder, f"{self.name}.py")
        with open(script, "w") as file:
            file.write(self.text)
        if self.debug:
            import runpy

            # As python -m does: the words start with the module's own file, and the folder comes first.
            sys.argv = ["-m", script]
            sys.path.insert(0, self.folder)
            runpy.run_module("shapeinspect", run_name="__main__", alter_sys=True)
            return 0
        found = observed(self.text, script, self.settings)
        with open("found.json", "w") as out:
            json.dump(found, out)
        return int(found["error"] is not None)

    def result(self, status: int) -> dict[str, Any]:
        """What the child left, once it has ended."""
        folder = Path(self.folder)
        result: dict[str, Any] = {
            "code": os.waitstatus_to_exitcode(status),
            "seconds": round(time.monotonic() - self.began, 1),
            "error": None if self.debug else ENDED, "stack": [],
        }  # fmt: skip
        for stream in ("stdout", "stderr"):
            path = folder / stream
            result[stream] = path.read_text(errors="replace") if path.exists() else ""
        found = folder / "found.json"
        if found.exists():
            result |= json.loads(found.read_text())
        shutil.rmtree(folder, ignore_errors=True)
        return result


Task = Generator[Job, dict[str, Any], Any]


def run(tasks: Iterator[Task | None], at_once: int = 1) -> Iterator[Any]:
    """Carry out tasks, so many at a time, and yield what each returns.

    Args:
        tasks: each yields jobs one after the other, and is sent what they left; taken one by one, as places
            get free. Where the next is None, it waits until one has ended.
        at_once: how many tasks there are at a time, each with one child.
    """
    running: dict[int, tuple[Job, Task]] = {}

    def go_on(task: Task, left: dict[str, Any] | None) -> list[Any]:
        try:
            job = next(task) if left is None else task.send(left)
        except StopIteration as end:
            return [end.value]
        running[job.start()] = (job, task)
        return []

    while True:
        while len(running) < at_once and (task := next(tasks, None)) is not None:
            yield from go_on(task, None)
        if not running:
            return
        for process in list(running):
            done, status = os.waitpid(process, os.WNOHANG)
            if done:
                job, task = running.pop(process)
                yield from go_on(task, job.result(status))
            elif time.monotonic() - running[process][0].began > CLOCK_LIMIT:
                os.kill(process, signal.SIGKILL)
        time.sleep(0.01)


def one(text: str, name: str, debug: bool = False) -> dict[str, Any]:
    """Run one text and return what it left."""

    def task() -> Task:
        left = yield Job(text, name, debug)
        return left

    found: dict[str, Any] = next(run(iter([task()])))
    return found


def observed(text: str, script: str, settings: Sequence[tuple[str, str, Any]] = ()) -> dict[str, Any]:
    """Run a script in this process: its error, where it was, the layers, and the lines that made them."""
    made: dict[int, tuple[Any, ...]] = {}
    for framework, module, cls in (("torch", "torch.nn", "Module"), ("keras", "keras.layers", "Layer")):
        if framework in sys.modules:
            _watch(getattr(sys.modules[module], cls), framework, script, made)
    if settings:
        _set_when_called(settings, made)
    sys.argv = [script]
    main = types.ModuleType("__main__")
    main.__file__ = script
    sys.modules["__main__"] = main
    found: dict[str, Any] = {
        "error": None,
        "stack": [],
        "forwards": [],
        "paths": {},
        "inside": [],
        "raised": "",
    }
    try:
        exec(compile(text, script, "exec"), main.__dict__)  # a script of this folder's
    except BaseException as error:  # noqa: BLE001  # whatever it is, it is written down
        traceback.print_exc()
        found["error"] = type(error).__name__
        found["message"] = str(error)[:2000]
        _place(error, script, main, made, found)
    return found


def _watch(cls: Any, kind: str, script: str, made: dict[int, tuple[Any, ...]]) -> None:
    before = cls.__init__

    def line_of(frame: Any, layer: Any) -> int | None:
        while frame is not None:
            own = frame.f_code.co_name == "__init__" and any(
                v is layer for v in [*frame.f_locals.values()][:1]
            )
            if frame.f_code.co_filename == script and not own:
                return int(frame.f_lineno)
            frame = frame.f_back
        return None

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if id(self) not in made or made[id(self)][1] is not self:
            made[id(self)] = (kind, self, line_of(sys._getframe(1), self), _arguments(self, sys._getframe(1)))
        before(self, *args, **kwargs)

    cls.__init__ = init


def _arguments(layer: Any, frame: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What the constructor of a layer was called with: its own ``__init__`` is still on the stack."""
    import inspect

    own = getattr(type(layer).__init__, "__code__", None)
    while frame is not None and frame.f_code is not own:
        frame = frame.f_back
    given: tuple[Any, ...] = ()
    named: dict[str, Any] = {}
    if frame is None:
        return given, named
    for parameter in list(inspect.signature(type(layer).__init__).parameters.values())[1:]:
        value = frame.f_locals.get(parameter.name)
        if parameter.kind is parameter.VAR_POSITIONAL:
            given += tuple(value or ())
        elif parameter.kind is parameter.VAR_KEYWORD:
            named |= value or {}
        else:
            named[parameter.name] = value
    return given, named


def _set_when_called(settings: Sequence[tuple[str, str, Any]], made: dict[int, tuple[Any, ...]]) -> None:
    """Build layers of torch again, with another argument, before the first call of the model with them."""
    module = sys.modules["torch"].nn.Module
    before, open_ones, depth = module.__call__, list(settings), 0

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal depth
        layers = dict(self.named_modules()) if open_ones and not depth else {}
        for path, name, value in [s for s in open_ones if s[0] in layers and s[0]]:
            open_ones.remove((path, name, value))
            layer = dict(self.named_modules())[path]
            given, named = made[id(layer)][3]
            parent = self.get_submodule(path.rpartition(".")[0])
            if hasattr(layer, "weight_ih_l0"):  # recurrent layers take *args, the sizes first
                named |= dict(zip(("input_size", "hidden_size", "num_layers"), given, strict=False))
                named.pop("mode", None)
                given = ()
            new = type(layer)(*given, **{**named, name: value})
            new.train(layer.training)
            parent._modules[path.rpartition(".")[2]] = new
        depth += 1
        try:
            return before(self, *args, **kwargs)
        finally:
            depth -= 1

    module.__call__ = call


def _place(error: BaseException, script: str, main: Any, made: dict[int, Any], found: dict[str, Any]) -> None:
    """Write down the script's frames, the layers that the error went through, and where each was made."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    lines = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    found["stack"] = [[line, f.f_code.co_name] for f, line in lines if f.f_code.co_filename == script]
    found["raised"] = frames[-1].f_code.co_filename if frames else ""
    own = [f for f in frames if f.f_code.co_filename == script]
    found["forwards"] = [f.f_code.co_firstlineno for f in own if f.f_code.co_name in ("forward", "call")]
    roots = list(main.__dict__.values()) + [v for f in own for v in f.f_locals.values()]
    for value in list(roots):
        if type(value).__module__ == "__main__":
            roots += list(getattr(value, "__dict__", {}).values())
    names: dict[int, str] = {}
    if "torch" in sys.modules:
        for root in roots:
            if isinstance(root, sys.modules["torch"].nn.Module):
                for name, module in root.named_modules():
                    names.setdefault(id(module), name)
                    if id(module) in made:
                        found["paths"].setdefault(name, (made[id(module)][2], type(module).__name__))
    for kind, layer, line, _ in made.values():
        if kind == "keras" and getattr(layer, "name", None):
            names.setdefault(id(layer), layer.name)
            found["paths"].setdefault(layer.name, (line, type(layer).__name__))
    for frame in frames:
        layer = frame.f_locals.get("self")
        if id(layer) in names and names[id(layer)] not in found["inside"]:
            found["inside"].append(names[id(layer)])


def statement_lines(text: str, line: int) -> tuple[int, int]:
    """The first and the last line of the innermost statement that covers a line, without its body."""
    best = (line, line)
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.stmt) or not node.lineno <= line <= (node.end_lineno or 0):
            continue
        body = getattr(node, "body", None)
        last = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno or node.lineno
        if node.lineno <= line <= max(last, node.lineno) and node.lineno >= best[0] - 200:
            best = (node.lineno, max(last, node.lineno))
    return best
