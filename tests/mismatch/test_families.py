"""Single fixes on cases of their own: each is applied by hand, and torch itself runs what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import Diagnosis
from shapeinspect.plugin_api.claims import Level

HEAD = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"


def diagnosed(tmp_path: Path, body: str) -> Diagnosis:
    script = tmp_path / "train.py"
    script.write_text(HEAD + body)
    space: dict[str, Any] = {"__name__": "__main__", "__file__": str(script)}
    with pytest.raises((RuntimeError, ValueError, IndexError)) as caught:
        exec(compile(script.read_text(), str(script), "exec"), space)
    found = explain_error(caught.value)
    assert found is not None
    return found


def runs(body: str) -> None:
    exec(compile(HEAD + body, "repaired", "exec"), {"__name__": "__main__"})


CASES = [
    (
        "state, steps = torch.zeros(2, 6, 11), torch.zeros(6, 9, 11)\nscores = state + steps\n",
        ("state + ", "state[-1].unsqueeze(1) + "),
        "feed state[-1].unsqueeze(1)",
    ),
    (
        "layer = nn.TransformerDecoderLayer(12, 3, 20)\nmemory = torch.zeros(5, 7, 12)\n"
        "layer(torch.zeros(9, 5, 12), memory)\n",
        (", memory)", ", memory.transpose(0, 1))"),
        'memory.transpose(0, 1) before "multihead_attn"',
    ),
    (
        "pred = nn.Conv2d(3, 4, 1)(torch.zeros(2, 3, 7, 8))\nmask = torch.zeros(2, 7, 8, 3).long()\n"
        "loss = F.cross_entropy(pred, mask)\n",
        (", mask)", ", mask[..., 0])"),
        "pass mask[..., 0]",
    ),
    (
        "criterion = nn.CTCLoss()\nout = nn.Linear(6, 9)(torch.zeros(4, 20, 6)).log_softmax(2)\n"
        "lengths, sizes = torch.full((4,), 20), torch.full((4,), 3)\n"
        "loss = criterion(out, torch.ones(12).long(), lengths, sizes)\n",
        ("criterion(out,", "criterion(out.transpose(0, 1),"),
        "pass out.transpose(0, 1)",
    ),
]


@pytest.mark.parametrize(("body", "edit", "fix"), CASES, ids=[fix for _, _, fix in CASES])
def test_the_first_fix_is_the_one_that_torch_runs(
    tmp_path: Path, body: str, edit: tuple[str, str], fix: str
) -> None:
    assert diagnosed(tmp_path, body).fixes[0].text == fix
    runs(body.replace(*edit))


def test_a_first_state_of_zeros_is_left_out(tmp_path: Path) -> None:
    body = """
class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, batch_first=True)

    def forward(self, x):
        state = torch.zeros(1, 32, 6), torch.zeros(1, 32, 6)
        return self.lstm(x, state)[0]

Reader()(torch.zeros(8, 9, 5))
"""
    found = diagnosed(tmp_path, body)
    assert "self.lstm(x) instead of self.lstm(x, state)" in [tried.text for tried in found.fixes]
    runs(body.replace("self.lstm(x, state)", "self.lstm(x)"))


def test_a_fix_that_changes_the_meaning_says_so(tmp_path: Path) -> None:
    found = diagnosed(tmp_path, CASES[2][0])
    assert found.fixes[0].fix.alters.startswith("which of the 3 colors is the label")


SENTENCES = """
class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.types = nn.Embedding(50, 6), nn.Embedding(2, 6)
        self.register_buffer("places", torch.zeros(1, 16, 6))

    def forward(self, ids, kinds, mask):
        x = self.words(ids) + self.types(kinds)
        x = x + self.places[:, :ids.shape[1]]
        return (x * mask.unsqueeze(-1)).sum(1)

ids, kinds, mask = torch.zeros(3, 21).long(), torch.zeros(3, 21).long(), torch.ones(3, 21)
Encoder()(ids, kinds, mask)
"""


def test_inputs_that_belong_together_are_cut_together(tmp_path: Path) -> None:
    found = diagnosed(tmp_path, SENTENCES)
    assert found.fixes[0].text == "feed ids[:, :16], feed kinds[:, :16], feed mask[:, :16]"
    assert found.fixes[0].fix.alters == "what is read: the first 16 of 21"
    runs(
        SENTENCES.replace(
            "Encoder()(ids, kinds, mask)", "Encoder()(ids[:, :16], kinds[:, :16], mask[:, :16])"
        )
    )


PLACES = """
class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.types, self.places = nn.Embedding(50, 6), nn.Embedding(2, 6), nn.Embedding(16, 6)

    def forward(self, ids, kinds, mask):
        x = self.words(ids) + self.types(kinds) + self.places(torch.arange(ids.shape[1]))
        return (x * mask.unsqueeze(-1)).sum(1)

ids, kinds, mask = torch.zeros(3, 21).long(), torch.zeros(3, 21).long(), torch.ones(3, 21)
Encoder()(ids, kinds, mask)
"""


def test_positions_beyond_their_table_are_cut_as_well(tmp_path: Path) -> None:
    found = diagnosed(tmp_path, PLACES)
    assert [tried.text for tried in found.fixes[:2]] == [
        'num_embeddings=21 in "places"',
        "feed ids[:, :16], feed kinds[:, :16], feed mask[:, :16]",
    ]
    assert {tried.claim.level for tried in found.fixes[:2]} == {Level.WHOLE}
    runs(PLACES.replace("Encoder()(ids, kinds, mask)", "Encoder()(ids[:, :16], kinds[:, :16], mask[:, :16])"))


def test_one_output_for_five_classes_stands_below_what_keeps_them(tmp_path: Path) -> None:
    body = (
        "model, criterion = nn.Linear(7, 5), nn.BCEWithLogitsLoss()\n"
        "loss = criterion(model(torch.zeros(4, 7)), torch.zeros(4, 3))\n"
    )
    found = diagnosed(tmp_path, body)
    assert [tried.fix.alters for tried in found.fixes] == ["the number of outputs: 3 instead of 5"]
