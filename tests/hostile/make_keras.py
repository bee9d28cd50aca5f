"""Keras configurations that would run code, or have no end: ``python make_keras.py FOLDER``."""

from __future__ import annotations

import base64
import json
import marshal
from collections.abc import Callable
from pathlib import Path

from cases import CODE, Case, Read, Refused, code, file, main, marker, outside, packed

INPUT = {"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_shape": [None, 3]},
         "inbound_nodes": []}  # fmt: skip


def sequential(*layers: dict) -> dict:
    start = {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, 3]}}
    return {"class_name": "Sequential", "config": {"name": "s", "layers": [start, *layers]}}


def keras(config: object) -> bytes:
    """An archive of a configuration and no weights."""
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    return packed({"metadata.json": b'{"keras_version": "3.15.0"}', "config.json": text})


def shown(build: Callable[[Path], dict], tries: str) -> Case:
    """A configuration that is listed, and by which nothing is run."""
    return Case(
        file(lambda home: keras(sequential(build(home))), "m.keras"), tries, Read({}), "m.keras", CODE
    )


def marshalled(home: Path) -> str:
    """The code of a lambda as Keras keeps it."""
    body = compile(code(home), "<lambda>", "exec")
    return base64.b64encode(marshal.dumps(body)).decode()


def lambda_layer(home: Path) -> dict:
    function = {
        "class_name": "__lambda__",
        "config": {"code": marshalled(home), "defaults": None, "closure": None},
    }
    return {"module": "keras.layers", "class_name": "Lambda", "registered_name": None,
            "config": {"name": "l", "function": function}}  # fmt: skip


def lambda_of_keras_2(home: Path) -> dict:
    config = {
        "name": "l",
        "function": [marshalled(home), None, None],
        "function_type": "lambda",
        "module": "os",
    }
    return {"class_name": "Lambda", "config": config}


def function(home: Path) -> dict:
    called = {"module": "builtins", "class_name": "function", "config": "exec", "registered_name": "function"}
    config = {"name": "l", "function": called, "arguments": {"source": code(home)}}
    return {"module": "keras.layers", "class_name": "Lambda", "registered_name": None, "config": config}


def by_module(module: str, name: str) -> Callable[[Path], dict]:
    """A class by the module that it would be imported from."""
    return lambda home: {"module": module, "class_name": name, "registered_name": f"{module}>{name}",
                         "config": {"name": "l", "args": [code(home)],
                             "cmd": f"touch {marker(home)}"}}  # fmt: skip


def setting(name: str, value: Callable[[Path], object], kind: str = "Dense") -> Callable[[Path], dict]:
    """A layer of Keras with a setting that is an object."""
    return lambda home: {"module": "keras.layers", "class_name": kind, "registered_name": None,
                         "config": {"name": "l", "units": 5, name: value(home)}}  # fmt: skip


def call(home: Path) -> dict:
    return {
        "module": "builtins",
        "class_name": "exec",
        "config": {"source": code(home)},
        "registered_name": "exec",
    }


def vocabulary(home: Path) -> dict:
    return {"module": "keras.layers", "class_name": "StringLookup", "registered_name": None,
            "config": {"name": "l", "vocabulary": str(outside(home))}}  # fmt: skip


def saved_model(home: Path) -> dict:
    return {"module": "keras.layers", "class_name": "TFSMLayer", "registered_name": None,
            "config": {"name": "l", "filepath": str(outside(home))}}  # fmt: skip


EXECUTES = {
    "a lambda": shown(lambda_layer, "marshalled code"),
    "a lambda of Keras 2": shown(lambda_of_keras_2, "marshalled code and a module"),
    "a function by its name": shown(function, "exec as a layer's function"),
    "a class of os": shown(by_module("os", "system"), "a shell"),
    "a class of subprocess": shown(by_module("subprocess", "Popen"), "a shell"),
    "a class of a module that prints": shown(by_module("this", "s"), "an import with an effect"),
    "a class of torch": shown(by_module("torch.nn", "Module"), "an import of a framework"),
    "an initializer": shown(setting("kernel_initializer", call), "a call as a setting"),
    "an activation": shown(setting("activation", call), "a call as a setting"),
    "an activation by a path": shown(setting("activation", lambda _: "os.system"), "a name that is imported"),
    "a policy": shown(setting("dtype", call), "a call as a dtype"),
    "a vocabulary": shown(vocabulary, "a file that is read"),
    "a SavedModel": shown(saved_model, "a directory that is loaded"),
    "a compiled loss": Case(
        file(lambda home: keras({**sequential(lambda_layer(home)), "compile_config": {"loss": call(home)}}),
             "m.keras"),
        "a call in what compiles the model", Read({}), "m.keras", CODE),
    "a build that runs": shown(
        lambda home: {**lambda_layer(home), "build_config": {"input_shape": call(home)}},
            "a call in a shape"),
}  # fmt: skip


