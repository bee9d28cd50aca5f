"""`fit` never contradicts a framework: networks whose code or file fixes sizes, run at every size of a range.

What `fit` said of each before it ran networks with symbols for lengths: 18 of the 70 contradicted
(399 of 5,863 sizes: 7 of 46 torch networks, 4 of 12 ONNX graphs, 7 of 12 Keras and TFLite models), of 20 it
knew nothing. Now no size contradicts.

Of the twelve in `fit_exports` none contradicted when they were written; of three it knew next to nothing
(238 of 272 sizes): targets of a Reshape that are divided, and numbers that a graph computes from no input.

Of the twenty in `fit_fresh` none contradicted when they were written (9,044 sizes; of one network 278 were
not known).
"""

from __future__ import annotations

from pathlib import Path

import fit_exports
import fit_fresh
import fit_keras
import fit_onnx
import fit_torch
import fit_torch_sequences
import pytest
import torch
from fit_judge import CASES, Case

import shapeinspect

FAMILIES = (fit_torch, fit_torch_sequences, fit_onnx, fit_keras, fit_exports, fit_fresh)
#: Of these, so much is computed by code that only the sizes that are run are known.
OPEN = {"patch_square_positions", "patch_positions_by_grid", "shifted_windows_and_merging", "windows_padded"}
#: The networks of the daily run, of every kind one.
SOME = ("crnn_flatten", "batch_of_eight_frames", "unet_pads", "bert_positions", "batch_of_one_baked")
SOME += ("onnx_declared_sizes", "onnx_frames_of_four", "onnx_split_in_three", "lite_baked_batch")
SOME += ("keras_reshape_of_frames", "export_windows", "export_chunks", "export_heads")
SOME += ("fresh_export_bakes_int_of_shape", "fresh_export_past_and_new", "fresh_rounded_quarter")


@pytest.fixture(autouse=True)
def one_thread() -> object:
    """Small networks run faster on one thread, above all beside others."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def held_against(case: Case, folder: Path, most: int | None) -> None:
    subject = case.make(folder)
    fit = shapeinspect.fit(subject.source, subject.input)
    said = {shapes: fit.judge(list(shapes)) for shapes in case.points(most)}
    wrong = [
        (shapes, told)
        for shapes, told in said.items()
        if told != "not known" and (told == "fits") != subject.run(shapes)
    ]
    assert not wrong, wrong[:5]
    known = sum(told != "not known" for told in said.values())
    if case.name not in OPEN:
        assert known > len(said) // 2
    assert known > 0


def test_there_are_sixty_networks_and_more() -> None:
    assert {module.__name__ for module in FAMILIES} == {make.make.__module__ for make in CASES.values()}
    assert len(CASES) >= 60
    assert set(SOME) | OPEN <= set(CASES)


@pytest.mark.parametrize("name", SOME)
def test_some(name: str, tmp_path: Path) -> None:
    held_against(CASES[name], tmp_path, 16)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES))
def test_all(name: str, tmp_path: Path) -> None:
    held_against(CASES[name], tmp_path, 600)
