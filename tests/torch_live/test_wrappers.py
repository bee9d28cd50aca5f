"""What training puts around a model is taken off, and one line says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn

import shapeinspect
from shapeinspect.api.debugging import diagnosis_of
from shapeinspect.errors import UsageError

CPU = torch.device("cpu")


class Net(nn.Module):
    """A body that a wrapper may go around, and a head that may not fit it."""

    def __init__(self, features: int = 11) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(7, 11), nn.ReLU())
        self.head = nn.Linear(features, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


@pytest.fixture
def _one_process() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.fixture
def _one_of_three() -> Iterator[None]:
    """This process holds a third of what is sharded; the other two do not exist, and nothing is sent."""
    fake = pytest.importorskip("torch.testing._internal.distributed.fake_pg")
    dist.init_process_group("fake", store=fake.FakeStore(), rank=0, world_size=3)
    yield
    dist.destroy_process_group()


def compiled(net: nn.Module) -> Any:
    return torch.compile(net, backend="eager")


def checkpointed(net: Any) -> Any:
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    net.body = checkpoint_wrapper(net.body)
    return net


def checkpointed_twice(net: Any) -> Any:
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    return checkpoint_wrapper(checkpointed(net))


def distributed(net: nn.Module) -> Any:
    return nn.parallel.DistributedDataParallel(net)


def distributed_and_compiled(net: nn.Module) -> Any:
    return distributed(compiled(net))


def sharded(net: Any) -> Any:
    from torch.distributed.fsdp import FullyShardedDataParallel

    net.body = FullyShardedDataParallel(net.body, device_id=CPU, use_orig_params=True)
    return FullyShardedDataParallel(net, device_id=CPU, use_orig_params=True)


def fully_sharded(net: Any) -> Any:
    from torch.distributed.fsdp import fully_shard

    mesh = dist.init_device_mesh("cpu", (dist.get_world_size(),))
    for part in (net.body, net):
        fully_shard(part, mesh=mesh)
    return net


def engine(net: nn.Module) -> Any:
    """Return a module laid out as DeepSpeed's, whose hooks are its own."""

    def forward(self: Any, *inputs: Any) -> Any:
        return self.module(*inputs)

    kind: Any = type("DeepSpeedEngine", (nn.Module,), {"forward": forward})
    kind.__module__ = "deepspeed.runtime.engine"
    around = kind()
    around.module = net
    return around


OPTIMIZED = "OptimizedModule (torch.compile)"
ALONE: list[tuple[Callable[[Any], Any], str]] = [
    (nn.DataParallel, "the DataParallel around it"),
    (compiled, f"the {OPTIMIZED} around it"),
    (checkpointed, 'the CheckpointWrapper around "body"'),
    (checkpointed_twice, 'the CheckpointWrapper around it and "body"'),
    (engine, "the DeepSpeedEngine around it"),
]
TOGETHER: list[tuple[Callable[[Any], Any], str]] = [
    (distributed, "the DistributedDataParallel around it"),
    (distributed_and_compiled, f"the DistributedDataParallel and the {OPTIMIZED} around it"),
    (sharded, 'the FullyShardedDataParallel around it and "body"'),
    (fully_sharded, "the hooks of fully_shard"),
]


def rows(report: shapeinspect.Report) -> list[Any]:
    shown = [(layer.path, layer.kind, layer.type, layer.output_shape) for layer in report]
    return [report.model.source, *shown, [[weight.name for weight in layer.weights] for layer in report]]


def is_seen_through(wrap: Callable[[Any], Any], without: str) -> None:
    x = torch.randn(2, 7)
    plain = Net()
    wrapped = wrap(Net())
    report = shapeinspect.inspect(wrapped, x)
    assert rows(report) == rows(shapeinspect.inspect(plain, x))
    assert [note.text for note in report.notes] == [f"shown without {without}"]
    fitting = shapeinspect.fit(wrapped, (2, 7))
    assert str(fitting) == str(shapeinspect.fit(plain, (2, 7)))
    assert "any" in str(fitting)
    # Nothing of it was changed: it still runs as it did.
    assert wrapped(x).shape == (2, 3)
    failing = wrap(Net(13))
    with pytest.raises(Exception, match=r"2x11 and 13x3|2, 11\] X \[13, 3") as caught:
        shapeinspect.debug(failing, x)
    diagnosis = diagnosis_of(caught.value)
    assert diagnosis is not None
    assert diagnosis.layer.path == "head"
    text = " ".join("\n".join(caught.value.__notes__).split())
    assert "i = 13" in text
    assert f"note shown without {without}" in text