def functional(*layers: dict) -> dict:
    ends = {"input_layers": [["in", 0, 0]], "output_layers": [["a", 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "m", "layers": list(layers), **ends}}


def relu(name: str, *reads: tuple[str, int, int]) -> dict:
    nodes = [[[*one, {}] for one in reads]]
    return {"class_name": "ReLU", "name": name, "config": {"name": name}, "inbound_nodes": nodes}


def level(depth: int) -> dict:
    """A model that calls the next one eight times, which calls the next one eight times."""
    start = {**INPUT, "config": {"batch_shape": [None, 3]}}
    inner, ends = [relu("a", ("in", 0, 0))], [["a", 0, 0]]
    if depth:
        call = {"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["in", 0, 0]}}]}
        inner = [{**level(depth - 1), "name": "sub", "inbound_nodes": [call] * 8}]
        ends = [["sub", 1, 0]]
    config = {"name": "m", "layers": [start, *inner], "input_layers": [["in", 0, 0]], "output_layers": ends}
    return {"class_name": "Functional", "config": config}


INNER = {"class_name": "Sequential", "name": "m", "inbound_nodes": [[["a", 0, 0, {}]]],
         "config": {"name": "m", "layers": [{"class_name": "ReLU", "config": {"name": "a"}}]}}  # fmt: skip


def refused(config: Callable[[], object] | object, tries: str, reason: str) -> Case:
    made = config if callable(config) else lambda: config
    return Case(file(lambda: keras(made()), "m.keras"), tries, Refused(reason), "m.keras", CODE)


GRAPHS = {
    "a cycle": refused(
        functional(INPUT, relu("a", ("b", 0, 0)), relu("b", ("a", 0, 0))), "a walk without end",
            "form a cycle"),
    "a layer that is nowhere": refused(functional(INPUT, relu("a", ("nowhere", 0, 0))), "a name of nothing",
        "nowhere"),
    "an output that is nowhere": refused(functional(INPUT, relu("a", ("in", 0, 7))), "an index out of range",
        "reads output 7 of layer 'in'"),
    "a call that is nowhere": refused(
        functional(INPUT, relu("a", ("in", 0, 0)), relu("b", ("a", 5, 0))), "an index out of range",
            "reads call 5 of layer 'a'"),
    "a name twice": refused(
        functional(INPUT, relu("a", ("in", 0, 0)), relu("a", ("in", 0, 0))), "two answers", "are named 'a'"),
    "a name of two levels": refused(
        functional(INPUT, relu("a", ("in", 0, 0)), relu("m/a", ("a", 0, 0)), INNER), "two answers",
            "have the path 'm/a'"),
    "models that call one another": refused(lambda: level(9), "8^9 layers", "too many calls"),
}  # fmt: skip


def around_many() -> dict:
    """A model of a name of half a million letters around 3,000 layers."""
    dense = [{"class_name": "Dense", "config": {"name": f"d{n}", "units": 3}} for n in range(3000)]
    inner = {"class_name": "Sequential", "config": {"name": "n" * 500_000, "layers": dense}}
    return {"class_name": "Sequential", "config": {"name": "m", "layers": [inner]}}


CASES: dict[str, Case] = {
    **{f"executes: {name}": case for name, case in EXECUTES.items()},
    **{f"graph: {name}": case for name, case in GRAPHS.items()},
    "a long name around many layers": refused(
        around_many, "3,000 names of half a million letters", "path of a nested model has more than"
    ),
}

if __name__ == "__main__":
    main(CASES)
