r"""The screens of a page: what stands in its blocks is run, and what was written is put below it.

Three kinds of fenced blocks are steps of a page, run from top to bottom in a folder of the page's own:

- ``console``: each line that begins with ``$`` is a command, run in a terminal of 80 columns. ``exit=1``
  behind ``console`` is the exit code that is expected, ``lines=12`` shows the first 12 lines only,
  ``width=100`` is a wider terminal, and ``quiet`` leaves out what other libraries write to standard error.
- ``pycon``: lines that begin with ``>>>`` or ``...``, run by one Python for the whole page.
- any language with ``title="NAME"``: a file of this name, written before what follows is run.

A command that ends otherwise than expected fails the build.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty, Queue

from terminal import as_html

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
CACHE = DOCS / ".cache"
_WORKER = Path(__file__).with_name("worker.py")

_BLOCK = re.compile(r"^```(?P<head>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_OPTION = re.compile(r"\b(exit|lines|width)=(\d+)\b")
_MADE = re.compile(r"\bmade:([\w.-]+\w)")
_WIDTH = 80


class ScreenError(Exception):
    """A command of a page did not end as the page says."""


@dataclass(frozen=True)
class Step:
    """One step of a page.

    Args:
        kind: ``console``, ``python`` or ``file``.
        text: the command, the examples, or what the file holds.
        name: the file's name.
        exits: the exit codes that are expected.
        lines: how many lines are shown; 0 for all.
        width: how many columns the terminal has.
        quiet: whether standard error is left out.
    """

    kind: str
    text: str
    name: str = ""
    exits: tuple[int, ...] = (0,)
    lines: int = 0
    width: int = _WIDTH
    quiet: bool = False


def steps(text: str) -> list[Step]:
    r"""Return the steps of a page, from top to bottom.

    Args:
        text: the page in Markdown.

    Raises:
        ScreenError: if a block holds what only a command may write.

    Example:
        >>> [step.text for step in steps("```console exit=1\n$ false\n```\n")]
        ['false']
    """
    return [step for block in _BLOCK.finditer(text) for step in _steps(block["head"], block["body"])]


def _steps(head: str, body: str) -> Iterator[Step]:
    language = head.partition(" ")[0]
    title = _TITLE.search(head)
    if title:
        yield Step("file", body, title[1])
    elif language == "pycon" and "static" not in head:
        wrong = [line for line in body.splitlines() if not line.startswith((">>>", "..."))]
        if wrong:
            raise ScreenError(f"the output is written by the build, not by hand: {wrong[0]}")
        yield Step("python", body)
    elif language == "console":
        options = {name: int(number) for name, number in _OPTION.findall(head)}
        exits = (0, 1) if "included" in head else (options.get("exit", 0),)
        for command in _commands(body):
            yield Step(
                "console", command, "", exits, options.get("lines", 0), options.get("width", _WIDTH),
                "quiet" in head.split(),
            )  # fmt: skip


def _commands(body: str) -> Iterator[str]:
    lines = iter(body.splitlines())
    for line in lines:
        if not line.startswith("$ "):
            raise ScreenError(f"the output is written by the build, not by hand: {line}")
        command = line[2:]
        while command.endswith("\\"):
            command += "\n" + next(lines, "")
        yield command


def run_all(texts: Iterable[str]) -> dict[str, list[dict[str, object]]]:
    """Run the steps of pages, two pages at a time; what ran before and cannot have changed is remembered.

    Args:
        texts: the pages in Markdown.

    Returns:
        what each step of a page wrote, by the key of the page's steps.

    Raises:
        ScreenError: if a command ends with another exit code than its block says.
    """
    pages = {key(text): text for text in texts if steps(text)}
    models = _models()
    waiting: Queue[tuple[str, str]] = Queue()
    # The longest first, so that none is left for the end.
    for name, text in sorted(pages.items(), key=lambda item: -len(steps(item[1]))):
        if not _results(name).exists():
            waiting.put((name, text))
    with ThreadPoolExecutor() as pool:
        workers = [
            pool.submit(_work, waiting, models) for _ in range(min(waiting.qsize(), os.cpu_count() or 1))
        ]
    # All that is wrong is said at once.
    wrong = [text for each in workers for text in each.result()]
    if wrong:
        raise ScreenError("\n\n".join(wrong))
    return {name: json.loads(_results(name).read_text("utf-8")) for name in pages}


def _results(name: str) -> Path:
    return CACHE / name / "results.json"


def _work(waiting: Queue[tuple[str, str]], models: Path) -> list[str]:
    """Run pages in one worker until none is waiting; return what went wrong."""
    wrong = []
    with subprocess.Popen(  # noqa: S603  # our own script
        [sys.executable, _WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=_environment(),
    ) as worker:
        with suppress(Empty):
            while True:
                name, text = waiting.get_nowait()
                try:
                    _page(worker, name, text, models)
                except ScreenError as error:
                    wrong.append(str(error))
        worker.communicate()
    return wrong


def key(text: str) -> str:
    """Return a name for the steps of a page as they run with this state of the source.

    Args:
        text: the page in Markdown.
    """
    told = json.dumps([[_run(step) for step in steps(text)], made(text)])
    return hashlib.sha256(f"{_source()}\n{told}".encode()).hexdigest()[:32]


def made(text: str) -> list[str]:
    """Return the files that the steps of a page make, and that it shows: ``made:conv.svg``.

    Args:
        text: the page in Markdown.

    Example:
        >>> made("![A window](made:conv.svg)")
        ['conv.svg']
    """
    return sorted(set(_MADE.findall(text)))


_digests: dict[str, str] = {}


def _source() -> str:
    """Return a digest of all that a screen may depend on."""
    if "source" not in _digests:
        digest = hashlib.sha256(sys.version.encode() + _WORKER.read_bytes())
        folders = ("shapeinspect", "plugins", ".docs/models", "tests/data", "tests/explain")
        for folder in folders:
            for path in sorted((ROOT / folder).rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".md":
                    digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
        _digests["source"] = digest.hexdigest()
    return _digests["source"]


def _models() -> Path:
    """Return the folder of the models that the screens show, written by ``models/make.py``."""
    folder = CACHE / f"models-{_source()[:32]}"
    if not folder.exists():
        shutil.rmtree(CACHE, ignore_errors=True)  # what an older state of the source wrote
        CACHE.mkdir(parents=True)
        partial = Path(tempfile.mkdtemp(dir=CACHE))
        subprocess.run(  # noqa: S603  # our own script
            [sys.executable, DOCS / "models" / "make.py", partial], check=True, env=_environment()
        )
        partial.rename(folder)
    return folder


def _environment() -> dict[str, str]:
    """Return what a command of a page sees: a terminal with colors, and no computing that draws lots."""
    kept = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "CI", "PAGER")}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}",
        "PYTHONPATH": "",
        "PYTHONIOENCODING": "utf-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "FORCE_COLOR": "1",
        "TERM": "xterm-256color",
        "COLUMNS": str(_WIDTH),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_BACKEND": "tensorflow",
        "PYTEST_ADDOPTS": "-W ignore -p no:cacheprovider",
    }


def _page(worker: subprocess.Popen[str], name: str, text: str, models: Path) -> None:
    """Run the steps of one page, and keep what they wrote and made."""
    found = steps(text)
    with tempfile.TemporaryDirectory() as scratch:
        folder, answer = Path(scratch) / "work", Path(scratch) / "results.json"
        shutil.copytree(models, folder)
        (folder / "tests").symlink_to(ROOT / "tests")
        page = {"steps": [_run(step) for step in found], "folder": str(folder), "results": str(answer)}
        assert worker.stdin is not None and worker.stdout is not None  # noqa: S101, PT018  # pipes, as asked for
        worker.stdin.write(json.dumps(page) + "\n")
        worker.stdin.flush()
        worker.stdout.readline()
        if not answer.exists():
            raise ScreenError(f"no answer for the page that begins: {text[:80]}")
        results = json.loads(answer.read_text("utf-8"))
        for step, result in zip(found, results, strict=True):
            if step.kind == "python" and "Traceback (most recent call last)" in result["out"]:
                raise ScreenError(f"an example failed:\n{result['out']}")
            if result["exit"] not in step.exits:
                expected = " or ".join(map(str, step.exits))
                raise ScreenError(
                    f"$ {step.text}\nended with {result['exit']}, not with {expected}:\n{result['out']}"
                )
        _results(name).parent.mkdir(exist_ok=True)
        for file in made(text):
            if not (folder / file).is_file():
                raise ScreenError(f"no command of the page has made {file}")
            shutil.copyfile(folder / file, _results(name).with_name(file))
        _results(name).write_text(json.dumps(results), encoding="utf-8")


def _run(step: Step) -> dict[str, object]:
    """Return a step as the worker takes it."""
    told = asdict(step)
    return {**told, "text": f"{step.text} 2>/dev/null"} if step.quiet else told


def with_screens(text: str, results: list[dict[str, object]], folder: str = "") -> str:
    """Return a page with what its steps wrote.

    Args:
        text: the page in Markdown.
        results: what each step wrote.
        folder: where the site has the files that the steps made, as the page reaches it.
    """
    written = iter({**each, "out": _placeless(str(each["out"]))} for each in results)

    def put(block: re.Match[str]) -> str:
        own = [(step, next(written)) for step in _steps(block["head"], block["body"])]
        if not own or own[0][0].kind == "file":
            return block[0]
        if own[0][0].kind == "python":
            return f"```pycon\n{str(own[0][1]['out']).rstrip()}\n```"
        screens = "\n".join(_screen(step, str(result["out"])) for step, result in own)
        return f'<div class="screen" markdown="0"><pre tabindex="0">{screens}</pre></div>'

    return _MADE.sub(rf"{folder}/\1", _BLOCK.sub(put, text))


#: Folders of the machine that builds: those of packages, of this project and of the page's own.
_PLACES = re.compile(
    rf"[^\s\"']*/(?=site-packages/)|{re.escape(str(ROOT))}/|{re.escape(tempfile.gettempdir())}/\w+/work/"
)


def _placeless(out: str) -> str:
    """Return what a command wrote with paths that hold for any machine."""
    return _PLACES.sub("", out)


def _screen(step: Step, out: str) -> str:
    command = f'<span class="command">{html.escape(step.text, quote=False)}</span>'
    lines = out.rstrip().splitlines()
    if step.lines and len(lines) > step.lines:
        lines = [*lines[: step.lines], "…"]
    # An empty line would end the block for Markdown.
    return "\n".join([command, *(as_html("\n".join(lines)).split("\n") if lines else [])])
