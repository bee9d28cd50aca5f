"""What load_state_dict would refuse, key by key, against what it does refuse."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

import shapeinspect
from shapeinspect.plugin_api.loader import Refusal


def _real(module: torch.nn.Module, state: dict[str, Any]) -> tuple[set[str], set[str], set[str]]:
    """Return torch's own missing, unexpected and mismatched keys, from the text of its error."""
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        text = str(error)
    else:
        return set(), set(), set()
    found = []
    for title in ("Missing", "Unexpected"):
        listed = re.search(rf"{title} key\(s\) in state_dict: (.*?)\. ?\n", text + "\n")
        found.append(set(re.findall(r'"([^"]+)"', listed[1])) if listed else set())
    return found[0], found[1], set(re.findall(r"size mismatch for (\S+):", text))


def _ours(checkpoint: str, module: torch.nn.Module) -> Refusal:
    found = shapeinspect.diff(checkpoint, module).refusal
    assert found is not None
    return found


def _same(found: Refusal, real: tuple[set[str], set[str], set[str]]) -> None:
    assert (set(found.missing), set(found.unexpected), {one.key for one in found.mismatched}) == real


class Tied(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(29, 5)
        self.body = torch.nn.Linear(5, 5)
        self.head = torch.nn.Linear(5, 29, bias=False)
        self.head.weight = self.embedding.weight
        self.register_buffer("mask", torch.ones(3), persistent=False)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "a.b."])
def test_a_prefix(trunk: Callable[..., Any], saved: Callable[..., str], prefix: str) -> None:
    module = trunk()
    state = {prefix + key: value for key, value in module.state_dict().items()}
    found = _ours(saved(state), module)
    _same(found, _real(module, state))
    assert len(found.causes) == 1
    assert f'the checkpoint\'s keys begin with "{prefix}"' in found.causes[0]
    code = re.search(r"load (\{.*\})$", found.causes[0])
    assert code is not None
    fixed = eval(code[1], {"state_dict": state})
    module.load_state_dict(fixed)


def test_a_prefix_that_the_model_has(trunk: Callable[..., Any], saved: Callable[..., str]) -> None:
    wrapped = torch.nn.Sequential()
    wrapped.add_module("net", trunk())
    state = trunk().state_dict()
    found = _ours(saved(state), wrapped)
    _same(found, _real(wrapped, state))
    assert 'the model\'s keys begin with "net."' in found.causes[0]
    code = re.search(r"load (\{.*\})$", found.causes[0])
    assert code is not None
    wrapped.load_state_dict(eval(code[1], {"state_dict": state}))


def test_a_changed_head(saved: Callable[..., str]) -> None:
    old = torch.nn.Sequential(torch.nn.Linear(3, 7), torch.nn.ReLU(), torch.nn.Linear(7, 10))
    new = torch.nn.Sequential(torch.nn.Linear(3, 7), torch.nn.ReLU(), torch.nn.Linear(7, 4))
    found = _ours(saved(old), new)
    _same(found, _real(new, old.state_dict()))
    assert [(one.checkpoint, one.model) for one in found.mismatched] == [("o10 i7", "o4 i7"), ("o10", "o4")]
    assert found.causes[0].startswith('only "2" differs in its number of outputs, 10 in the checkpoint and 4')


def test_a_renamed_block(saved: Callable[..., str]) -> None:
    def stack(name: str) -> torch.nn.Module:
        outer = torch.nn.Module()
        block = [torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Linear(7, 5)) for _ in range(3)]
        outer.add_module(name, torch.nn.ModuleList(block))
        outer.add_module("head", torch.nn.Linear(5, 2))
        return outer

    old, new = stack("layers"), stack("blocks")
    found = _ours(saved(old), new)
    _same(found, _real(new, old.state_dict()))
    assert found.causes == ('"layers" was renamed to "blocks": 12 keys',)


def test_a_prefix_a_renamed_block_and_a_changed_head_at_once(saved: Callable[..., str]) -> None:
    def net(name: str, outputs: int) -> torch.nn.Module:
        outer = torch.nn.Module()
        outer.add_module("stem", torch.nn.Linear(3, 5))
        outer.add_module(name, torch.nn.ModuleList([torch.nn.Linear(5, 5) for _ in range(4)]))
        outer.add_module("fc", torch.nn.Linear(5, outputs))
        return outer

    old, new = net("layers", 10), net("blocks", 4)
    state = {f"module.{key}": value for key, value in old.state_dict().items()}
    found = _ours(saved({"state_dict": state, "epoch": 3}), new)
    _same(found, _real(new, state))
    assert [cause.split(" (from")[0].split(":")[0] for cause in found.causes] == [
        'the checkpoint\'s keys begin with "module."',
        '"layers" was renamed to "blocks"',
        'only "fc" differs in its number of outputs, 10 in the checkpoint and 4 in the model',
    ]


def test_tied_weights_that_were_saved_once(saved: Callable[..., str]) -> None:
    module = Tied()
    state = {key: value for key, value in module.state_dict().items() if key != "head.weight"}
    found = _ours(saved(state), module)
    _same(found, _real(module, state))
    assert found.missing == ("head.weight",)
    assert '"head.weight" is tied to "embedding.weight"' in found.causes[0]


def test_other_keys_on_both_sides(trunk: Callable[..., Any], saved: Callable[..., str]) -> None:
    module, other = trunk("age", "sex"), trunk("age", "height")
    state = dict(other.state_dict())
    state["extra.thing"] = torch.zeros(2)
    found = _ours(saved(state), module)
    _same(found, _real(module, state))
    assert found.refused == 5


def test_what_fits_is_not_refused(trunk: Callable[..., Any], saved: Callable[..., str]) -> None:
    found = shapeinspect.diff(saved(trunk()), trunk(seed=1))
    assert found.refusal is not None
    assert found.refusal.refused == 0
    assert found.same
    assert not shapeinspect.diff(saved(trunk()), trunk(seed=1), values=True).same


def test_a_checkpoint_without_counters_is_taken(trunk: Callable[..., Any], saved: Callable[..., str]) -> None:
    module = trunk()
    state = {k: v for k, v in module.state_dict().items() if not k.endswith("num_batches_tracked")}
    assert _real(trunk(), state) == (set(), set(), set())
    assert _ours(saved(state), module).refused == 0


def test_the_live_side_is_loaded_into(trunk: Callable[..., Any], saved: Callable[..., str]) -> None:
    path = saved({f"module.{key}": value for key, value in trunk().state_dict().items()})
    forward, backward = shapeinspect.diff(path, trunk()), shapeinspect.diff(trunk(), path)
    assert forward.refusal is not None
    assert backward.refusal is not None
    assert forward.refusal.missing == backward.refusal.missing
    assert forward.refusal.causes == backward.refusal.causes


def test_a_layer_that_lost_a_key_lacks_that_slot_alone(
    trunk: Callable[..., Any], saved: Callable[..., str]
) -> None:
    state = trunk().state_dict()
    del state["norm.bias"]
    found = shapeinspect.diff(trunk(), saved(state), values=True)
    (layer,) = [layer for layer in found.layers if layer.status != "same"]
    assert {weight.slot: weight.status for weight in layer.weights} == {
        "weight": "same", "bias": "only_a", "mean": "same", "variance": "same",
    }  # fmt: skip
    assert layer.a == "norm"
    _same(_ours(saved(state), trunk()), _real(trunk(), state))
