"""For tests: the type of the ``shapes`` fixture, equal outputs, and the contract that every adapter passes.

``Shapes`` is the type of the pytest fixture ``shapes``; annotate a test's argument with it. Its
call returns a ``CheckedReport``, whose layers are ``CheckedLayer`` and whose values are ``Checked``.
``AdapterContract`` is inherited by the tests of an adapter, a third party's like the ones that come with
shapeinspect.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from shapeinspect import layout
from shapeinspect.dims import Expr, Shape, Unknown
from shapeinspect.errors import ShapeInspectError
from shapeinspect.infer import infer
from shapeinspect.ir import Model, Weight
from shapeinspect.layer_names import find, row_label
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.pytest_support import Checked, CheckedCall, CheckedLayer, CheckedReport, Shapes
from shapeinspect.registry import installed
from shapeinspect.render.data import to_dict
from shapeinspect.render.table import View, table
from shapeinspect.render.totals import of_model
from shapeinspect.render.tree import build, fold, shorten
from shapeinspect.rules.registry import unregistered
from shapeinspect.sources.source import Source, from_path

__all__ = [
    "FRAMEWORKS",
    "AdapterContract",
    "Case",
    "Checked",
    "CheckedCall",
    "CheckedLayer",
    "CheckedReport",
    "Shapes",
    "assert_same_outputs",
]

#: None of these may be imported by matching anything, or by reading a file.
FRAMEWORKS = ("torch", "tensorflow", "keras", "jax", "flax")

_PROBE = """
import sys
from shapeinspect.registry import installed
from shapeinspect.sources.source import from_object, from_path
adapter = next(row.adapter for row in installed() if row.name == sys.argv[1])
adapter.match(from_object(object()))
for path in sys.argv[3:]:
    source = from_path(path)
    adapter.match(source)
    if sys.argv[2] == "read":
        adapter.read(source)
