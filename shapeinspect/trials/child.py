"""One trial: a forked process that runs a changed script in a mirror of its folder."""

from __future__ import annotations

import ast
import builtins
import functools
import json
import os
import sys
import threading
import time
import traceback
import types
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from typing import Any

from shapeinspect import registry
from shapeinspect.binary.child_limits import end_children_with_this_process
from shapeinspect.plugin_api.isolation import landlock
from shapeinspect.plugin_api.isolation.confined import REFUSED, ConfinedError
from shapeinspect.plugin_api.isolation.inheritance import detach
from shapeinspect.plugin_api.isolation.limits import limit
from shapeinspect.plugin_api.isolation.mirror import beside, mirror
from shapeinspect.plugin_api.isolation.system_calls import refuse
from shapeinspect.plugin_api.isolation.turns import Watch, waited
from shapeinspect.trials.coincidences import of_sizes
from shapeinspect.trials.marks import NAME, Running, is_empty, marked

#: Devices that a script may write to, where they are there.
_DEVICES = tuple(f"/dev/{name}" for name in ("null", "shm", "nvidia0", "nvidiactl", "nvidia-uvm"))
#: What a trial may do, since its processes end with it and its environment is its own.
_ALLOWED = frozenset({"os.fork", "os.putenv", "os.unsetenv"})
_PROCESSES = frozenset({"os.exec", "os.posix_spawn", "os.spawn", "os.system"})
_MESSAGE = 4000
#: A trial that has nothing to do ends after so many times its limit, one that gets no processor after these.
_WAIT, _TURNLESS = 10.0, 25.0


def run(order: dict[str, Any], result: int) -> None:
    """Run a trial in this process, which ends with it.

    Args:
        order: ``script``, ``folder``, ``cwd`` and ``place`` (paths: the script in the folder, the folder that
            is mirrored, the folder in it to start in, a new folder for the trial), ``argv``, ``changed``
            (texts by path in the folder), ``since`` (seconds since 1970), ``limit`` (seconds of processor
            time), ``beyond`` (those that it may take once the failing statement has run), ``memory`` (bytes),
            ``beside`` (whether what stands beside the folder is seen), ``running`` (the places whose
            statements have to run to their end, as :class:`Running` takes them), ``hurried`` (whether the
            frameworks leave out what only takes time).
        result: the descriptor that the result is written to, as JSON.
    """
    ended: dict[str, Any] = {"status": "refused", "message": "", "frames": [], "warned": []}
    refused: list[str] = []
    running = [Running(**place) for place in order["running"]]
    passed: set[int] = set()
    inner = {number for number, place in enumerate(running) if place.inner}
    lock, begin = threading.Lock(), time.monotonic()

    def tell() -> None:
        with lock:
            every = ended["status"] == "passed"  # what goes on may still be in the statements further out
            ended["passed"] = ({*range(len(running))} if every else inner) <= passed
            ended["refused"] = [*dict.fromkeys(refused)]
            ended["seconds"] = _used()
            ended["waited"] = waited(os.getpid(), time.monotonic() - begin)
            with suppress(OSError):
                os.write(result, json.dumps(ended).encode())
            os._exit(0)

    try:
        root = _mirrored(order)
        detach([result])
        _leave(order, root)
        _confine(order, refused)
    except OSError as problem:
        ended["message"] = str(problem)
        tell()

    def stop() -> None:
        _wait_until_its_time_is_up(order["limit"], begin, lambda: inner <= passed, order["beyond"])
        frame = sys._current_frames().get(threading.main_thread().ident or 0)
        ended.update(status="running", frames=_places(traceback.walk_stack(frame), root)[::-1])
        tell()

    threading.Thread(target=stop, daemon=True).start()
    _keep_warnings(ended["warned"])
    if order["hurried"]:
        _hurry()
    try:
        _execute(os.path.join(root, order["script"]), root, running, passed)
        ended["status"] = "passed"
    except SystemExit as end:
        ended["status"] = "failed" if end.code else "passed"
    except BaseException as error:  # noqa: BLE001  # whatever ends the script is its result
        chain: BaseException | None = error
        while chain is not None and not isinstance(chain, ConfinedError):
            chain = chain.__cause__ or chain.__context__
        frames = _places(traceback.walk_tb(error.__traceback__), root)
        ended.update(
            status="refused" if chain is not None else "failed",
            type=type(error).__name__,
            message=str(error)[:_MESSAGE],
            frames=frames,
        )
    tell()


def _wait_until_its_time_is_up(limit: float, begin: float, ran: Callable[[], bool], beyond: float) -> None:
    """Wait until this process has worked for so many seconds, or waits for what never comes.

    Args:
        limit: the seconds that it may work.
        begin: when it began, by the monotonic clock.
        ran: tells whether the failing statement has run to its end.
        beyond: the seconds that it may work from then on.
    """
    used, own = _used(), (threading.get_native_id(),)
    watch, last = Watch(os.getpid(), own), used + limit
    known = False
    while _used() < last and not watch.is_idle():
        time.sleep(0.05)
        if not known and ran():
            known, last = True, min(last, _used() + beyond)
        gone = time.monotonic() - begin
        if gone > _TURNLESS * limit:
            return
        if gone > _WAIT * limit and waited(os.getpid(), gone, own) > _WAIT * limit:
            return


