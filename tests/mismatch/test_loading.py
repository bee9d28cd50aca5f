"""Weights that do not load: the code that is printed is run on the real model, and loads what is claimed."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import shapeinspect
from shapeinspect.api.debugging import explain_error, is_explained
from shapeinspect.mismatch import Diagnosis
from shapeinspect.plugin_api.facts import KeyedLoad
from shapeinspect.plugin_api.user_code.build_search import counts, search

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402  # it needs torch


class Net(nn.Module):
    """A network with a table, a norm with buffers, and a head."""

    def __init__(self, classes: int = 5, width: int = 12) -> None:
        super().__init__()
        self.tokens = nn.Embedding(31, width)
        self.position_embeddings = nn.Embedding(16, width)
        self.hidden = nn.Linear(width, 18)
        self.norm = nn.BatchNorm1d(18)
        self.head = nn.Linear(18, classes)


def load(model: Any, state: Any) -> None:
    """Stand for the user's code."""
    model.load_state_dict(state)


def explained(model: Any, state: Any) -> Diagnosis:
    """Return the diagnosis of a load that fails."""
    with pytest.raises((RuntimeError, TypeError)) as caught:
        load(model, state)
    diagnosis = explain_error(caught.value)
    assert diagnosis is not None
    return diagnosis


def prefixed(state: Any, prefix: str) -> dict[str, Any]:
    return {prefix + key: value for key, value in state.items()}


def shifted(state: Any, **sizes: Any) -> dict[str, Any]:
    return {**state, **{key.replace("_weight", ".weight"): value for key, value in sizes.items()}}