print([name for name in {frameworks} if name in sys.modules])
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A source that an adapter reads, and facts about it from its framework.

    Args:
        source: the source.
        params: the number of its parameters as its framework counts them, tied ones once.
        state: for a live object: returns all state that reading must not change, comparable by
            ``==``; None for a file, whose bytes are compared.

    Example:
        >>> Case(from_path("pyproject.toml"), params=0).state is None
        True
    """

    source: Source
    params: int
    state: Callable[[], object] | None = None


class AdapterContract(ABC):
    """The contract of every adapter, as tests; a subclass whose name begins with ``Test`` runs them.

    Example:
        >>> len([name for name in vars(AdapterContract) if name.startswith("test_")])
        14
    """

    @abstractmethod
    def entry_point(self) -> str:
        """Return the name of the entry point that loads the adapter."""

    @abstractmethod
    def cases(self, folder: Path) -> Sequence[Case]:
        """Return sources that the adapter reads, including one with tied weights if the format can hold any.

        Args:
            folder: an empty directory for them.
        """

    def test_is_installed(self) -> None:
        """It is installed by its entry point, and has a name, a framework and formats."""
        adapter = _adapter(self)
        if not (adapter.name and adapter.framework and adapter.formats):
            raise AssertionError(f"{adapter!r} must have a name, a framework and formats")

    def test_matches_its_own(self, tmp_path: Path) -> None:
        """It recognizes what it reads, and nothing else."""
        adapter = _adapter(self)
        for case in self.cases(tmp_path):
            _equal(adapter.match(case.source) in (1, 2), True, f"match({case.source.label})")
        foreign = Source("noise.bin", Path("noise.bin"), bytes(range(255, 191, -1)), 64)
        for source in (foreign, Source("an object", target=object()), Source("", Path(), entries=("a",))):
            _equal(adapter.match(source), 0, f"match({source.label})")

    def test_imports_no_framework(self, tmp_path: Path) -> None:
        """Matching imports no framework; neither does reading files."""
        files = [str(case.source.path) for case in self.cases(tmp_path) if not case.source.is_live]
        for action in ("match", "read"):
            imported = _probe(self.entry_point(), action, files)
            _equal(imported, "[]", f"frameworks imported by {action}")

    def test_reads_the_same_twice(self, tmp_path: Path) -> None:
        """Reading twice returns equal models."""
        adapter = _adapter(self)
        for case in self.cases(tmp_path):
            _equal(adapter.read(case.source) == adapter.read(case.source), True, case.source.label)

    def test_changes_nothing(self, tmp_path: Path) -> None:
        """Reading changes neither the file nor the object."""
        adapter = _adapter(self)
        for case in self.cases(tmp_path):
            state = case.state or partial(_digest, case.source.path)
            before = state()
            adapter.read(case.source)
            _equal(state() == before, True, f"{case.source.label} is as before")

    def test_names_fit_together(self, tmp_path: Path) -> None:
        """Paths are unique, and every call names a layer and values that exist."""
        for case in self.cases(tmp_path):
            model = _adapter(self).read(case.source)
            paths = [layer.path for layer in model.layers]
            _equal(len(set(paths)), len(paths), f"{case.source.label}: different paths")
            calls = [name for call in model.calls for name in (*call.inputs, *call.outputs) if name]
            missing = {*calls, *model.inputs, *model.outputs} - set(model.values)
            _equal(missing, set(), f"{case.source.label}: values that are named but missing")
            _equal({call.layer for call in model.calls} - set(paths), set(), "calls of missing layers")

    def test_speaks_the_vocabulary(self, tmp_path: Path) -> None:
        """Every kind and every attribute is one that the registry of kinds has."""
        for case in self.cases(tmp_path):
            check_vocabulary(_adapter(self).read(case.source))

    def test_unknown_is_said_to_be_unknown(self, tmp_path: Path) -> None:
        """A dimension is a length, a symbol or unknown; layouts fit the shapes of their weights."""
        for case in self.cases(tmp_path):
            model = _adapter(self).read(case.source)
            for value in model.values.values():
                _check_shape(value.shape, value.name)
                if value.shape is not None and value.axes is not None:
                    _equal(len(value.axes), len(value.shape), f"axes of {value.name}")
            for weight in (weight for layer in model.layers for weight in layer.weights):
                _check_shape(weight.shape, weight.name)
            _equal(layout.normalize(model).notes, model.notes, "notes about layouts that do not fit")

    def test_quantized_weights_are_whole(self, tmp_path: Path) -> None:
        """What belongs to a quantized weight is in the model and no parameter; its numbers fit its shape."""
        for case in self.cases(tmp_path):
            model = _adapter(self).read(case.source)
            weights = {weight.name: weight for layer in model.layers for weight in layer.weights}
            for weight in weights.values():
                _check_quantization(weight, weights)

    def test_counts_what_the_framework_counts(self, tmp_path: Path) -> None:
        """The number of parameters equals the framework's, tied ones counted once."""
        for case in self.cases(tmp_path):
            model = _adapter(self).read(case.source)
            _equal(of_model(model).params, case.params, f"{case.source.label}: params")

    def test_survives_json(self, tmp_path: Path) -> None:
        """The report is plain data, which JSON preserves exactly."""
        for case in self.cases(tmp_path):
            report = to_dict(_finished(_adapter(self).read(case.source)))
            _equal(json.loads(json.dumps(report, allow_nan=False)) == report, True, case.source.label)

    def test_prints_nothing_that_a_terminal_obeys(self, tmp_path: Path) -> None:
        """The table has no control characters."""
        for case in self.cases(tmp_path):
            lines = table(_finished(_adapter(self).read(case.source)), View(width=80))
            text = "".join(piece for line in lines for piece, _ in line)
            _equal(text.isprintable(), True, f"{case.source.label}: printable")

    def test_every_shown_name_finds_its_layer(self, tmp_path: Path) -> None:
        """What a row of the table is called names its layer, alone or among those that it lists.

        A name that is the whole path of another layer is that one's.
        """
        for case in self.cases(tmp_path):
            model = _finished(_adapter(self).read(case.source))
            for node in shorten(fold(build(model), model)).walk():
                if node.layer is not None:
                    label = row_label(node.name)
                    found = find(model, label).layers
                    whole = [layer for layer in found if row_label(layer.path) == label]
                    _equal(node.layer in found or bool(whole), True, f"{case.source.label}: {label}")

    def test_refuses_what_is_cut_off(self, tmp_path: Path) -> None:
        """A truncated file is refused with an error, or read as far as possible; nothing else happens."""
        adapter = _adapter(self)
        folder = tmp_path / "whole"
        folder.mkdir()
        for case in self.cases(folder):
            if case.source.path is None or case.source.is_directory:
                continue
            content = case.source.path.read_bytes()
            for index in range(12):
                cut = tmp_path / f"cut{index}{case.source.suffix}"
                cut.write_bytes(content[: len(content) * index // 12])
                source = from_path(cut)
                if adapter.match(source):
                    _read_or_refuse(adapter, source)


def assert_same_outputs(
    a: Any,
    b: Any,
    input: Any = None,  # noqa: A002  # as in diverge()
    *,
    input_b: Any = None,
    rtol: float = 1e-4,
    seed: int = 0,
    run_code: bool = False,
) -> None:
    """Assert that two models return the same on one random input; both are run with their own frameworks.

    Args:
        a: a model that can be run, of any framework; see :func:`shapeinspect.diverge`.
        b: another one.
        input: the shapes of the first model's inputs.
        input_b: those of the second one's.
        rtol: the difference that counts as none, as a part of the largest value that a layer returns.
        seed: of the random numbers.
        run_code: whether to run programs that files hold; see :func:`shapeinspect.diverge`.

    Raises:
        AssertionError: if they part; it names the first layer that does.

    Example:
        >>> assert_same_outputs("tests/data/lenet.onnx", "tests/data/lenet.onnx")
    """
    from shapeinspect.api.diverging import diverge

    found = diverge(a, b, input, input_b=input_b, rtol=rtol, seed=seed, run_code=run_code)
    if not found.same:
        raise AssertionError(found.to_text())


def check_vocabulary(model: Model) -> None:
    """Check that a model names only kinds and attributes that the registry of kinds has.

    Args:
        model: what an adapter read.

    Raises:
        AssertionError: if a layer's kind, or an attribute of a layer or of a call, is not registered.

    Example:
        >>> from shapeinspect.ir import Layer
        >>> check_vocabulary(Model("m", "f", "f", "a", (Layer("fc", "dense", "Dense"),)))
        Traceback (most recent call last):
        ...
        AssertionError: layer "fc": the kind "dense" is not in the vocabulary
    """
    layers = {layer.path: layer for layer in model.layers}
    given = [(layer, layer.attributes) for layer in model.layers]
    given += [(layers[call.layer], call.attributes) for call in model.calls if call.layer in layers]
    for layer, attributes in given:
        unknown = unregistered(layer.kind, frozenset(attributes))
        if unknown is None:
            raise AssertionError(f'layer "{layer.path}": the kind "{layer.kind}" is not in the vocabulary')
        if unknown:
            names = ", ".join(sorted(unknown))
            raise AssertionError(f'layer "{layer.path}": the kind "{layer.kind}" has no attribute {names}')


def _adapter(contract: AdapterContract) -> Adapter:
    name = contract.entry_point()
    for row in installed():
        if row.name == name and row.adapter is not None:
            return row.adapter
        if row.name == name:
            raise AssertionError(f"entry point {name!r} is broken: {row.problem}")
    raise AssertionError(f"no entry point {name!r} is installed")


def _equal(got: object, expected: object, what: str) -> None:
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


def _finished(model: Model) -> Model:
    return infer(layout.normalize(model))


def _digest(path: Path | None) -> object:
    if path is None:
        return None
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [(str(file), hashlib.sha256(file.read_bytes()).hexdigest()) for file in files if file.is_file()]


def _check_shape(shape: Shape | None, name: str) -> None:
    for dim in shape or ():
        wrong = isinstance(dim, bool) or not isinstance(dim, int | Expr | Unknown)
        if wrong or (isinstance(dim, int) and dim < 0):
            raise AssertionError(f"{name}: {dim!r} is not a dimension")


def _check_quantization(weight: Weight, weights: Mapping[str, Weight]) -> None:
    how = weight.quantization
    if how is None:
        return
    for name in how.companions:
        _equal(name in weights and weights[name].buffer, True, f"{weight.name}: {name} is a buffer")
    if how.block is not None and len(how.block) != len(weight.shape):
        _equal(len(how.block), 1, f"{weight.name}: entries of its block")
    if weight.values is not None:
        numbers = weight.values()
        _equal(numbers.shape, weight.shape, f"{weight.name}: shape of its values")
        _equal(numbers.dtype.kind, "f", f"{weight.name}: kind of its values")


def _read_or_refuse(adapter: Adapter, source: Source) -> None:
    try:
        adapter.read(source)
    except ShapeInspectError as error:
        if not str(error).strip():
            raise AssertionError(f"{source.label}: an error without a message") from error


def _probe(name: str, action: str, files: Sequence[str]) -> str:
    code = _PROBE.replace("{frameworks}", repr(FRAMEWORKS))
    done = subprocess.run(  # noqa: S603  # this interpreter, with a text of this module
        [sys.executable, "-c", code, name, action, *files], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout.strip()