def _keep_warnings(texts: list[str]) -> None:
    """Keep the texts of warnings about sizes, those that the script does not want to see among them."""

    def keep(text: object) -> None:
        said = str(text)[:_MESSAGE]
        if of_sizes(said) and said not in texts:
            texts.append(said)

    warn = warnings.warn

    @functools.wraps(warn)
    def kept(message: Any, category: Any = None, stacklevel: int = 1, *more: Any, **named: Any) -> None:
        keep(message)
        warn(message, category, stacklevel + 1, *more, **named)

    def shown(message: object, *_: object, **__: object) -> None:  # those of compiled code come this way
        keep(message)

    warnings.warn = kept
    warnings.showwarning = shown


def _mirrored(order: dict[str, Any]) -> str:
    """Mirror the folder with what is changed in it, and return the mirror's path."""
    around = os.path.join(order["place"], "files")
    root = os.path.join(around, os.path.basename(order["folder"]) or "root")
    beside(order["folder"], around) if order["beside"] else os.mkdir(around)
    entered = (os.path.dirname(order["script"]), order["cwd"])
    mirror(order["folder"], root, order["changed"], order["since"], entered)
    return root


def _hurry() -> None:
    for debugger in registry.debuggers():
        with suppress(Exception):  # without it the trial takes its time
            debugger.hurry()


def _used() -> float:
    """Return the seconds of processor time that this process and its children have taken."""
    return sum(os.times()[:4])


def _leave(order: dict[str, Any], root: str) -> None:
    """Take the script's place: its folder, arguments, paths and temporary files."""
    import tempfile

    temporary = os.path.join(order["place"], "tmp")
    os.mkdir(temporary)
    script = os.path.join(root, order["script"])
    sys.argv = [script, *order["argv"]]
    sys.path[0] = os.path.dirname(script)
    os.chdir(os.path.join(root, order["cwd"]))
    os.environ["TMPDIR"] = temporary
    tempfile.tempdir = temporary
    sys.stdin, sys.stdout, sys.stderr = (open(os.devnull, mode) for mode in ("r", "w", "w"))  # noqa: SIM115  # they stay open
    sys.dont_write_bytecode = True


def _confine(order: dict[str, Any], refused: list[str]) -> None:
    place = order["place"]
    end_children_with_this_process()
    limit(2 * order["limit"] + 2, order["memory"])
    landlock.restrict([place, *_DEVICES])
    refuse()
    inside = place + os.sep

    def audit(event: str, given: tuple[Any, ...]) -> None:
        if event not in REFUSED or event in _ALLOWED or (event == "os.kill" and _is_own(given[0])):
            return
        if event == "socket.connect" and isinstance(given[1], str | bytes):
            path = os.path.abspath(os.fsdecode(given[1]))
        elif (
            event not in _PROCESSES
            and event.startswith(("os.", "shutil."))
            and isinstance(given[0], str | bytes)
        ):
            path = os.path.abspath(os.fsdecode(given[0]))
        else:
            path = ""
        if not path.startswith(inside):
            refused.append(REFUSED[event])
            raise ConfinedError(REFUSED[event])

    sys.addaudithook(audit)


def _is_own(process: int) -> bool:
    """Tell whether a process is one that the trial has started."""
    with suppress(OSError):
        return process == 0 or (process > 0 and os.getpgid(process) == os.getpgid(0))
    return True  # there is none


def _execute(script: str, root: str, running: Sequence[Running], passed: set[int]) -> None:
    def reached(number: int, value: object = None) -> object:
        if number in passed:
            return value
        names = sys._getframe(1).f_locals
        empty = running[number].empty
        if not is_empty(value) and not any(is_empty(one) for name, one in names.items() if name not in empty):
            passed.add(number)
        return value

    def compiled(_: object, data: Any, path: Any, **options: Any) -> types.CodeType:
        places = [each for each in enumerate(running) if os.path.join(root, each[1].file) == os.fspath(path)]
        tree = ast.parse(data, path)
        return compile(marked(tree, places) if places else tree, path, "exec", dont_inherit=True)

    setattr(builtins, NAME, reached)
    SourceFileLoader.source_to_code = compiled  # type: ignore[method-assign, assignment]  # till this process ends
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=script, __cached__=None, __builtins__=builtins)
    sys.modules["__main__"] = main
    with open(script, "rb") as file:
        code = compiled(None, file.read(), script)
    exec(code, main.__dict__)  # noqa: S102  # the user's own script, which the user has just run


def _places(frames: Any, root: str) -> list[tuple[str, int]]:
    """Return the file in the mirror and the line of each frame of the user's, the outermost first."""
    inside = root + os.sep
    return [
        (frame.f_code.co_filename[len(inside) :], line)
        for frame, line in frames
        if frame.f_code.co_filename.startswith(inside)
    ]
