"""The rows of one family, and what they say of a configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from shapeinspect.binary.json_text import parse_object
from shapeinspect.frozen import Frozen
from shapeinspect_torch.recognition.families.language import LETTERS, told, value

#: So many names of one model are worked out at most, and a list has so many entries.
MOST, _LONG = 100_000, 1_000
_DATA = Path(__file__).with_name("data")
_INDEX = re.compile(r"(?<![\w.])(last_)?[ijk](?![\w.])")
#: Entries of a configuration that are no setting of the network.
_NOT_ASKED = frozenset({
    "_name_or_path", "architectures", "dtype", "id2label", "label2id", "model_type", "problem_type",
    "torch_dtype", "transformers_version", "return_dict", "output_hidden_states", "output_attentions",
    "use_cache",
})  # fmt: skip
_PARTS = 4


def flat(config: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return the settings of a configuration, those of its parts by dotted names.

    Args:
        config: the configuration.
        before: what stands before each name.

    Example:
        >>> flat({"model_type": "llava", "text_config": {"hidden_size": 24}})
        {'text_config.hidden_size': 24}
    """
    found: dict[str, Any] = {}
    for name, item in config.items():
        if name in _NOT_ASKED:
            continue
        if (
            isinstance(item, Mapping)
            and not name.startswith(("rope_", "quantization"))
            and before.count(".") < _PARTS
        ):
            found |= flat(item, f"{before}{name}.")
        elif not (isinstance(item, list) and len(item) > _LONG):
            found[before + name] = item
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """The weights of one name.

    Args:
        name: with letters for the numbers in it.
        module: the class of the layer that holds them; empty where only files have them apart.
        shape: an expression for each axis.
        condition: what decides whether they are there; empty where they always are.
        same: whether they all have the same shape.
    """

    name: str
    module: str
    shape: tuple[str, ...]
    condition: str = ""
    same: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """A weight as a configuration makes it.

    Args:
        name: as files spell it.
        row: the row that it is of.
        shape: its lengths; None where a setting is not there.
        indices: the numbers in its name, by their letters.
    """

    name: str
    row: Row
    shape: tuple[int | None, ...]
    indices: Mapping[str, int]


