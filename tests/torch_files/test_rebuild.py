"""The rebuild functions with every kind of wrong argument: a tensor, nothing, or the one error."""

from __future__ import annotations

import io
import pickle
import random
import zipfile
from pathlib import Path

import pytest
import torch

from shapeinspect.binary.pickles.records import Global, Ordered, Persistent, Reduce, SetOf
from shapeinspect.errors import UnreadableFileError
from shapeinspect_torch.pickles import rebuild
from shapeinspect_torch.pickles.contents import Survey, choose
from shapeinspect_torch.pickles.rebuild import Rebuilder

STORAGE = Persistent(("storage", Global("torch", "FloatStorage"), "0", "cpu", 12))
TENSOR = Reduce(Global("torch._utils", "_rebuild_tensor_v2"), (STORAGE, 0, (3, 4), (4, 1), False, Ordered()))
FLOATS = Global("torch", "FloatStorage")
VALUES = [
    None, True, 0, 1, -1, 3, 2**70, 1.5, "", "text", b"bytes", [], [1, 2], {}, {"a": 1}, SetOf([1]),
    Ordered(), (), (3, 4), (4, 1), (0,), (-1,), ("x",), (2**40, 2**40), STORAGE, TENSOR,
    Persistent(None), Persistent(("storage",)), Persistent(("storage", 1, 2, 3, 4)),
    Persistent(("storage", FLOATS, "1", "cpu", -4)),
    Persistent(("storage", FLOATS, "1", "cpu", 4, ("v", 1, 9))),
    Global("torch", "float16"), Global("torch", "sparse_coo"), Global("torch", "per_tensor_affine"),
    Global("torch.nn.parameter", "Parameter"), Reduce(Global("torch", "Size"), ((3, 4),)),
    Reduce(Global("torch", "Size"), 7), Reduce(None, None),
    Reduce(Global("numpy", "dtype"), ("f4", False, True)),
]  # fmt: skip
KEYS = ["model", "state_dict", "optimizer", "net", "ema", "a", 7, None, "param_groups", "state"]


@pytest.mark.parametrize("name", sorted(rebuild.FUNCTIONS))
def test_wrong_arguments(name: str) -> None:
    random_ = random.Random(name)
    func = Global(*name.rsplit(".", 1))
    outcomes = set()
    for _ in range(300):
        args = tuple(random_.choice(VALUES) for _ in range(random_.randint(0, 8)))
        state = random_.choice([None, *VALUES, (1, (3, 4), VALUES[-1], False, b"x" * 48)])
        record = Reduce(func, random_.choice([args, args, args, list(args), None]), state=state)
        try:
            made = Rebuilder("x").tensor(record)
        except UnreadableFileError:
            outcomes.add("refused")
        else:
            outcomes.add(type(made).__name__)
            if made is not None:
                assert made.nbytes is None or made.nbytes >= 0
    assert outcomes <= {"refused", "Tensor", "NoneType"}
    assert "refused" in outcomes


def test_choice_among_odd_records() -> None:
    """Containers of anything, nested at random, never raise anything else."""
    random_ = random.Random(3)

    def node(depth: int) -> object:
        if depth == 0 or random_.random() < 0.3:
            return random_.choice(VALUES)
        inner = [node(depth - 1) for _ in range(random_.randint(0, 4))]
        keys = random_.sample(KEYS, len(inner))
        made = Reduce(Global("some", "Class"), (), state=dict(zip(keys, inner, strict=True)))
        return random_.choice([inner, tuple(inner), dict(zip(keys, inner, strict=True)), SetOf(inner), made])

    for _ in range(1000):
        top = node(4)
        tensors = Rebuilder("x")
        try:
            chosen = choose(top, tensors, Survey(top, tensors))
        except UnreadableFileError:
            continue
        assert isinstance(chosen.path, tuple)


def test_a_type_that_is_not_known_yet(tmp_path: Path, read, weights) -> None:
    class Record:
        def __reduce__(self):
            storage = Storage()
            return torch._utils._rebuild_tensor_v3, (storage, 0, (3, 4), (4, 1), False, {}, torch.uint8)

    class Storage:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return ("storage", torch.UntypedStorage, "0", "cpu", 12) if isinstance(obj, Storage) else None

    out = io.BytesIO()
    Pickler(out, 2).dump({"a": Record()})
    path = tmp_path / "a.pt"
    data = out.getvalue()
    assert data.count(b"ctorch\nuint8\n") == 1
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", data.replace(b"ctorch\nuint8\n", b"ctorch\nfloat3\n"))
        archive.writestr("a/data/0", bytes(12))
    weight = weights(read(path))["a"]
    assert (weight.shape, weight.dtype, weight.nbytes) == ((3, 4), None, None)