#: What was done to the state_dict, and the cause that it has.
CHANGES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "module.": (lambda state: prefixed(state, "module."), "keys-prefixed"),
    "module._orig_mod.": (lambda state: prefixed(state, "module._orig_mod."), "keys-prefixed"),
    "net. and more": (
        lambda state: prefixed(state, "net.") | {"criterion.weight": torch.ones(5)},
        "keys-prefixed",
    ),
    "nested": (lambda state: {"epoch": 3, "model": state}, "nested-checkpoint"),
    "nested twice, prefixed": (
        lambda state: {"ema": {"shadow": prefixed(state, "module.")}, "step": 9},
        "nested-checkpoint",
    ),
    "renamed": (
        lambda state: {
            key.replace("hidden.", "fc1.").replace("norm.", "bn."): value for key, value in state.items()
        },
        "keys-renamed",
    ),
    "transposed": (
        lambda state: {key: v.t() if key == "hidden.weight" else v for key, v in state.items()},
        "stored-transposed",
    ),
    "missing": (
        lambda state: {key: v for key, v in state.items() if not key.startswith("head.")},
        "keys-missing",
    ),
    "unexpected": (lambda state: {**state, "aux.weight": torch.ones(3, 7)}, "keys-unexpected"),
    "no tensor": (lambda state: {**state, "classes": ["cat", "dog"]}, "keys-unexpected"),
    "other classes": (
        lambda state: shifted(state, head_weight=torch.ones(9, 18)) | {"head.bias": torch.ones(9)},
        "other-classes",
    ),
    "more tokens": (lambda state: shifted(state, tokens_weight=torch.ones(29, 12)), "vocabulary"),
    "more positions": (
        lambda state: {**state, "position_embeddings.weight": torch.rand(40, 12)},
        "position-table",
    ),
    "arrays": (lambda state: {key: v.numpy() for key, v in state.items()}, "not-tensors"),
    "adapters": (
        lambda state: (
            {key.replace("hidden.", "hidden.base_layer."): v for key, v in state.items()}
            | {"hidden.lora_A.weight": torch.ones(2, 12), "hidden.lora_B.weight": torch.ones(18, 2)}
        ),
        "adapter",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_printed_loads_what_is_claimed(name: str) -> None:
    """The values of the real model after the printed code are counted, and held against the claim."""
    change, cause = CHANGES[name]
    trained, model = Net(), Net()
    state = change(trained.state_dict())
    diagnosis = explained(model, state)
    assert diagnosis.cause == cause
    repairs = [tried for tried in diagnosis.fixes if "load_state_dict" in tried.text]
    assert repairs
    for tried in repairs:
        fresh = Net()
        for tensor in fresh.state_dict().values():
            tensor.fill_(77)
        eval(tried.text, {"model": fresh, "state": state, "torch": torch})
        loaded = sum(1 for tensor in fresh.state_dict().values() if not bool((tensor == 77).all()))
        claimed = re.search(r"(?:all )?(\d+)(?: of \d+)? keys", tried.claim.text)
        assert claimed is not None
        assert int(claimed[1]) == loaded, tried.text


def test_the_model_and_the_generators_stay_as_they_are() -> None:
    model = Net()
    state = prefixed(Net(classes=9).state_dict(), "module.")
    with pytest.raises(RuntimeError) as caught:
        load(model, state)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    random = torch.get_rng_state()
    explain_error(caught.value)
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(value.device.type == "cpu" for value in model.state_dict().values())


def test_another_architecture_gets_no_repair() -> None:
    other = nn.Sequential(nn.Conv2d(3, 7, 5), nn.BatchNorm2d(7))
    diagnosis = explained(Net(), other.state_dict())
    assert diagnosis.cause == "other-architecture"
    assert diagnosis.fixes == ()


def test_adapters_alone_are_not_called_loaded() -> None:
    state = {"hidden.lora_A.weight": torch.ones(2, 12), "hidden.lora_B.weight": torch.ones(18, 2)}
    diagnosis = explained(Net(), state)
    assert diagnosis.cause == "adapter"
    assert diagnosis.fixes == ()


def test_the_argument_is_named_that_fits_the_checkpoint() -> None:
    state = Net(width=20).state_dict()
    model = Net(5)
    with pytest.raises(RuntimeError) as caught:
        model.load_state_dict(state)
    diagnosis = explain_error(caught.value)
    assert diagnosis is not None
    assert diagnosis.fixes[0].text == "model = Net(5, width=20) instead of model = Net(5)"
    assert "all 11 keys of the model load" in diagnosis.fixes[0].claim.text


def test_interpolated_positions_are_those_of_a_grid() -> None:
    """The middle of a grid of which each entry is its row number stays the mean of the rows."""

    class Patches(nn.Module):
        def __init__(self, side: int) -> None:
            super().__init__()
            self.pos_embed = nn.Parameter(torch.zeros(1, side * side + 1, 3))

    stored = torch.zeros(1, 26, 3)
    stored[0, 0] = 8.0
    stored[0, 1:] = torch.arange(5.0).repeat_interleave(5)[:, None]
    model = Patches(9)
    diagnosis = explained(model, {"pos_embed": stored})
    eval(diagnosis.fixes[0].text, {"model": model, "state": {"pos_embed": stored}, "torch": torch})
    assert bool((model.pos_embed[0, 0] == 8.0).all())
    rows = model.pos_embed[0, 1:, 0].reshape(9, 9)
    assert torch.allclose(rows, rows[:, :1].expand(9, 9), atol=1e-5)
    assert rows[4, 0].item() == pytest.approx(2.0, abs=1e-5)
    assert bool((rows[1:, 0] > rows[:-1, 0]).all())


def test_the_table_names_what_loads_and_what_does_not() -> None:
    model = Net()
    state = dict(Net(classes=9).state_dict()) | {"extra": torch.ones(2)}
    del state["norm.weight"]
    with pytest.raises(RuntimeError) as caught, shapeinspect.debug():
        load(model, state)
    note = "\n".join(caught.value.__notes__)
    assert re.search(r"keys +loaded +8 ", note)
    assert re.search(r"reshaped +2 +head\.weight: \(9, 18\), wanted \(5, 18\)", note)
    assert re.search(r"missing +1 +norm\.weight", note)
    assert re.search(r"unexpected +1 +extra", note)


def test_a_search_changes_the_settings_that_leave_no_problem() -> None:
    """The model's lengths are width and 4·width, and side² + 1; the checkpoint has width 6 and side 5."""

    def problems(changes: dict[tuple[str, ...], Any]) -> int:
        width, side = changes.get(("width",), 3), changes.get(("side",), 4)
        return (width != 6) + (4 * width != 24) + (side * side + 1 != 26)

    settings = {("width",): 3, ("side",): 4, ("heads",): 2}
    changes, left = search(settings, [(6, 3), (24, 12), (26, 17)], flags=False, problems=problems, now=3)
    assert left == 0
    assert changes == {("width",): 6, ("side",): 5}


def test_layers_of_a_stack_are_counted() -> None:
    keys = ["rnn.weight_ih_l0", "rnn.weight_ih_l1", "h.0.w", "h.1.w", "h.2.w"]
    assert counts(keys) == {"rnn.weight_ih": 2, "h": 3}


def test_a_path_is_opened(tmp_path: Path) -> None:
    trained, model, path = Net(), Net(), tmp_path / "net.pt"
    torch.save({"state_dict": prefixed(trained.state_dict(), "module.")}, path)
    diagnosis = explained(model, path)
    exec(diagnosis.fixes[0].text, {"model": model, "state": path, "torch": torch})
    assert torch.equal(model.hidden.weight, trained.hidden.weight)


def test_a_script_module_is_not_loaded_into() -> None:
    model = torch.jit.script(nn.Sequential(nn.Linear(4, 3)))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = prefixed({key: value + 1 for key, value in before.items()}, "module.")
    diagnosis = explained(model, state)
    assert diagnosis.fixes
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_what_a_module_refuses_itself_is_left_to_it() -> None:
    class Checked(nn.Module):
        def _load_from_state_dict(self, *args: Any) -> None:
            args[-1].append("this checkpoint was made by version 1")

    with pytest.raises(RuntimeError) as caught:
        load(nn.Sequential(Checked()), {})
    assert explain_error(caught.value) is None


def test_a_forward_without_inputs_is_not_run() -> None:
    class Refusing(Net):
        def forward(self, ids: Any = None) -> Any:
            raise ValueError("give one of ids or embeddings")

    diagnosis = explained(Refusing(), prefixed(Net().state_dict(), "module."))
    assert diagnosis.cause == "keys-prefixed"


def test_sizes_that_only_a_message_tells() -> None:
    """Loaders of libraries raise torch's messages themselves."""
    model = Net()

    def from_pretrained() -> None:
        assert model is not None
        raise RuntimeError(
            "size mismatch for head.weight: copying a param with shape torch.Size([9, 18]) from checkpoint, "
            "the shape in current model is torch.Size([5, 18]).\n\tYou may consider adding "
            "`ignore_mismatched_sizes=True`"
        )

    with pytest.raises(RuntimeError) as caught:
        from_pretrained()
    diagnosis = explain_error(caught.value)
    assert diagnosis is not None
    assert diagnosis.layer.path == "head"
    assert diagnosis.cause == "other-classes"
    assert diagnosis.fixes == ()  # no line of the user's calls the loader here


class Attention(nn.Module):
    """Projections of query, key and value, in one matrix or in three."""

    def __init__(self, joined: bool) -> None:
        super().__init__()
        if joined:
            self.qkv = nn.Linear(6, 24)
        else:
            self.query, self.key, self.value = nn.Linear(6, 8), nn.Linear(6, 8), nn.Linear(6, 8)
        self.out = nn.Linear(8, 5)


@pytest.mark.parametrize("joined", [False, True])
def test_joined_and_separate_projections(joined: bool) -> None:
    trained = nn.Sequential(Attention(joined), nn.LayerNorm(5))
    model = nn.Sequential(Attention(not joined), nn.LayerNorm(5))
    state = trained.state_dict()
    diagnosis = explained(model, state)
    exec(diagnosis.fixes[0].text, {"model": model, "state": state, "torch": torch})
    one, apart = (trained[0], model[0]) if joined else (model[0], trained[0])
    for role in ("weight", "bias"):
        parts = [getattr(getattr(apart, name), role) for name in ("query", "key", "value")]
        assert torch.equal(getattr(one.qkv, role), torch.cat(parts))
    assert torch.equal(trained[0].out.weight, model[0].out.weight)


def test_names_of_the_user_s_that_look_like_placeholders() -> None:
    """What is printed has the user's own texts, whatever they are."""
    model, trained = Net(), Net()
    snapshot = {"MODEL.STATE": prefixed(trained.state_dict(), "module."), "TORCH.NEW": 1}
    with pytest.raises(RuntimeError) as caught:
        model.load_state_dict(snapshot["MODEL.STATE"])
    diagnosis = explain_error(caught.value)
    assert diagnosis is not None
    exec(diagnosis.fixes[0].text, {"model": model, "snapshot": snapshot, "torch": torch})
    assert torch.equal(model.hidden.weight, trained.hidden.weight)


def test_an_error_is_explained_before_its_temporary_folder_is_removed() -> None:
    leave = tempfile.TemporaryDirectory.__exit__
    found: list[bool] = []

    class Folder(tempfile.TemporaryDirectory):  # type: ignore[type-arg]  # of either kind of names
        def cleanup(self) -> None:
            error = sys.exc_info()[1]
            found.append(Path(self.name).exists() and error is not None and is_explained(error))
            super().cleanup()

    model, state = Net(), prefixed(Net().state_dict(), "module.")
    with pytest.raises(RuntimeError), shapeinspect.debug(), Folder():
        load(model, state)
    assert found == [True]
    assert tempfile.TemporaryDirectory.__exit__ is leave


def test_a_builder_that_loads_is_not_called_again() -> None:
    calls: list[int] = []

    def build(width: int) -> Net:
        calls.append(width)
        net = Net(width=width)
        net.load_state_dict(net.state_dict())
        return net

    model = build(12)
    with pytest.raises(RuntimeError) as caught:
        model.load_state_dict(Net(width=20).state_dict())
    explain_error(caught.value)
    assert calls == [12]


def test_of_two_parts_the_one_whose_shapes_fit() -> None:
    def encoder(a: int, b: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(a, 6), nn.ReLU(), nn.Linear(6, b))

    state = nn.ModuleDict({"decoder": encoder(3, 9), "encoder": encoder(9, 3)}).state_dict()
    diagnosis = explained(encoder(9, 3), state)
    assert "encoder." in diagnosis.fixes[0].text
    assert "decoder." not in diagnosis.fixes[0].text
    assert "all 4 keys" in diagnosis.fixes[0].claim.text
    twins = nn.ModuleDict({"student": encoder(9, 3), "teacher": encoder(9, 3)}).state_dict()
    fact = explained(encoder(9, 3), twins).failure.fact
    assert isinstance(fact, KeyedLoad)
    assert 'those that begin with "teacher." would do as well' in fact.why


def _residual(blocks: int, deep: bool) -> dict[str, tuple[int, ...]]:
    """The shapes of a stack of residual blocks: two layers each, or three where they are deep."""
    shapes: dict[str, tuple[int, ...]] = {"stem.weight": (8, 3)}
    for index in range(blocks):
        path = f"stage.{index}"
        shapes |= {f"{path}.conv1.weight": (8, 32) if deep else (8, 8), f"{path}.norm1.weight": (8,)}
        shapes |= {f"{path}.conv2.weight": (8, 8), f"{path}.norm2.weight": (8,)}
        if deep:
            shapes |= {f"{path}.conv3.weight": (32, 8), f"{path}.norm3.weight": (8,)}
    return shapes


def test_equal_shapes_in_other_blocks_are_no_renaming() -> None:
    from shapeinspect_torch.debug.loading.renames import renaming

    have, want = _residual(3, deep=True), _residual(7, deep=False)
    assert renaming(have, want).key == "k"
    moved = {key.replace("norm", "bn"): shape for key, shape in want.items()}
    assert {renaming(want, moved).apply(key) for key in want} == set(moved)


def test_layers_of_which_only_lengths_agree_are_not_taken_for_each_other() -> None:
    from shapeinspect_torch.debug.loading.renames import renaming

    have = {"up.3.norm.weight": (6,), "up.3.norm.bias": (6,), "up.3.scale": (4, 3), "end.weight": (2, 5)}
    want = {name.replace("up.3", "down.1"): shape for name, shape in have.items()} | {"down.1.scale": (7, 3)}
    assert renaming(have, want).key == "k"
    # where all weights of the layer fit, its matrix among them, it is the same layer
    moved = want | {"down.1.scale": (4, 3)}
    assert {renaming(have, moved).apply(key) for key in have} == set(moved)
    # and two lengths that nothing contradicts are told as before
    norms = {name: shape for name, shape in have.items() if "scale" not in name}
    other = {name: shape for name, shape in want.items() if "scale" not in name}
    assert {renaming(norms, other).apply(key) for key in norms} == set(other)
