"""Sets of many tensors in many files: seconds and memory of a whole cold process, and how both grow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import measure, shapeinspect

pytestmark = pytest.mark.bench

EXPERTS, HIDDEN, INNER, WORDS = 128, 96, 80, 1024
SECONDS, MEGABYTES = 3.0, 250


def _block(at: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name the weights of one mixture-of-experts block."""
    prefix = f"model.layers.{at}."
    for name in ("input_layernorm", "post_attention_layernorm"):
        yield f"{prefix}{name}.weight", (HIDDEN,)
    for name, rows in (("q", 2 * HIDDEN), ("k", HIDDEN // 2), ("v", HIDDEN // 2)):
        yield f"{prefix}self_attn.{name}_proj.weight", (rows, HIDDEN)
    yield f"{prefix}self_attn.o_proj.weight", (HIDDEN, 2 * HIDDEN)
    yield f"{prefix}mlp.gate.weight", (EXPERTS, HIDDEN)
    for expert in range(EXPERTS):
        for name, shape in (("gate", (INNER, HIDDEN)), ("up", (INNER, HIDDEN)), ("down", (HIDDEN, INNER))):
            yield f"{prefix}mlp.experts.{expert}.{name}_proj.weight", shape


def _names(tensors: int) -> list[tuple[str, tuple[int, ...]]]:
    ends = [("model.norm.weight", (HIDDEN,)), ("lm_head.weight", (WORDS, HIDDEN))]
    found: list[tuple[str, tuple[int, ...]]] = [("model.embed_tokens.weight", (WORDS, HIDDEN))]
    at = 0
    while len(found) < tensors - len(ends):
        found += _block(at)
        at += 1
    return found[: tensors - len(ends)] + ends


def make_set(folder: Path, tensors: int, shards: int) -> Path:
    """Write the headers of a sharded set; the weights are holes in sparse files."""
    folder.mkdir()
    named = _names(tensors)
    each = -(-len(named) // shards)
    homes, total = {}, 0
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        header: dict[str, object] = {"__metadata__": {"format": "pt"}}
        at = 0
        for name, shape in named[shard * each : (shard + 1) * each]:
            end = at + 2 * shape[0] * (shape[1] if len(shape) == 2 else 1)
            header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, end]}
            homes[name], at = file, end
        raw = json.dumps(header).encode()
        with (folder / file).open("wb") as out:
            out.write(len(raw).to_bytes(8, "little") + raw)
            out.truncate(8 + len(raw) + at)
        total += at
    index = {"metadata": {"total_size": total}, "weight_map": homes}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def test_many_tensors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    costs = []
    for tensors, shards in ((1_000, 2), (10_000, 20), (100_000, 200)):
        folder = make_set(tmp_path / str(tensors), tensors, shards)
        costs.append(measure(shapeinspect("show", str(folder)), 3))
        with capsys.disabled():
            print(
                f"\n{tensors:,} tensors in {shards} shards: {costs[-1].seconds:.2f} s, "
                f"{costs[-1].megabytes:.0f} MiB"
            )
    small, middle, large = costs
    assert large.seconds < SECONDS
    assert large.megabytes < MEGABYTES
    # Ten times the tensors for at most ten times the time above that of starting, and a quarter.
    assert large.seconds - small.seconds < 12.5 * (middle.seconds - small.seconds)


def test_as_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_set(tmp_path / "set", 100_000, 200)
    cost = measure(shapeinspect("show", str(folder), "--format", "json"), 3)
    with capsys.disabled():
        print(f"\n100,000 tensors as JSON: {cost.seconds:.2f} s, {cost.megabytes:.0f} MiB")
    assert cost.megabytes < MEGABYTES
    assert cost.seconds < SECONDS
