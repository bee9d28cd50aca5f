"""Runs the user's script again, confined and limited, and notes what its expressions were."""

from __future__ import annotations

import ast
import contextlib
import ctypes
import functools
import linecache
import os
import sys
import threading
import time
import types
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from shapeinspect.plugin_api.isolation.confined import ConfinedError, confined
from shapeinspect.plugin_api.programs.copies import in_thread
from shapeinspect.plugin_api.programs.instruments import Wrapping
from shapeinspect.plugin_api.programs.program import enter_mirror
from shapeinspect.plugin_api.user_code.frames import traceback_frames
from shapeinspect_keras.debug.script.hurry import one_epoch
from shapeinspect_keras.debug.script.program import Program
from shapeinspect_keras.tracing.guard import restored

#: What the functions that note a value and a passed statement are called in the code that is run.
_NOTE = "__shapeinspect_note__"
_PASS = "__shapeinspect_pass__"
#: The distinct values that are kept of one expression.
_KEPT = 6
#: The packages of arrays, and the length from which a list is taken for data and not for its arrays.
_ARRAYS, _LONG, _KEYS = frozenset({"numpy", "tensorflow", "keras", "pandas"}), 100_000, 200
#: Seconds of waiting that count as one second of work, on a machine that does something else.
_PATIENCE = 25.0


class _TimeUpError(BaseException):
    """The run took too long."""


@dataclass(slots=True)
class Seen:
    """What the expressions of a script were in one run.

    Args:
        values: of each expression the lengths, numbers or flags that it has been, the latest last.
        when: of each expression how many had been computed when it last was.
        count: how many expressions were computed.
        layers: of each expression the latest layer or model that it has been.
    """

    values: dict[int, list[Any]] = field(default_factory=dict)
    when: dict[int, int] = field(default_factory=dict)
    count: int = 0
    layers: dict[int, Any] = field(default_factory=dict)

    def note(self, number: int, value: Any) -> Any:
        """Note the value of an expression, and return it.

        Args:
            number: the number of the expression.
            value: its value.
        """
        self.count += 1
        self.when[number] = self.count
        told = _told(value)
        if told is not None:
            known = self.values.setdefault(number, [])
            if told in known:
                known.remove(told)
            known.append(told)
            del known[:-_KEPT]
        elif _is_layer(value):
            self.layers[number] = value
        return value


@dataclass(frozen=True, slots=True)
class Shaped:
    """An array: its lengths, None for an open one.

    Args:
        shape: its lengths.
        kind: whose it is: ``numpy``, ``tensorflow`` or ``keras``.
        dtype: the type of its numbers.
    """

    shape: tuple[int | None, ...]
    kind: str
    dtype: str = ""


