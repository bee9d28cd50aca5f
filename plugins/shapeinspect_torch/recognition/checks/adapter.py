"""Low-rank pairs held against their configuration: whole pairs, and the targets that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shapeinspect.ir import Contradiction, Layer, Note
from shapeinspect_torch.recognition.checks.findings import lengths, once

_PAIR = {"lora_A.weight": "lora_B.weight", "lora_B.weight": "lora_A.weight"}
_HALF = re.compile(r"(?P<path>.+)\.(?P<half>lora_[AB]\.weight)")
_LISTED = 4


def adapter(layers: Sequence[Layer], config: Mapping[str, Any]) -> Iterator[Note]:
    """Yield what contradicts an adapter's configuration, or that nothing does.

    Args:
        layers: those of the file.
        config: the content of ``adapter_config.json``.
    """
    names = {weight.name: weight.shape for layer in layers for weight in layer.weights}
    halves = [match for name in names if (match := _HALF.fullmatch(name)) is not None]
    lone = [
        Contradiction(other, f"beside {match['half']}", "missing", f"stored: {match[0]}")
        for match in halves
        if (other := f"{match['path']}.{_PAIR[match['half']]}") not in names
    ]
    if lone:
        text = f"{len(lone):,} low-rank pairs are not whole, such as {lone[0].about}"
        yield Note(text, fault=True, contradictions=once(lone))
    targets = config.get("target_modules")
    if not isinstance(targets, list) or not all(isinstance(target, str) for target in targets) or not halves:
        # A text is a regular expression, or stands for all linear layers.
        if halves and not lone:
            yield Note(f"its {len(halves) // 2:,} low-rank pairs are whole", held=True)
        return
    stored = {match["path"] for match in halves}
    origin = f"adapter_config.json: target_modules {', '.join(targets)}"
    others = [
        Contradiction(match[0], "no such weight", lengths(names[match[0]]), origin)
        for match in halves
        if not any(_ends(match["path"], target) for target in targets)
    ]
    if others:
        text = f"{len(others):,} weights are of layers that target_modules does not name"
        yield Note(text, fault=True, contradictions=once(others))
    idle = [target for target in targets if not any(_ends(path, target) for path in stored)]
    if idle:
        yield Note(
            f"no pair is of the target_modules {', '.join(idle[:_LISTED])}: the base may have no such layers"
        )
    if not lone and not others:
        text = f"its {len(halves) // 2:,} low-rank pairs are whole, and of layers that target_modules names"
        text += "; diff ADAPTER BASE holds them against the base"
        yield Note(text, held=True)


def _ends(path: str, target: str) -> bool:
    return path == target or path.endswith(f".{target}")
