"""The rows of families are what their library says today: asked again, as when they were written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shapeinspect_torch.recognition.families.family import model_types, of_data

pytestmark = pytest.mark.slow
FOLDER = Path(__file__).parents[2] / "plugins/shapeinspect_torch/recognition/families/data"


@pytest.mark.parametrize("model_type", model_types())
def test_a_family_asked_again_has_the_same_rows(model_type: str) -> None:
    stored = json.loads((FOLDER / f"{model_type}.json").read_text())
    name, version = stored["library"].split()
    library = pytest.importorskip(name)
    if library.__version__ != version:
        pytest.skip(f"the rows are those of {stored['library']}")
    from library import Diffusers, Library
    from write import data_of, wrong

    data, _, held_back = data_of(Diffusers() if name == "diffusers" else Library(), model_type)
    assert data == stored
    assert [wrong(of_data(data), sample) for sample in held_back] == [[]] * len(held_back)
