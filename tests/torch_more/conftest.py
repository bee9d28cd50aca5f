"""What the tests of PyTorch's further formats share."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # the calls in script_functions.py


def _nets():
    # By its path: pytest's import mode does not put this folder on sys.path.
    name = "torch_more_export_nets"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("export_nets.py"))
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """Export one of the networks by its name, once: the program and the file it is saved to."""
    folder = tmp_path_factory.mktemp("programs")
    made = {}

    def program(name: str):
        if name not in made:
            net = _nets().NETS[name]
            torch.manual_seed(1)
            exported = torch.export.export(net.make().eval(), net.args(), dynamic_shapes=net.dynamic)
            if net.decomposed:
                exported = exported.run_decompositions()
            path = folder / f"{name.replace(' ', '_')}.pt2"
            torch.export.save(exported, path)
            made[name] = exported, path
        return made[name]

    return program


def pytest_generate_tests(metafunc):
    """Give a test that takes ``net_name`` every network."""
    if "net_name" in metafunc.fixturenames:
        metafunc.parametrize("net_name", list(_nets().NETS))
