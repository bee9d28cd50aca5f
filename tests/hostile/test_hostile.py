"""Every hostile file is read or refused as its table says, and does nothing else, in no form of the output.

``python tests/hostile/make_pickles.py FOLDER`` writes the files of one table for other tools.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import pickle
import pickletools
import re
import subprocess
import sys
import sysconfig
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from .conftest import EVERY, SCRIPTS, cases

UNPRINTABLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]"
)
LENET = Path(__file__).parents[1] / "data" / "lenet.onnx"


def printable(text: str) -> None:
    found = UNPRINTABLE.search(text)
    assert found is None, f"the output holds {found.group()!r}"


def exact(text: str) -> None:
    """JSON keeps every name, and spells what is not ASCII as escapes."""
    json.loads(text, parse_constant=pytest.fail)


def inert(text: str) -> None:
    """Markdown of no element and no link that a name has brought along: what is escaped makes none."""
    plain = re.sub(r"\\[!-/:-@\[-`{-~]", "", text)
    assert not re.search(r"<[a-zA-Z/!]|\]\(", plain)


class Page(HTMLParser):
    """What a page is made of: its elements, their attributes, and the code that it runs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.code: list[str] = []
        self.data: list[str] = []
        self.policy = ""
        self._into: list[str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = {name: value or "" for name, value in attrs}
        self.attributes += found.items()
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"]
        if tag == "script":
            blocks = {"application/json": self.data, "text/plain": []}  # which no browser runs
            self._into = blocks.get(found.get("type", ""), self.code)
            self._into.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into[-1] += data


def page(text: str) -> None:
    """HTML of which the browser runs what its policy names alone, and fetches nothing."""
    made = Page(text)
    assert not made.tags & {"img", "iframe", "object", "embed", "base", "link", "form", "video", "audio"}
    assert not [name for name, _ in made.attributes if name.startswith("on")]
    assert not [value for name, value in made.attributes if name in ("href", "src") and value[:1] != "#"]
    rules = dict(rule.strip().split(" ", 1) for rule in made.policy.split(";") if rule.strip())
    assert (rules["default-src"], rules["base-uri"], rules["form-action"]) == ("'none'",) * 3
    sums = [base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for code in made.code]
    assert rules["script-src"].split() == [f"'sha256-{found}'" for found in sums]
    assert len(made.code) == 1
    for told in made.data:
        json.loads(told)


def formulas(text: str) -> None:
    """CSV in which a spreadsheet finds nothing to work out."""
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and not number(cell)]


def drawn(text: str) -> None:
    """SVG of nothing that runs, and nothing that is fetched."""
    for element in ElementTree.fromstring(text).iter():
        assert element.tag.startswith("{http://www.w3.org/2000/svg}"), element.tag
        assert element.tag.partition("}")[2] not in ("script", "foreignObject", "image", "use", "a")
        assert not [name for name in element.attrib if name.lower().startswith("on") or "href" in name]


def number(cell: str) -> bool:
    return re.fullmatch(r"-?\d+(?:\.\d+)?", cell) is not None


#: The bytes that a process may hold beyond what it begins with; a child begins with less than the rest.
HELD, CHILDREN = 512 << 20, 600 << 20

#: What holds for each form of the output, beyond that it is printable.
FORMS: dict[str, Callable[[str], None]] = {
    "table": printable, "json": exact, "markdown": inert, "html": page, "csv": formulas, "svg": drawn,
}  # fmt: skip