@dataclass(frozen=True)
class Family:
    """The models of one architecture.

    Args:
        model_type: as in a ``config.json``.
        architecture: the class that was asked.
        library: the library that was asked, with its version.
        prefix: what stands before the names of the part that all architectures of the type share.
        numbers: for what stands before a number in a name: how many there are, and a condition.
        rows: what the files hold.
        defaults: the value of a setting that a configuration lacks, as an expression of others.
        other_names: the setting that another name stands for.
        asked: settings that had only this value when the library was asked.
        ignored: patterns of names in files that the library passes over.

    Source:
        Each row was found by asking the library for models of small random configurations.
    """

    model_type: str
    architecture: str
    library: str
    prefix: str
    numbers: Frozen[tuple[str, str]]
    rows: tuple[Row, ...]
    defaults: Frozen[Any]
    other_names: Frozen[str]
    asked: Frozen[Any]
    ignored: tuple[str, ...] = ()

    @cached_property
    def by_name(self) -> Mapping[str, Row]:
        """Each row by its name."""
        return {row.name: row for row in self.rows}

    def find(self, name: str) -> tuple[Row, dict[str, int]] | None:
        """Return the row of a weight and the numbers in its name.

        Args:
            name: as the file spells it.
        """
        parts: list[str] = []
        indices: dict[str, int] = {}
        for part in name.split("."):
            if part.isdecimal() and len(part) < 7 and ".".join([*parts, ""]) in self.numbers:
                letter = LETTERS[len(indices)]
                indices[letter] = int(part)
                parts.append("{" + letter + "}")
            else:
                parts.append(part)
        row = self.by_name.get(".".join(parts))
        return None if row is None else (row, indices)

    def settings(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return all settings of a configuration, with what follows where it has none.

        A number that is not stated and follows from nothing stays unknown: the file may be of other ones.

        Args:
            config: the configuration.
        """
        found = flat(config)
        for name, setting in self.other_names.items():
            if name in found:
                found.setdefault(setting, found[name])
        for name, default in self.defaults.items():
            if name in found:
                continue
            if isinstance(default, str):
                derived = value(default, found, {})
                if derived is not None:
                    found[name] = derived
            elif default is None or isinstance(default, bool):
                found[name] = default
        return found

    def not_asked(self, settings: Mapping[str, Any]) -> list[str]:
        """Return the settings whose value is another than the one that the library was asked for.

        Args:
            settings: of a configuration.
        """
        values = {name: value(name, settings, {}) for name in self.asked}
        return [name for name, asked in self.asked.items() if values[name] not in (None, asked)]

    def shape(
        self, row: Row, settings: Mapping[str, Any], indices: Mapping[str, int]
    ) -> tuple[int | None, ...]:
        """Return the lengths of a weight.

        Args:
            row: its row.
            settings: of a configuration.
            indices: the numbers in its name.
        """
        lengths = (value(axis, settings, indices) for axis in row.shape)
        return tuple(length if type(length) is int and length >= 0 else None for length in lengths)

    def expected(self, settings: Mapping[str, Any]) -> list[Expected] | None:
        """Return all weights of a configuration, None where a setting is missing or there are too many.

        Args:
            settings: of the configuration.
        """
        found: list[Expected] = []
        seen = 0
        places: dict[str, list[dict[str, int]] | None] = {"": [{}]}
        for row in self.rows:
            there = self._places(row.name, settings, places)
            seen += MOST if there is None else len(there)
            if there is None or seen > MOST:
                return None
            shape = self.shape(row, settings, {}) if row.same else None
            for indices in there:
                holds = value(row.condition, settings, indices) if row.condition else True
                if holds is None:
                    return None
                if holds:
                    name = row.name
                    for letter in LETTERS:
                        if letter in indices:
                            name = name.replace("{" + letter + "}", str(indices[letter]))
                    made = self.shape(row, settings, indices) if shape is None else shape
                    found.append(Expected(name, row, made, indices))
        return found

    def _places(
        self, name: str, settings: Mapping[str, Any], known: dict[str, list[dict[str, int]] | None]
    ) -> list[dict[str, int]] | None:
        """Return the numbers in each weight of a name, None where they are not known or too many."""
        before = ""
        for letter in LETTERS:
            start, there, _ = name.partition("{" + letter + "}")
            if not there:
                break
            if start not in known:
                known[start] = self._numbered(known[before], start, letter, settings)
            before = start
        return known[before]

    def _numbered(
        self, outer: list[dict[str, int]] | None, start: str, letter: str, settings: Mapping[str, Any]
    ) -> list[dict[str, int]] | None:
        count_text, condition = self.numbers[start]
        found: list[dict[str, int]] = []
        for indices in outer or ():
            holds = value(condition, settings, indices) if condition else True
            count = value(count_text, settings, indices) if holds else 0
            if holds is None or type(count) is not int or count + len(found) > MOST:
                return None
            ends = {f"last_{letter}": count - 1}
            found += [{**indices, letter: index, **ends} for index in range(count)]
        return None if outer is None else found


def told_shape(row: Row, settings: Mapping[str, Any], indices: Mapping[str, int]) -> str:
    """Return the lengths of a weight with the settings that they follow from.

    Args:
        row: its row.
        settings: of a configuration.
        indices: the numbers in its name.
    """
    return ", ".join(told(axis, settings, indices) for axis in row.shape)


@lru_cache(maxsize=64)
def family(model_type: str) -> Family | None:
    """Return the family of a ``model_type``, None where no library was asked for it.

    Args:
        model_type: as in a ``config.json``.

    Example:
        >>> family("llama").find("model.layers.3.mlp.up_proj.weight")[0].shape
        ('intermediate_size', 'hidden_size')
    """
    if not re.fullmatch(r"[\w-]{1,60}", model_type):
        return None
    file = _DATA / f"{model_type}.json"
    if not file.is_file():
        return None
    return of_data(parse_object(file.read_bytes(), model_type, file.name))


def of_data(data: Mapping[str, Any]) -> Family:
    """Return the family that a file of rows describes.

    Args:
        data: the file's content.
    """
    return Family(
        data["model_type"],
        data["architecture"],
        data["library"],
        data["prefix"],
        Frozen({before: (count, *rest, "")[:2] for before, count, *rest in data["numbers"]}),
        tuple(
            Row(name, module, tuple(shape), "".join(condition), _INDEX.search(" ".join(shape)) is None)
            for name, module, shape, *condition in data["rows"]
        ),
        Frozen(data["defaults"]),
        Frozen(data["other_names"]),
        Frozen(data["asked"]),
        tuple(data.get("ignored", ())),
    )


def model_types() -> tuple[str, ...]:
    """Return the ``model_type`` of each family, in alphabetical order."""
    return tuple(sorted(file.stem for file in _DATA.glob("*.json")))
