"""Writes the rows of families, found by asking ``transformers``.

Run as ``python tests/families/write.py [MODEL_TYPE …]`` where the library is installed.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from asking import rows, samples
from fitting import condition, forget, piecewise
from library import Diffusers, Library, Sample
from terms import Point

from shapeinspect_torch.recognition.families.family import Family, flat, of_data

FOLDER = Path(__file__).parents[2] / "plugins/shapeinspect_torch/recognition/families/data"
ANSWERS = Path(__file__).parents[1] / "data/families"
#: So many models are asked for, and so many more hold what was found against what it was not found from.
_ASKED, _HELD_BACK = 24, 6
#: Settings without which a family is not known: each configuration has others.
_DECIDES = re.compile(
    r"(^|\.)((num|n)_(hidden_)?layers|(encoder|decoder)_layers|hidden_size|d_model|n_embd|\w*heads)$"
)
#: Words that change no weight: what functions are applied, and how files and tasks are called.
_HARMLESS = re.compile(
    r"(^|[._])(act|activation)(_|$)|act_fn|_act$|activation|dtype|tokenizer|name|path|task|implementation|version"
    r"|init|scoring|topk_method|loss|reduction|pooling|interpolat|strategy|feature_select|problem|token$|padding"
    r"|architectures|processor|backend|resampl"
)
_KINDS = (
    *("SEQ_TO_SEQ_CAUSAL_LM", "SPEECH_SEQ_2_SEQ", "IMAGE_TEXT_TO_TEXT", "MULTIMODAL_LM"),
    *("ZERO_SHOT_IMAGE_CLASSIFICATION", "MASKED_LM", "CAUSAL_LM", "PRETRAINING"),
    *("IMAGE_CLASSIFICATION", "OBJECT_DETECTION", "SEMANTIC_SEGMENTATION", "CTC", "MASK_GENERATION"),
    *("TEXT_TO_SPECTROGRAM", "TEXT_TO_WAVEFORM", "AUDIO_CLASSIFICATION", "TOKEN_CLASSIFICATION"),
)


def architecture(model_type: str) -> str:
    """Return the class of a type whose files are most often met."""
    from transformers.models.auto import modeling_auto

    for kind in _KINDS:
        name = getattr(modeling_auto, f"MODEL_FOR_{kind}_MAPPING_NAMES").get(model_type)
        if name:
            return name if isinstance(name, str) else name[0]
    name = modeling_auto.MODEL_MAPPING_NAMES[model_type]
    return name if isinstance(name, str) else name[0]


def defaults(library: Library, name: str, found: Sequence[Sample]) -> dict[str, Any]:
    """Return what a configuration without a setting has, as a value or as an expression of the others."""
    values: dict[str, Any] = {}
    for setting in found[0].config:
        kept, seen = [], []
        for number, sample in enumerate(found[:10]):
            others = {
                key: item for key, item in sample.config.items() if key != setting and not _derived(item)
            }
            try:
                seen.append(flat(library.config(name, others).to_dict()).get(setting))
            except Exception:  # noqa: BLE001  a library may refuse its own settings with any error
                continue
            kept.append(Point(number, {key: item for key, item in sample.config.items() if key != setting}))
        if not seen:
            continue
        if all(item == seen[0] for item in seen):
            if not _derived(seen[0]):
                values[setting] = seen[0] if not isinstance(seen[0], str) else f"word.{seen[0]}"
        elif all(type(item) is int for item in seen) and len(seen) > 5:
            text = piecewise(kept, np.array(seen, np.int64), [[] for _ in kept])
            if text is not None:
                values[setting] = text
        elif all(type(item) is bool for item in seen) and len(seen) > 5:
            text = condition(kept, [[] for _ in kept], np.array(seen))
            if text:
                values[setting] = text
    return values


def _derived(value: Any) -> bool:
    return isinstance(value, list) and (len(value) > 8 or any(isinstance(item, str) for item in value))


def fixed(found: Sequence[Sample]) -> dict[str, Any]:
    """Return the numbers, truths and words that were the same in all samples although others were drawn."""
    first = found[0].config
    lists = {name: item for name, item in first.items() if isinstance(item, list) and not _derived(item)}
    return {
        f"len({name})": len(item)
        for name, item in lists.items()
        if all(
            isinstance(sample.config.get(name), list) and len(sample.config[name]) == len(item)
            for sample in found
        )
    } | {
        name: item
        for name, item in first.items()
        if (isinstance(item, bool | int) or (isinstance(item, str) and not _HARMLESS.search(name)))
        and item != 0
        and not name.endswith(("_id", "_ids", "_index"))
        and all(sample.config.get(name) == item for sample in found)
    }


def data_of(library: Library, model_type: str) -> tuple[dict[str, Any], list[str], list[Sample]]:
    """Return a family's file, what was not found, and models that it was not found from."""
    answer = _data_of(library, model_type, _ASKED)
    family = of_data(answer[0])
    if any(wrong(family, sample) for sample in answer[2]):
        # What is true of few models by chance is not true of more.
        answer = _data_of(library, model_type, 2 * _ASKED)
    return answer