@pytest.mark.parametrize(("wrap", "without"), ALONE)
def test_a_wrapper_is_taken_off(wrap: Callable[[Any], Any], without: str) -> None:
    is_seen_through(wrap, without)


@pytest.mark.usefixtures("_one_process")
@pytest.mark.parametrize(("wrap", "without"), TOGETHER)
def test_a_wrapper_of_several_processes_is_taken_off(wrap: Callable[[Any], Any], without: str) -> None:
    is_seen_through(wrap, without)


def test_an_assertion_sees_the_model_itself(shapes: Any) -> None:
    r = shapes(compiled(checkpointed(Net())), (2, 7))
    r.expect("body.0: linear i=7 o=11", "head: linear i=11")
    assert r["body.0"].output.matches("n 11")


def test_a_wrapper_inside_keeps_the_names_of_weights() -> None:
    for wrap in (nn.DataParallel, compiled):
        net = Net()
        net.body = wrap(net.body)
        report = shapeinspect.inspect(net, (2, 7))
        assert {w.name for layer in report for w in layer.weights} == set(net.state_dict())
        assert report.model.values[report.model.outputs[0]].shape == (2, 3)
    inner = checkpointed(Net())
    names = {w.name for layer in shapeinspect.inspect(inner, (2, 7)) for w in layer.weights}
    assert names == set(inner.state_dict())


@pytest.mark.usefixtures("_one_of_three")
def test_the_shapes_of_sharded_weights_are_the_whole_ones() -> None:
    net = fully_sharded(Net())
    assert net.head.weight.to_local().shape == (1, 11)
    report = shapeinspect.inspect(net, (2, 7))
    assert rows(report) == rows(shapeinspect.inspect(Net(), (2, 7)))
    assert all(weight.values is None for layer in report for weight in layer.weights)


@pytest.mark.usefixtures("_one_of_three")
@pytest.mark.parametrize("original", [False, True])
def test_weights_in_pieces_are_refused(original: bool) -> None:
    from torch.distributed.fsdp import FullyShardedDataParallel

    net = FullyShardedDataParallel(Net(), device_id=CPU, use_orig_params=original)
    with pytest.raises(UsageError, match="in pieces") as caught:
        shapeinspect.inspect(net, (2, 7))
    assert "summon_full_params" in str(caught.value.hint)


def test_weights_that_deepspeed_has_released_are_refused() -> None:
    # Source: ``Init._convert_to_deepspeed_param`` in deepspeed/runtime/zero/partition_parameters.py.
    net: Any = Net()
    net.head.weight.ds_shape = net.head.weight.shape
    assert len(list(shapeinspect.inspect(net, (2, 7)))) == len(list(shapeinspect.inspect(Net(), (2, 7))))
    net.head.weight.data = torch.empty(0)
    with pytest.raises(UsageError, match="DeepSpeed keeps the weights in pieces") as caught:
        shapeinspect.inspect(net, (2, 7))
    assert "GatheredParameters" in str(caught.value.hint)


@pytest.mark.usefixtures("_one_process")
def test_flat_weights_are_read_where_they_are_whole() -> None:
    from torch.distributed.fsdp import FullyShardedDataParallel

    net = FullyShardedDataParallel(Net(), device_id=CPU)
    with pytest.raises(UsageError, match="in pieces"):
        shapeinspect.inspect(net, (2, 7))
    with FullyShardedDataParallel.summon_full_params(net):
        assert rows(shapeinspect.inspect(net, (2, 7))) == rows(shapeinspect.inspect(Net(), (2, 7)))


def test_a_model_that_keeps_the_handle_of_a_hook_is_read() -> None:
    net: Any = Net()
    seen: list[int] = []
    net.handle = net.head.register_forward_hook(lambda *_: seen.append(1))
    assert rows(shapeinspect.inspect(net, (2, 7))) == rows(shapeinspect.inspect(Net(), (2, 7)))
    assert not seen
    net(torch.randn(2, 7))
    assert seen == [1]
