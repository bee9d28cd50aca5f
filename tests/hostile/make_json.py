"""JSON that overflows a stack, a number or a type, in every format: ``python make_json.py FOLDER``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from cases import JSON, Case, Read, Refused, entry, file, main, packed, safetensors

W = {"w": (3, 5)}
#: A file of one weight, beside which a configuration stands.
ONE = safetensors({"w": entry()}, bytes(60))
LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 40}


def beside(name: str) -> Callable[[bytes], Callable[[Path], None]]:
    """A directory of weights and a JSON file."""

    def make(text: bytes) -> Callable[[Path], None]:
        def write(home: Path) -> None:
            weights = "adapter_model.safetensors" if name.startswith("adapter") else "model.safetensors"
            (home / weights).write_bytes(ONE)
            (home / name).write_bytes(text)

        return write

    return make


def exported(text: bytes) -> Callable[[Path], None]:
    return file(packed({"m/archive_format": b"pt2", "m/models/model.json": text,
                        "m/data/weights/model_weights_config.json": b'{"config": {}}'}), "m.pt2")  # fmt: skip


#: For each text of a format: what makes the file, what is shown, and what the file is called in errors.
PLACES: dict[str, tuple[Callable[[bytes], Callable[[Path], None]], str, str]] = {
    "safetensors": (lambda text: file(safetensors(text), "m.safetensors"), "m.safetensors", "header"),
    "index": (lambda text: file(text, "model.safetensors.index.json"), "model.safetensors.index.json",
        "index"),
    "config": (beside("config.json"), ".", "config.json"),
    "adapter": (beside("adapter_config.json"), ".", "adapter_config.json"),
    "keras": (lambda text: file(packed({"metadata.json": b"{}", "config.json": text}), "m.keras"), "m.keras",
        "config.json"),
    "export": (exported, "m.pt2", "m.pt2"),
    "orbax": (lambda text: file(text, "_METADATA"), ".", "_METADATA"),
}  # fmt: skip

#: Texts that are refused wherever they stand.
TEXTS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "an empty text"),
    "no JSON": (b"nonsense", "another language"),
    "half": (b'{"a":', "a text cut off"),
    "a list": (b"[]", "another type"),
    "a number": (b"7", "another type"),
    "null": (b"null", "another type"),
    "lists in lists": (b"[" * 100_000, "a RecursionError"),
    "dicts in dicts": (b'{"a":' * 100_000, "a RecursionError"),
    "5,000 digits": (b'{"a": ' + b"9" * 5000 + b"}", "a number of more than 4,300 digits"),
    "no UTF-8": (b'{"\xff\xfe": 1}', "bytes in a text"),
    "a key twice": (b'{"a": 1, "a": 2}', "two answers"),
    "300 levels": (b'{"a":' * 300 + b"1" + b"}" * 300, "recursion in what reads it later"),
    "300 levels around a bracket": (b'["]",' * 300 + b"1" + b"]" * 300, "a count of brackets that is wrong"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "another encoding"),
}  # fmt: skip


#: JSON, but no configuration of Keras; an archive may have none.
OTHERWISE: dict[tuple[str, str], Refused | Read] = {
    ("keras", "a list"): Refused("does not describe a model"),
    ("keras", "a number"): Refused("does not describe a model"),
    ("keras", "null"): Read({}, "no configuration"),
}


def everywhere(place: str, name: str) -> Case:
    make, show, called = PLACES[place]
    text, tries = TEXTS[name]
    return Case(make(text), tries, OTHERWISE.get((place, name), Refused(called)), show, JSON)


def header(text: bytes, tries: str, reason: str) -> Case:
    made = b'{"w":{"dtype":"F32","shape":%s,"data_offsets":[0,60]}}' % text
    return Case(
        file(safetensors(made, bytes(60)), "m.safetensors"), tries, Refused(reason), "m.safetensors", JSON
    )


def config(tries: str, **settings: object) -> Case:
    """A configuration of a known family with settings that are none: they prove nothing."""
    return Case(beside("config.json")(json.dumps({**LLAMA, **settings}).encode()), tries, Read(W), ".", JSON)


def keras(tries: str, must: str | dict, batch_shape: object = (None, 3), **settings: object) -> Case:
    told = {"class_name": "Sequential", "config": {"name": "s", "layers": [
        {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": batch_shape}},
        {"class_name": "Dense", "config": {"name": "fc", "units": 5, **settings}},
    ]}}  # fmt: skip
    said = Refused(must) if isinstance(must, str) else Read(must)
    return Case(PLACES["keras"][0](json.dumps(told).encode()), tries, said, "m.keras", JSON)


LENGTH = "not a list of lengths"
VALUES = {
    "safetensors: NaN": header(b"[NaN, 5]", "a number that equals nothing", "holds NaN"),
    "safetensors: Infinity": header(b"[Infinity, 5]", "a number beyond all", "holds Infinity"),
    "safetensors: 1e999": header(b"[1e999, 5]", "a number beyond all, as a float", LENGTH),
    "safetensors: true": header(b"[true, 15]", "a truth value for 1", LENGTH),
    "safetensors: 3.0": header(b"[3.0, 5]", "a float for a length", LENGTH),
    "safetensors: a text": header(b'["3", 5]', "a text for a length", LENGTH),
    "safetensors: -3": header(b"[-3, 5]", "a negative length", LENGTH),
    "safetensors: 2^64": header(b"[18446744073709551616, 5]", "a number of 65 bits", "an integer of 65 bits"),
    "safetensors: half a character": Case(
        file(safetensors(b'{"\\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', bytes(8)),
            "m.safetensors"),
        "a name that no text can hold", Refused("header"), "m.safetensors", JSON),
    "index: a key twice": Case(
        file(b'{"weight_map": {"a": "b", "a": "c"}}', "model.safetensors.index.json"), "two answers",
        Refused("has the key 'a' twice"), "model.safetensors.index.json", JSON),
    "index: a number for a file": Case(
        file(b'{"weight_map": {"a": 1}}', "model.safetensors.index.json"), "another type",
        Refused("no weight_map of names to files"), "model.safetensors.index.json", JSON),
    "index: NaN for a size": Case(
        lambda home: [beside("model.safetensors.index.json")(
            b'{"metadata": {"total_size": NaN}, "weight_map": {"w": "model.safetensors"}}')(home)],
        "a number that equals nothing", Read(W), "model.safetensors.index.json", JSON),
    "config: true": config("a truth value for 1", hidden_size=True, num_attention_heads=True),
    "config: 0 heads": config("a division by zero", num_attention_heads=0),
    "config: negative": config("a negative length", hidden_size=-40, vocab_size=-3),
    "config: 10^40": config("a large number", intermediate_size=10**40, hidden_size=10**40),
    "config: texts": config("texts for numbers", hidden_size="40", num_hidden_layers="2"),
    "config: lists": config("lists for texts", model_type=["llama"], architectures=[3]),
    "config: NaN": config("a number that equals nothing", hidden_size=float("nan"), vocab_size=float("inf")),
    "keras: NaN": keras("a number that equals nothing", {}, units=float("nan"), scale=float("inf")),
    "keras: true": keras("a truth value for 1", {}, batch_shape=[True, -4]),
    "keras: 10^40": keras("a number of more than 64 bits", "config.json", units=10**40),
    "keras: settings of other types": keras("another type", {}, units=[[]], use_bias={"a": 1}),
}  # fmt: skip

CASES: dict[str, Case] = {
    **{f"{place}: {name}": everywhere(place, name) for place in PLACES for name in TEXTS},
    **VALUES,
}

if __name__ == "__main__":
    main(CASES)
