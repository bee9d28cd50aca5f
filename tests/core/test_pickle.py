"""A report goes to another process: by pickle, as a process that is spawned gets it."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import shapeinspect

DATA = Path(__file__).parents[1] / "data"
LENET = DATA / "lenet.onnx"


@pytest.fixture
def report() -> shapeinspect.Report:
    return shapeinspect.inspect(LENET)


def test_a_spawned_process_gets_the_report(report: shapeinspect.Report) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        assert pool.submit(shapeinspect.Report.to_text, report).result() == report.to_text()


def test_all_but_the_numbers_comes_back(report: shapeinspect.Report) -> None:
    back = pickle.loads(pickle.dumps(report))
    assert back == report
    assert back.to_dict() == report.to_dict()
    assert back["conv2"].kernel_size == (5, 5)
    assert all(weight.values is None for layer in back.model.layers for weight in layer.weights)
    assert all(weight.values is not None for layer in report.model.layers for weight in layer.weights)
    assert str(shapeinspect.fit(back)) == str(shapeinspect.fit(report))
    assert str(shapeinspect.explain(back, "fc1")) == str(shapeinspect.explain(report, "fc1"))


def test_numbers_that_are_not_there_are_not_said_to_be_the_same(report: shapeinspect.Report) -> None:
    back = pickle.loads(pickle.dumps(report))
    assert shapeinspect.diff(report, back).same
    found = shapeinspect.diff(report, back, values=True)
    assert "so are their values" not in found.verdict


def test_a_copy_keeps_what_reads_the_numbers(report: shapeinspect.Report) -> None:
    for same in (copy.copy(report), copy.deepcopy(report)):
        weight = same.model.layers[0].weights[0]
        assert weight.values is not None
        assert weight.values().shape == (6, 1, 5, 5)


def test_a_state_dict_and_the_other_results(report: shapeinspect.Report) -> None:
    bare = shapeinspect.inspect({"fc.weight": np.zeros((7, 5), "float32"), "fc.bias": np.zeros(7, "float32")})
    assert pickle.loads(pickle.dumps(bare)) == bare
    for result in (
        shapeinspect.explain(report, "conv1"),
        shapeinspect.explain(report),
        shapeinspect.diff(report, report, values=True),
        shapeinspect.fit(report),
    ):
        back = pickle.loads(pickle.dumps(result))
        assert str(back) == str(result)
        assert back.to_dict() == result.to_dict()