@pytest.fixture(scope="module")
def formats() -> tuple[str, ...]:
    """Every form of the output that the command offers, as it says itself."""
    words = [sys.executable, "-m", "shapeinspect", "show", str(LENET), "--format", "none of them"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    offered = re.search(r"expected +one of: (.*)", done.stderr)
    assert offered, done.stderr
    found = tuple(offered[1].split(", "))
    assert set(found) <= set(FORMS), "every form has its check"
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty directory, beside which lies what nothing may open: whoever does waits for ever."""
    made = tmp_path / "given"
    made.mkdir()
    os.mkfifo(made.with_name("given.outside"))
    return made


@contextmanager
def served(case: Any, home: Path) -> Iterator[str]:
    """The address of the file: its path, or its URL while a server runs."""
    if case.server is None:
        yield os.path.normpath(home / case.show)
        return
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), lambda *words: case.server(*words, directory=str(home)))
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_address[1]}/{case.show}"
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def listed(text: str) -> dict[str, tuple]:
    """The weights of a report in JSON."""
    layers = json.loads(text)["layers"]
    return {
        weight["name"]: tuple(weight["native"]["shape"]) for layer in layers for weight in layer["weights"]
    }


def judge(case: Any, form: str, code: int | None, out: str, err: str) -> None:
    """Hold one run against the table."""
    assert "Traceback" not in err
    printable(err)
    printable(out)
    FORMS[form](out) if out else None
    if isinstance(case.must, cases.Refused):
        assert (code, out) == (case.must.code, ""), f"{code}: {out[:300]}{err}"
        assert err.startswith("error: "), err
        assert case.must.reason in " ".join(err.split()), f"not {case.must.reason!r} but {err}"
        assert bool(re.search(r"where +byte \d", err)) or not case.must.at, err
        assert len(err) < 4000
        return
    assert (code, err) == (0, ""), f"{code}: {err}"
    assert not case.must.hides or case.must.hides not in out
    if form == "json":
        assert listed(out) == dict(case.must.weights)
        paths = [layer["path"] for layer in json.loads(out)["layers"]]
        assert len(paths) == len(set(paths))
        notes = [note["text"] for note in json.loads(out)["notes"]]
        assert any(case.must.says in note for note in ["", *notes]), notes


IN_PROCESS = [
    pytest.param(name, marks=pytest.mark.slow) if case.slow else name
    for name, case in EVERY.items()
    if not case.alone
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", IN_PROCESS)
def test_case(name: str, home: Path, shower: Any, within: Any, formats: tuple[str, ...]) -> None:
    case = EVERY[name]
    case.make(home)
    with served(case, home) as address:
        order = {"show": address, "given": [os.path.realpath(home)]}

        def shown(*forms: str) -> Any:
            shower.ask({**order, "formats": forms})
            return shower.answer()

        def again(form: str) -> float:
            return float(shown(form)["runs"][form][3])

        answer = shown(*(case.forms or formats))
        for form, (code, out, err, seconds) in answer["runs"].items():
            judge(case, form, code, out, err)
            assert within(seconds, case.seconds, partial(again, form)), f"{form}: {seconds:.1f} s"
    seen = [event for event in answer["seen"] if case.server is None or not event[0].startswith("socket.")]
    assert seen == []
    assert answer["imported"] == []
    assert answer["held"] < HELD
    assert answer["children"] < CHILDREN
    assert not cases.marker(home).exists()


#: Runs a command in a small process: what it and its children took, apart from what the tests hold.
MEASURE = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
took = resource.getrusage(resource.RUSAGE_CHILDREN)
answer = [done.returncode, done.stdout, done.stderr, took.ru_utime + took.ru_stime, took.ru_maxrss << 10]
print(json.dumps(answer))
"""


def measured(words: list[str], where: Path) -> list[Any]:
    """A command's exit code, what it prints, its processor time, and what its largest process held."""
    begin = [sys.executable, "-I", "-c", MEASURE]
    done = subprocess.run([*begin, *words], capture_output=True, text=True, check=True, cwd=where)
    answer: list[Any] = json.loads(done.stdout)
    return answer


def _seconds(words: list[str], where: Path) -> float:
    return float(measured(words, where)[3])


@pytest.mark.parametrize("name", [name for name, case in EVERY.items() if case.alone])
def test_case_in_its_own_directory(name: str, home: Path, within: Any, formats: tuple[str, ...]) -> None:
    """The command as a person runs it: by its name, in the directory of the file."""
    case = EVERY[name]
    case.make(home)
    command = str(Path(sysconfig.get_path("scripts")) / "shapeinspect")
    for form in formats:
        words = [command, "show", case.show, "--format", form]
        code, out, err, seconds, held = measured(words, home)
        judge(case, form, code, out, err)
        again = partial(_seconds, words, home)
        assert within(seconds, case.seconds, again), f"{form}: {seconds:.1f} s"
        assert held < CHILDREN
    assert not cases.marker(home).exists()


def test_every_row_of_the_attack_table_has_a_case() -> None:
    assert {case.row for case in EVERY.values()} == set(cases.ROWS)


def programs(home: Path) -> Iterator[bytes]:
    """Every pickle in a directory's files."""
    for path in home.rglob("*"):
        if path.is_file() and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield from (archive.read(name) for name in archive.namelist() if name.endswith(".pkl"))
        if path.is_file() and path.read_bytes()[:1] == b"\x80":
            yield path.read_bytes()


def test_every_opcode_of_every_protocol_is_in_a_file(tmp_path: Path) -> None:
    found = set()
    for name, case in EVERY.items():
        if name.startswith("pickles: ") and not name.startswith(("pickles: bomb", "pickles: tree")):
            home = tmp_path / re.sub(r"\W+", "-", name)
            home.mkdir()
            case.make(home)
            for program in programs(home):
                try:
                    found.update(opcode.name for opcode, _, _ in pickletools.genops(program))
                except ValueError:
                    continue  # a malformed one, up to where it is malformed
    assert found == {opcode.name for opcode in pickletools.opcodes}


class Victim(pickle._Unpickler):
    """The standard library's unpickler, for which torch's functions are there and do nothing.

    It is the one written in Python: C's takes 16 GiB for a memo.
    """

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "torch":
            return lambda *_: None
        return super().find_class(module, name)

    def persistent_load(self, pid: object) -> None:
        return None


@pytest.mark.parametrize("name", [name for name, case in EVERY.items() if case.springs])
def test_the_trap_does_spring_in_a_real_unpickler(name: str, home: Path) -> None:
    EVERY[name].make(home)
    assert not cases.marker(home).exists()
    Victim(io.BytesIO(next(programs(home)))).load()
    assert cases.marker(home).exists()


def test_what_is_done_would_be_seen(home: Path, shower: Any) -> None:
    """The watch finds a file that is opened outside what is given."""
    other = home.parent / "other.onnx"
    other.write_bytes(LENET.read_bytes())
    shower.ask({"show": str(other), "given": [os.path.realpath(home)], "formats": ["json"]})
    answer = shower.answer()
    assert answer["runs"]["json"][0] == 0
    assert ["open", os.path.realpath(other)] in answer["seen"]


@pytest.mark.parametrize("text", ["a\x1bb", "a\x9bb", "a\u202eb", "a\rb", "a\u2028b", "a\ud800b", "a\u200bb"])
def test_a_control_character_would_be_seen(text: str) -> None:
    with pytest.raises(AssertionError):
        printable(text)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_writes_its_files_for_other_tools(script: str, tmp_path: Path) -> None:
    words = [sys.executable, str(SCRIPTS[script]), str(tmp_path / "files")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = [name for name in EVERY if name.startswith(f"{script}: ")]
    assert len([path for path in (tmp_path / "files").iterdir() if path.is_dir()]) == len(made)
    assert not list((tmp_path / "files").glob("*.executed"))
