"""Writes ``data``: checkpoints that Flax and Orbax made, and what JAX itself says of them.

Run it where flax, optax and orbax-checkpoint are installed; the tests need none of them.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
from flax import serialization
from flax.training.train_state import TrainState

DATA = Path(__file__).parent / "data"


class Net(nn.Module):
    """One layer of each kind, no two lengths the same."""

    @nn.compact
    def __call__(self, x: jax.Array, ids: jax.Array) -> jax.Array:
        x = nn.Conv(11, (5, 7), name="conv")(x)
        x = nn.Conv(6, (3, 2))(x)
        x = nn.BatchNorm(use_running_average=False, name="bn")(x)
        x = nn.ConvTranspose(13, (3, 2))(x)
        x = nn.ConvTranspose(14, (3, 2), transpose_kernel=True)(x)
        x = nn.GroupNorm(num_groups=7)(x)
        x = nn.LayerNorm(name="norm")(x.mean((1, 2)))
        x = nn.RMSNorm()(nn.Dense(17, name="fc")(x))
        e = nn.Embed(19, 6, name="emb")(ids)
        e = nn.MultiHeadDotProductAttention(num_heads=2, qkv_features=8, name="att")(e, e)
        x = x + nn.RNN(nn.LSTMCell(9), name="lstm")(e).mean() + nn.RNN(nn.GRUCell(10), name="gru")(e).mean()
        x = nn.PReLU()(nn.DenseGeneral((4, 5), name="wide")(x))
        return nn.WeightNorm(nn.Dense(3))(x)


def _listed(tree: object) -> list[list[object]]:
    leaves = jax.tree_util.tree_leaves_with_path(serialization.to_state_dict(tree))
    arrays = [(path, leaf) for path, leaf in leaves if hasattr(leaf, "shape")]
    return [["/".join(key.key for key in path), list(leaf.shape), str(leaf.dtype)] for path, leaf in arrays]


def _outputs() -> dict[str, object]:
    draw = np.random.default_rng(3).integers
    found = {}
    signal, image = draw(-3, 4, (2, 4, 3)), draw(-3, 4, (2, 5, 4, 3))
    cases = {
        "Dense": (nn.Dense(5), signal),
        "Conv1": (nn.Conv(5, (2,), padding="VALID"), signal),
        "Conv2": (nn.Conv(7, (2, 3), padding="VALID"), image),
        "ConvTranspose": (nn.ConvTranspose(7, (2, 3), (2, 1), padding="VALID"), image),
        "ConvTransposeTurned": (
            nn.ConvTranspose(7, (2, 3), (2, 1), padding="VALID", transpose_kernel=True),
            image,
        ),
        "DenseGeneral": (nn.DenseGeneral((4, 5)), signal),
        "DenseGeneralJoin": (nn.DenseGeneral(6, axis=(-2, -1)), signal),
        "Embed": (nn.Embed(7, 4), draw(0, 7, (2, 5))),
    }
    for name, (module, value) in cases.items():
        given = jnp.asarray(value, jnp.int32 if name == "Embed" else jnp.float32)
        shapes = module.init(jax.random.key(0), given)["params"]
        params = {key: draw(-3, 4, leaf.shape).astype(np.float32) for key, leaf in shapes.items()}
        output = module.apply({"params": params}, given)
        found[name] = {
            "params": {key: leaf.tolist() for key, leaf in params.items()},
            "input": given.tolist(),
            "output": np.round(np.asarray(output)).tolist(),
        }
    return found


def _orbax(tree: object) -> None:
    for name, options in (
        ("ocdbt", {"use_ocdbt": True}),
        ("zarr3", {"use_ocdbt": True, "use_zarr3": True}),
        ("files", {"use_ocdbt": False}),
        ("files3", {"use_ocdbt": False, "use_zarr3": True}),
    ):
        with ocp.Checkpointer(ocp.PyTreeCheckpointHandler(**options)) as saver:
            saver.save(DATA / name, tree)
    with ocp.CheckpointManager(DATA / "steps") as manager:
        for step in (5, 12):
            items = {"state": ocp.args.StandardSave(tree), "config": ocp.args.JsonSave({"a": 1})}
            manager.save(step, args=ocp.args.Composite(**items))
        manager.wait_until_finished()
    for note in DATA.rglob("commit_success.txt"):
        note.unlink()


def main() -> None:
    """Write everything anew."""
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir()
    net = Net().init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)), jnp.zeros((1, 4), int))
    state = TrainState.create(apply_fn=None, params=net["params"], tx=optax.adam(1e-3))
    odd = {
        "step": np.int64(7), "half": jnp.zeros((2, 3), jnp.bfloat16), "byte": np.ones((3,), np.int8),
        "scalar": jnp.float32(2), "plain": 1.5, "text": "x", "nothing": None, "complex": 1 + 2j,
        "small": jnp.ones((4,), jnp.float8_e4m3fn), "empty": {}, "list": [1, [2, 3]],
    }  # fmt: skip
    (DATA / "net.msgpack").write_bytes(serialization.to_bytes(net))
    (DATA / "state.msgpack").write_bytes(serialization.to_bytes(state))
    (DATA / "odd.msgpack").write_bytes(serialization.msgpack_serialize(odd))
    serialization.MAX_CHUNK_SIZE = 64
    big = {"a": {"kernel": np.arange(60, dtype=np.float32).reshape(4, 3, 5)}, "b": np.zeros((2, 3), np.int8)}
    (DATA / "chunked.msgpack").write_bytes(serialization.msgpack_serialize(big))
    mesh = jax.make_mesh((4,), ("x",))
    spread = jax.NamedSharding(mesh, jax.sharding.PartitionSpec("x"))
    tree = {
        "params": {
            "fc": {"kernel": jnp.arange(15.0).reshape(3, 5), "bias": jnp.zeros(5, jnp.bfloat16)},
            "wide": {"kernel": jax.device_put(jnp.zeros((8, 7)), spread)},
            "table": {"embedding": np.zeros((6, 2), np.float16)},
        },
        "step": np.int64(3),
    }
    _orbax(tree)
    facts = {"net": _listed(net), "state": _listed(state), "orbax": _listed(tree), "outputs": _outputs()}
    (DATA / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
