"""A model inside of ``with debug(model)`` is written, copied and compiled as outside of it."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest
import torch

from shapeinspect import debug


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(3, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x)


def written(net: Any) -> bytes:
    target = io.BytesIO()
    torch.save(net, target)
    return target.getvalue()


def test_what_is_written_is_the_same() -> None:
    net = Net()
    before = pickle.dumps(net), written(net)
    with debug(net):
        assert (pickle.dumps(net), written(net)) == before
        assert b"shapeinspect" not in written(net)
        loaded = torch.load(io.BytesIO(written(net)), weights_only=False)
    assert torch.equal(loaded(torch.ones(2, 3)), net(torch.ones(2, 3)))
    assert (pickle.dumps(net), written(net)) == before


def test_a_copy_keeps_no_hook() -> None:
    net = Net()
    with debug(net):
        deep, shallow = copy.deepcopy(net), copy.copy(net)
        for other in (deep, torch.optim.swa_utils.AveragedModel(net).module):
            assert type(other._forward_pre_hooks) is type(net.fc._forward_pre_hooks)
            assert not other._forward_pre_hooks
            assert not other._forward_pre_hooks_with_kwargs
    assert shallow(torch.ones(2, 3)).shape == (2, 5)
    assert not net._forward_pre_hooks
    assert type(net._forward_pre_hooks) is type(net.fc._forward_pre_hooks)


def test_a_model_is_compiled_inside() -> None:
    net, x = Net(), torch.ones(2, 3)
    with debug(net):
        assert torch.equal(torch.jit.script(net)(x), net(x))
        assert torch.equal(torch.jit.trace(net, x)(x), net(x))
        assert torch.equal(torch.export.export(net, (x,)).module()(x), net(x))


@pytest.mark.filterwarnings("error")
def test_dynamo_sees_one_graph_inside() -> None:
    net, x = Net(), torch.ones(2, 3)
    with debug(net):
        compiled = torch.compile(net, backend="eager", fullgraph=True)
        assert torch.equal(compiled(x), net(x))


def test_a_failing_call_is_still_explained() -> None:
    net = Net()
    with pytest.raises(RuntimeError) as caught, debug(net):
        net(x=torch.ones(2, 4))
    assert any('layer "fc"' in note for note in caught.value.__notes__)


@pytest.mark.parametrize("inside", [True, False])
def test_hooks_of_the_users_own_live_on(inside: bool) -> None:
    """One is registered before the block, one in it; each is removed in the block or after it."""
    net, x, seen = Net(), torch.ones(2, 3), []
    first = net.register_forward_pre_hook(lambda *_: seen.append("first"))
    with debug(net):
        second = net.register_forward_pre_hook(lambda *_: seen.append("second"))
        net(x)
        assert seen == ["first", "second"]
        if inside:
            first.remove()
            second.remove()
            net(x)
    net(x)
    assert seen == ["first", "second"] * (1 if inside else 2)
    first.remove()
    second.remove()
    net(x)
    assert len(seen) == (2 if inside else 4)
    assert not net._forward_pre_hooks


def test_blocks_in_blocks() -> None:
    net = Net()
    with debug(net), debug(net):
        assert net(torch.ones(2, 3)).shape == (2, 5)
        assert len(net._forward_pre_hooks) == 2
    assert not net._forward_pre_hooks