def _data_of(library: Library, model_type: str, asked: int) -> tuple[dict[str, Any], list[str], list[Sample]]:
    name = model_type if library.name == "diffusers" else architecture(model_type)
    every = samples(library, name, asked + _HELD_BACK)
    found, held_back = every[:-_HELD_BACK], every[-_HELD_BACK:]
    forget()
    made, problems = rows(found)
    prefix, other_names, ignored = library.facts(name)
    data = {
        "model_type": model_type,
        "architecture": name,
        "library": f"{library.name} {library.version}",
        "prefix": prefix,
        "numbers": [
            [row["each"], row["of"], *([row["if"]] if "if" in row else [])] for row in made if "each" in row
        ],
        "rows": [
            [row["name"], row["module"], row["shape"], *([row["if"]] if "if" in row else [])]
            for row in made
            if "name" in row
        ],
        "defaults": {},
        "other_names": other_names,
        "asked": fixed(found),
    }
    if ignored:
        data["ignored"] = ignored
    text = json.dumps([data["numbers"], data["rows"]])
    derived = defaults(library, name, found)
    while True:
        kept = {key: item for key, item in derived.items() if _named(key, text)}
        if kept == data["defaults"]:
            break
        # What a default follows from has a default of its own.
        data["defaults"] = kept
        text += json.dumps([item for item in kept.values() if isinstance(item, str)])
    data["other_names"] = {key: item for key, item in data["other_names"].items() if _named(item, text)}
    return data, problems, held_back


def _named(setting: str, text: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(setting)}(?![\w.])", text) is not None


def wrong(family: Family, sample: Sample) -> list[str]:
    """Return in what a family's answer differs from a model."""
    answer = family.expected(family.settings({**sample.config}))
    if answer is None:
        return ["no answer"]
    ours = {item.name: item.shape for item in answer}
    theirs = {name: stored.shape for name, stored in sample.weights.items()}
    return [
        f"{name}: {ours.get(name)} instead of {theirs.get(name)}"
        for name in sorted({*ours, *theirs})
        if not _agrees(ours.get(name), theirs.get(name))
    ]


def _agrees(ours: Sequence[int | None] | None, theirs: Sequence[int] | None) -> bool:
    """Tell whether two shapes are the same as far as one is known."""
    if ours is None or theirs is None or len(ours) != len(theirs):
        return False
    return all(left in (None, right) for left, right in zip(ours, theirs, strict=True))


def digest(weights: Mapping[str, Sequence[int]]) -> str:
    """Return a text that stands for the names and shapes of a file; the tests make it in the same way."""
    lines = "\n".join(f"{name} {list(shape)}" for name, shape in sorted(weights.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def main(model_types: Sequence[str]) -> None:
    """Write the file of each family, and the answers that they are held against."""
    libraries: dict[bool, Library] = {}
    FOLDER.mkdir(exist_ok=True)
    ANSWERS.mkdir(exist_ok=True)
    for model_type in model_types:
        # The classes of diffusers are the types of their configurations.
        of_diffusers = model_type[0].isupper()
        if of_diffusers not in libraries:
            libraries[of_diffusers] = Diffusers() if of_diffusers else Library()
        library = libraries[of_diffusers]
        try:
            data, problems, held_back = data_of(library, model_type)
        except Exception as error:  # noqa: BLE001  the next family is asked all the same
            print(model_type, "XX", repr(error)[:200], flush=True)
            continue
        family = of_data(data)
        differences = [wrong(family, sample) for sample in held_back]
        print(
            model_type,
            len(data["rows"]),
            "rows;",
            len(problems),
            "not found;",
            sum(map(bool, differences)),
            "of",
            len(held_back),
            "wrong",
            flush=True,
        )
        for text in [*problems[:4], *[line for lines in differences for line in lines[:2]][:4]]:
            print("   ", text[:200])
        unknown = sum("unknown" in (*shape, *condition) for _, _, shape, *condition in data["rows"])
        fixed_ones = [name for name in data["asked"] if _DECIDES.search(name)]
        if any(differences) or fixed_ones or unknown > 0.1 * len(data["rows"]):
            print("    not kept:", f"{unknown} rows unknown", *fixed_ones, flush=True)
            continue
        (FOLDER / f"{model_type}.json").write_text(_lines(data))
        answers = [
            {
                "config": sample.saved,
                "tensors": len(sample.weights),
                "digest": digest({name: stored.shape for name, stored in sample.weights.items()}),
            }
            for sample in held_back[:2]
        ]
        (ANSWERS / f"{model_type}.json").write_text("\n".join(map(json.dumps, answers)) + "\n")


def _lines(data: Mapping[str, Any]) -> str:
    """Write a row a line."""
    parts = []
    for key, value in data.items():
        if isinstance(value, list):
            inner = ",\n".join(f"  {json.dumps(item)}" for item in value)
            parts.append(f" {json.dumps(key)}: [\n{inner}\n ]" if value else f" {json.dumps(key)}: []")
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main(sys.argv[1:])
