"""Checkpoints of other sizes: what the module is built with is changed, and the script then loads it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import Diagnosis
from shapeinspect.plugin_api.programs.source_edit import edited
from shapeinspect_torch.debug.loading.written_sizes import written_sizes

Run = Callable[[str], None]

NETS = """
import torch
from torch import nn

class Basic(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(d, d, 3), nn.Conv2d(d, d, 3)

class Bottleneck(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(d, 5, 1), nn.Conv2d(5, 5, 3), nn.Conv2d(5, d, 1)

class Net(nn.Module):
    def __init__(self, d=7, block="basic", words=43):
        super().__init__()
        self.words = nn.Embedding(words, d)
        self.layer = (Bottleneck if block.lower() == "bottleneck" else Basic)(d)
        self.head = nn.Linear(d, words)

class Low(nn.Module):
    def __init__(self, layer, rank):
        super().__init__()
        self.layer = layer
        self.lora_A = nn.Linear(layer.in_features, rank, bias=False)
        self.lora_B = nn.Linear(rank, layer.out_features, bias=False)

class Config:
    def __init__(self, rank=4):
        self.rank = rank

def adapted(model, config):
    model.head = Low(model.head, config.rank)
    return model

"""


def failed(run: Run, text: str) -> tuple[str, Diagnosis, RuntimeError]:
    with pytest.raises(RuntimeError, match="Error\\(s\\) in loading state_dict") as caught:
        run(NETS + text)
    found = explain_error(caught.value)
    assert found is not None
    return NETS + text, found, caught.value


def pasted(text: str, fix: str) -> str:
    new, _, old = fix.partition(" instead of ")
    assert text.count(old) == 1
    return text.replace(old, new)


def test_the_module_inside_a_wrapper_is_built_with_other_blocks(run: Run) -> None:
    stored = 'state = nn.DataParallel(Net(7, "BOTTLENECK")).state_dict()\n'
    load = (
        'kind = "basic"\nmodel = Net(7, kind)\nmodel = nn.DataParallel(model)\nmodel.load_state_dict(state)\n'
    )
    text, found, _ = failed(run, stored + load)
    first = found.fixes[0].text
    assert first == 'model = Net(7, "bottleneck") instead of model = Net(7, kind)'
    run(pasted(text, first))


def test_a_wrapper_in_one_line_is_read_as_well(run: Run) -> None:
    stored = "state = nn.DataParallel(Net(9)).state_dict()\n"
    text, found, _ = failed(run, f"{stored}model = nn.DataParallel(Net(7))\nmodel.load_state_dict(state)\n")
    assert found.fixes[0].text.startswith("model = nn.DataParallel(Net(9)) instead of")
    run(pasted(text, found.fixes[0].text))


def test_no_row_of_a_table_is_left_out_where_the_module_can_have_all(run: Run) -> None:
    stored = "state = Net(words=45).state_dict()\nwords = [n for n in range(43)]\n"
    text, found, _ = failed(run, f"{stored}model = Net(words=len(words))\nmodel.load_state_dict(state)\n")
    first, *others = found.fixes
    assert first.text == "model = Net(words=45) instead of model = Net(words=len(words))"
    changed = {one.fix.alters for one in others}
    assert changed == {"what is loaded: 2 of 45 rows are left out", "what is loaded: whole keys are left out"}
    assert not first.fix.alters
    run(pasted(text, first.text))


@pytest.mark.parametrize("given", ["", "rank=4"])
def test_a_size_is_changed_on_the_side_of_the_module_only(run: Run, given: str) -> None:
    stored = "state = adapted(Net(), Config(rank=8)).state_dict()\n"
    load = f"config = Config({given})\nmodel = adapted(Net(), config)\nmodel.load_state_dict(state)\n"
    text, _, error = failed(run, stored + load)
    suggestions = [*written_sizes(error)]
    assert suggestions
    ways = []
    for one in suggestions:
        new = edited(text, one.edits)
        assert "adapted(Net(), Config(rank=8))" in new  # what was saved stays as it is
        try:
            run(new)
        except RuntimeError:
            continue
        ways.append(next(b for a, b in zip(text.splitlines(), new.splitlines(), strict=True) if a != b))
    assert ways[0] == "config = Config(rank=8)"


def test_leaving_out_what_does_not_load_is_no_setting_to_try() -> None:
    from shapeinspect_torch.debug.edit_words import WORDS

    assert not any("strict" in value for values in WORDS.settings.values() for value in values)


def test_a_layer_whose_size_follows_from_an_array_is_explained(run: Run) -> None:
    text = """
class Counting(nn.Module):
    def __init__(self, borders, d=7):
        super().__init__()
        self.borders = borders
        self.head = nn.Linear(d, len(borders) + 1)

published = Counting(torch.arange(11.)).state_dict()
Counting(torch.arange(5.)).load_state_dict(published)
"""
    _, found, _ = failed(run, text)
    assert found.cause == "other-classes"
    assert found.layer is not None
    assert found.layer.path == "head"
    assert [one.text for one in found.fixes] == ['out_features=12 in "head"']
