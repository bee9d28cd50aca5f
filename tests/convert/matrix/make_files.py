"""Writes ``../ported``: files that Flax and MLX made of the networks, and what they compute.

Run it as ``python -m matrix.make_files`` in ``tests/convert`` where flax and mlx are installed; the tests
that read these files need neither.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from .frameworks import FRAMEWORKS, SHAPES, Bare

FOLDER = Path(__file__).parents[1] / "ported"
SUFFIXES = {"flax": "msgpack", "mlx": "safetensors"}


def main() -> None:
    """Write everything anew."""
    FOLDER.mkdir(exist_ok=True)
    facts = {}
    for network, (shape, _) in SHAPES.items():
        facts[f"{network}.input"] = x = np.random.default_rng(3).standard_normal(shape).astype(np.float32)
        for name, suffix in SUFFIXES.items():
            framework = FRAMEWORKS[name]
            assert isinstance(framework, Bare)
            model = framework.make(network, 5)
            framework.with_epsilon(model, 1e-5)
            facts[f"{network}.{name}"] = framework.run(network, model, x)
            shutil.move(framework.save(model, FOLDER), FOLDER / f"{network}.{suffix}")
    np.savez_compressed(FOLDER / "outputs.npz", **facts)


if __name__ == "__main__":
    main()
