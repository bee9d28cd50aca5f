"""Checkpoints of networks built with other settings: the setting is named, and with it the script loads."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import Diagnosis

Run = Callable[[str], None]

NETS = """
import math
import torch
from torch import nn

class Enlarged(nn.Module):
    def __init__(self, factor, width=7):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 5)
        self.out = nn.Conv2d(width, 3 * factor**2, 3)

class Doubled(nn.Module):
    def __init__(self, factor):
        super().__init__()
        steps = [nn.Sequential(nn.Conv2d(5, 20, 3)) for _ in range(int(math.log2(factor)))]
        self.stem, self.steps = nn.Conv2d(3, 5, 3), nn.Sequential(*steps, nn.Conv2d(5, 3, 3))

class Residual(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.stem = nn.Conv2d(3, 5, 3)
        self.blocks = nn.Sequential(*[nn.Conv2d(5, 5, 3) for _ in range((depth - 2) // 6)])

class Stages(nn.Module):
    def __init__(self, depths=(2, 3, 6), widths=(8, 12, 20)):
        super().__init__()
        rows = zip(depths, widths)
        self.stages = nn.ModuleList(nn.Sequential(*[nn.Linear(n, n) for _ in range(d)]) for d, n in rows)

class Mixer(nn.Module):
    def __init__(self, width=6, ratio=4.0):
        super().__init__()
        self.up, self.down = nn.Linear(width, int(width * ratio)), nn.Linear(int(width * ratio), width)

class Normed(nn.Module):
    def __init__(self, norm=True):
        super().__init__()
        layers = [nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5)] if norm else [nn.Conv2d(3, 5, 3)]
        self.stem, self.body = nn.Conv2d(3, 3, 1), nn.Sequential(*layers, nn.Conv2d(5, 4, 3))

"""

#: The network of the checkpoint and that of the script, the cause, and what is said of the setting.
CASES = {
    "a factor's square": (
        "Enlarged(2)", "Enlarged(4)", "state-dict",
        "factor=2; the model was built with factor=4: out.weight has 12 = 3·2² in the checkpoint, "
        "and 48 = 3·4² in the model",
    ),
    "a factor's logarithm": ("Doubled(8)", "Doubled(2)", "other-settings", "factor=8"),
    "a count of layers": ("Residual(32)", "Residual(20)", "other-settings", "depth=32"),
    "a list of depths": ("Stages((2, 3, 18))", "Stages()", "other-settings", "depths=(2, 3, 18)"),
    "a list of widths": ("Stages(widths=[4, 6, 10])", "Stages()", "state-dict", "widths=(4, 6, 10)"),
    "a ratio": ("Mixer(ratio=2.0)", "Mixer()", "state-dict", "ratio=2.0"),
    "a flag": ("Normed(False)", "Normed()", "other-settings", "norm=False"),
    "a setting that torch takes by name": (
        "nn.LSTM(5, 7, num_layers=3)", "nn.LSTM(5, 7, num_layers=2)", "other-settings", "num_layers=3",
    ),
}  # fmt: skip


def refused(run: Run, text: str) -> Diagnosis:
    with pytest.raises(RuntimeError, match="Error\\(s\\) in loading state_dict") as caught:
        run(NETS + text)
    found = explain_error(caught.value)
    assert found is not None
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_setting_is_named_and_the_script_loads_with_it(run: Run, case: str) -> None:
    stored, built, cause, said = CASES[case]
    text = f"state = {stored}.state_dict()\nmodel = {built}\nmodel.load_state_dict(state)\n"
    found = refused(run, text)
    assert found.cause == cause
    fact = found.failure.fact
    assert any(said in why for why in getattr(fact, "why", ()))
    new, _, old = found.fixes[0].text.partition(" instead of ")
    assert not found.fixes[0].fix.alters
    run(NETS + text.replace(old, new))
    assert all(one.fix.alters for one in found.fixes[1:])  # each of them leaves something out


def test_another_number_of_layers_is_said_where_no_setting_is_known(run: Run) -> None:
    found = refused(
        run, "state, (model,) = Residual(32).state_dict(), [Residual(20)]\nmodel.load_state_dict(state)\n"
    )
    assert found.cause == "other-depth"
    assert getattr(found.failure.fact, "why", ()) == ("blocks: 5 in the checkpoint, 3 in the model",)
    assert found.fixes[0].fix.alters == "what is loaded: 4 entries of the checkpoint are left out"


def test_the_same_weights_under_other_names_are_all_of_them(run: Run) -> None:
    state = 'state = {k.replace("body.", "layers."): v for k, v in Normed().state_dict().items() if KEPT}\n'
    load = "(model,) = [Normed()]\nmodel.load_state_dict(state)\n"
    assert refused(run, state.replace("KEPT", "True") + load).cause == "keys-renamed"
    found = refused(run, state.replace("KEPT", '"body.2." not in k') + load)
    assert found.cause == "renamed-in-part"
    assert found.fixes[0].fix.alters == "what is loaded: 2 keys of the model stay as initialized"
    found = refused(run, state.replace("KEPT", "True") + 'state["ema.decay"] = torch.ones(3)\n' + load)
    assert found.cause == "renamed-in-part"
    assert found.fixes[0].fix.alters == "what is loaded: 1 entry of the checkpoint is left out"


def test_layers_of_a_list_that_stand_one_further_on(run: Run) -> None:
    """Each stage merges at its end in the checkpoint, and at its beginning in the model."""
    text = """
class Stage(nn.Module):
    def __init__(self, width, merged):
        super().__init__()
        self.blocks = nn.Linear(width, width)
        if merged:
            self.merging = nn.Linear(*merged)

def net(first):
    widths = [(3, 6), (6, 12)]
    pairs = [*widths, None] if first else [None, *widths]
    return nn.Sequential(*[Stage(3 * 2**n, pair) for n, pair in enumerate(pairs)], nn.Linear(12, 5))

state = {"net." + k: v for k, v in net(True).state_dict().items() if not k.startswith("3.")}
(model,) = [nn.ModuleDict({"net": net(False)})]
model.load_state_dict(state, strict=False)
"""
    found = refused(run, text)
    assert found.cause == "keys-renamed"
    assert '"net.N.merging" in the checkpoint is "net.N+1.merging" in the model' in getattr(
        found.failure.fact, "why", ()
    )
    fix = found.fixes[0].text
    assert found.fixes[0].claim.text.startswith("load_state_dict runs to its end with it; 10 of 12 keys load")
    run(NETS + text.replace("model.load_state_dict(state, strict=False)", fix))