@dataclass(frozen=True, slots=True)
class Nested:
    """A list or tuple of arrays, or of such lists.

    Args:
        shape: how many they are, and the lengths of the first one.
        items: the shapes of all of them, where they are a few arrays.
    """

    shape: tuple[int | None, ...]
    items: tuple[tuple[int | None, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """A dictionary of names.

    Args:
        numbers: its whole numbers, by their names.
    """

    numbers: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Elements:
    """A data set of TensorFlow's.

    Args:
        shape: that of the inputs which it gives at a time, None for an open length.
    """

    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Args:
        error: the exception that ended it; None for none.
        lines: the lines of the script that were running then, the outermost first.
        passed: how often the statement that had failed ran to its end.
        seen: the values of the expressions.
        rest: why the rest of the script was not run, as a clause; empty where it was.
        shortened: whether a training of several epochs was cut to one.
    """

    error: BaseException | None
    lines: tuple[int, ...]
    passed: int
    seen: Seen
    rest: str = ""
    shortened: bool = False

    @property
    def ended(self) -> bool:
        """Whether the statement that had failed passes, and nothing fails behind it."""
        return self.error is None and (not self.rest or self.passed > 0)


def run(program: Program, failed: int, seconds: float, eager: bool, noting: bool | None = None) -> Outcome:
    """Run a script to its end, or until it fails or its time is up.

    TensorFlow runs in no copy of a process, so that it runs in a thread that cannot write files.

    Args:
        program: the script.
        failed: the line of the module's own code on which it failed the first time.
        seconds: how long it may take.
        eager: whether TensorFlow runs functions of the user's directly instead of as graphs.
        noting: whether the values of the expressions are noted; None for where it runs directly.

    Raises:
        OSError: if this system cannot take the right to write from a thread.
    """
    return in_thread(
        lambda: _run(program, failed, seconds, eager, eager if noting is None else noting), _interrupt
    )


def _run(program: Program, failed: int, seconds: float, eager: bool, noting: bool) -> Outcome:
    seen, passed = Seen(), [0]
    name = f"{program.file}#"
    source = [f"{line}\n" for line in program.text.split("\n")]
    linecache.cache[name] = (len(program.text), None, source, name)
    tree = _marked(program, failed)
    if noting:
        tree = Wrapping(_noted, callees=True).visit(tree)
    code = compile(ast.fix_missing_locations(tree), name, "exec", dont_inherit=True)
    module = types.ModuleType("__main__")
    module.__dict__.update({"__file__": program.file, _NOTE: _plain(seen.note)})
    module.__dict__[_PASS] = _plain(functools.partial(_count, passed))
    error: BaseException | None = None
    lines: tuple[int, ...] = ()
    rest, cut = "", [False]
    try:
        with _world(module, eager, cut), _limit(seconds):
            _own_folder(module)
            exec(code, module.__dict__)  # noqa: S102  # the user's own script
    except ConfinedError as problem:
        rest = problem.reason
    except _TimeUpError:
        rest = "it takes too long"
    except SystemExit as problem:
        error = None if problem.code in (None, 0) else problem
    except Exception as problem:  # noqa: BLE001  # whatever the script raises
        own = next((item for item in _chain(problem) if isinstance(item, ConfinedError)), None)
        error = None if own is not None else problem
        rest = "" if own is None else own.reason
        frames = traceback_frames(problem.__traceback__)
        lines = tuple(line for frame, line in frames if frame.f_code.co_filename == name)
    return Outcome(error, lines, passed[0], seen, rest, cut[0])


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(12):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _count(passed: list[int]) -> None:
    passed[0] += 1


def _is_layer(value: Any) -> bool:
    import keras

    return isinstance(value, keras.Layer)


def _told(value: Any) -> Any:
    """Return what is kept of a value: a number, a flag, a shape, or None for nothing."""
    if isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return value if len(value) <= 40 else None
    if isinstance(value, tuple | list) and 0 < len(value) <= 8:
        items = tuple(value)
        if all(item is None or type(item) is int for item in items):
            return items
    if type(value) in (tuple, list, deque) and value:
        first = _told(value[0]) if len(value) < _LONG else None
        if not isinstance(first, Shaped | Nested):
            return None
        told = [_told(item) for item in value] if len(value) <= _KEPT else []
        items = tuple(item.shape for item in told if isinstance(item, Shaped))
        return Nested((len(value), *first.shape), items if len(items) == len(value) else ())
    if type(value) is dict and len(value) <= _KEYS and all(isinstance(key, str) for key in value):
        numbers = tuple((key, item) for key, item in value.items() if type(item) is int)
        return Settings(numbers) if numbers else None
    package = type(value).__module__.partition(".")[0]
    if package not in _ARRAYS:
        return None
    if hasattr(value, "element_spec"):
        return _elements(value)
    try:
        shape = tuple(None if length is None else int(length) for length in value.shape)
        if package == "numpy" and not shape and "int" in str(value.dtype):
            return int(value)
        return Shaped(shape, package, str(getattr(value, "dtype", "")))
    except Exception:  # noqa: BLE001  # a shape of unknown rank, or a property of the user's
        return None


def _elements(data: Any) -> Elements | None:
    """Return what a data set gives at a time, where its inputs are one array."""
    given = data.element_spec
    first = given[0] if isinstance(given, tuple) and given else given
    shape = getattr(first, "shape", None)
    return None if shape is None or shape.rank is None else Elements(tuple(shape))


def _noted(node: Any) -> ast.expr:
    """Put the noting function around an expression that has a number."""
    known: ast.expr = node
    if not hasattr(node, "number"):
        return known
    noted = ast.Call(ast.Name(_NOTE, ast.Load()), [ast.Constant(node.number), known], [])
    return ast.copy_location(noted, known)


def numbered(program: Program) -> dict[ast.AST, int]:
    """Return the number of each expression of a script, as ``Seen.values`` has it.

    Args:
        program: the script.
    """
    nodes = (node for node in ast.walk(program.tree) if isinstance(node, ast.expr))
    return {node: number for number, node in enumerate(nodes)}


def _marked(program: Program, failed: int) -> ast.Module:
    """Return a fresh tree with numbered expressions, that counts how often the failed statement passes."""
    tree = ast.parse(program.text)
    for number, node in enumerate(item for item in ast.walk(tree) if isinstance(item, ast.expr)):
        node.number = number  # type: ignore[attr-defined]  # read by `_noted`
    body = tree.body
    while True:
        at = next((n for n, item in enumerate(body) if item.lineno <= failed <= (item.end_lineno or 0)), None)
        if at is None:
            return tree
        inner = [
            block
            for key in ("body", "orelse", "finalbody")
            for block in [getattr(body[at], key, None)]
            if isinstance(block, list) and block and block[0].lineno <= failed <= (block[-1].end_lineno or 0)
        ]
        if not inner or isinstance(body[at], ast.FunctionDef | ast.ClassDef):
            break
        body = inner[0]
    mark = ast.Expr(ast.Call(ast.Name(_PASS, ast.Load()), [], []))
    body.insert(at + 1, ast.copy_location(mark, body[at]))
    return tree


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let TensorFlow leave a function as it is."""
    import keras

    if keras.config.backend() != "tensorflow":
        return function
    import tensorflow as tf

    def called(*args: Any) -> Any:
        return function(*args)

    result: Callable[..., Any] = tf.autograph.experimental.do_not_convert(called)
    return result


def _interrupt(thread: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(_TimeUpError))


@contextlib.contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """Raise ``_TimeUpError`` in this thread when its time is up."""
    thread, done = threading.get_ident(), threading.Event()
    worked, waited = time.process_time(), time.monotonic()

    def watch() -> None:
        while not done.wait(0.05):
            work, wait = time.process_time() - worked, time.monotonic() - waited
            if work > seconds or wait > seconds * _PATIENCE:
                _interrupt(thread)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        # What was raised arrives in here at the latest. It is not taken back: to set None marks an exception
        # as waiting that nobody receives, and Python 3.11 then stays at the first function that is traced.
        done.set()
        watcher.join()


@contextlib.contextmanager
def _world(module: types.ModuleType, eager: bool, cut: list[bool]) -> Iterator[None]:
    """Give a script the surroundings that it had, and put back what it changes of them."""
    before = sys.modules.get("__main__"), [*sys.argv], [*sys.path]
    sys.modules["__main__"] = module
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # AutoGraph makes modules
    try:
        with (
            confined(),
            restored(()),
            warnings.catch_warnings(),
            _settings(),
            _tensorflow(eager),
            _short(cut),
            _no_files(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        if before[0] is not None:
            sys.modules["__main__"] = before[0]
        sys.argv[:], sys.path[:] = before[1], before[2]
        sys.dont_write_bytecode = bytecode


#: What Linux calls the folder that threads share.
_FOLDER = 0x200


def _own_folder(module: types.ModuleType) -> None:
    """Let a script write beside itself, into a copy of its folder; where that cannot be, it writes nothing.

    The threads of TensorFlow stay where they are: what they would write is refused by :func:`_no_files`.
    """
    unshare = getattr(ctypes.CDLL(None), "unshare", None)
    if unshare is None or unshare(_FOLDER) != 0:  # the folder of this thread alone
        return
    file = os.path.abspath(str(module.__file__))
    mirrored = enter_mirror(os.path.dirname(file))
    if mirrored:
        module.__file__ = os.path.join(mirrored, os.path.basename(file))


@contextlib.contextmanager
def _settings() -> Iterator[None]:
    """Start with Keras's default settings, and put the present ones back."""
    import keras

    names = ("floatx", "epsilon", "image_data_format")
    before = {name: getattr(keras.config, name)() for name in names}
    policy, custom = keras.config.dtype_policy(), dict(keras.saving.get_custom_objects())
    filtered = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()  # the frames of Keras tell the layer
    try:
        yield
    finally:
        for name, value in before.items():
            getattr(keras.config, f"set_{name}")(value)
        keras.config.set_dtype_policy(policy)
        if filtered:
            keras.config.enable_traceback_filtering()
        known = keras.saving.get_custom_objects()
        known.clear()
        known.update(custom)


@contextlib.contextmanager
def _tensorflow(eager: bool) -> Iterator[None]:
    import keras

    if keras.config.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    before, random = tf.config.functions_run_eagerly(), tf.random.get_global_generator()
    try:
        if eager:
            tf.config.run_functions_eagerly(True)
        yield
    finally:
        tf.config.run_functions_eagerly(before)
        tf.random.set_global_generator(random)


@contextlib.contextmanager
def _short(cut: list[bool]) -> Iterator[None]:
    """Let a training take one epoch, without the callbacks that write files."""
    import keras

    end = one_epoch(keras, lambda: cut.__setitem__(0, True))
    try:
        yield
    finally:
        end()


#: Functions that write files in C, which Python does not report.
_WRITERS = (
    ("tensorflow", "saved_model.save"), ("tensorflow", "train.Checkpoint.save"),
    ("tensorflow", "train.Checkpoint.write"),
    ("tensorflow", "summary.create_file_writer"), ("tensorflow", "io.TFRecordWriter"),
    ("tensorflow", "io.gfile.makedirs"), ("tensorflow", "io.gfile.mkdir"),
    ("keras", "Model.export"),
)  # fmt: skip


#: The one of them that writes what it is given, as it is.
_WRITES_BYTES = ("tensorflow", "io.write_file")


@contextlib.contextmanager
def _no_files() -> Iterator[None]:
    """Refuse what writes files where Python does not report it."""

    def refused(*args: Any, **kwargs: Any) -> Any:
        del args, kwargs
        raise ConfinedError("it writes a file")

    def write(filename: Any, contents: Any, name: Any = None) -> None:
        """Write as Python does, in this thread, of which the system knows where it may write."""
        del name
        path, raw = (item.numpy() if hasattr(item, "numpy") else item for item in (filename, contents))
        if not isinstance(path, str | bytes) or not isinstance(raw, str | bytes):
            refused()  # in a graph they are no values
        with open(path, "wb") as file:
            file.write(raw.encode() if isinstance(raw, str) else raw)

    kept = []
    for package, path in (*_WRITERS, _WRITES_BYTES):
        owner: Any = sys.modules.get(package)
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part, None)
        if owner is not None and hasattr(owner, name):
            kept.append((owner, name, vars(owner).get(name), name in vars(owner)))
    try:
        for owner, name, _, _ in kept:
            setattr(owner, name, write if name == _WRITES_BYTES[1].partition(".")[2] else refused)
        yield
    finally:
        for owner, name, value, own in reversed(kept):
            setattr(owner, name, value) if own else delattr(owner, name)
