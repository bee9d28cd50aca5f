"""What made one of two lengths that differ: a cut, a kept value, an axis read, a part of a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

#: Runs scripts, and says what is told of each.
Tell = Callable[[Mapping[str, str]], dict[str, str]]

#: Scripts of torch that fail, and what is said of each; what begins with "no " must not be said.
_SCRIPTS = {
    "rows are cut, and their weights are not": (
        """
        def score(rows, weights, step):
            return sum((part * weights).sum() for part in (rows[at:at + step] for at in range(0, 30, step)))
        score(torch.rand(30, 7), torch.rand(30, 1), 10)
        """,
        ["rows[at:at + step], line 5, takes 10 of 30; weights, (30, 1), is not cut like that"],
    ),
    "a clip is cut, and its labels are not": (
        """
        def batch(audio, labels, longest=50):
            frames = audio[:longest]
            return torch.cat([frames, labels], 1)
        batch(torch.rand(64, 9), torch.rand(64, 2))
        """,
        ["audio[:longest], line 5, takes 50 of 64; labels, (64, 2), is not cut like that"],
    ),
    "both are cut, one of them otherwise": (
        """
        x, y = torch.rand(40, 6), torch.rand(40, 6)
        x[:30] + y[:20]
        """,
        ["no is not cut"],
    ),
    "a mask is kept from the first batch": (
        """
        class Net(nn.Module):
            mask = None
            def forward(self, x):
                if self.mask is None:
                    self.mask = torch.ones(x.shape[1], x.shape[1]).tril()
                return x.transpose(1, 2) @ self.mask
        net = Net()
        for length in (11, 11, 13):
            net(torch.rand(3, length, 5))
        """,
        ["self.mask was set at line 8 in an earlier call, when x was (3, 11, 5)", "x is (3, 13, 5) now"],
    ),
    "a state is kept though the batch is smaller": (
        """
        class Memory(nn.Module):
            def __init__(self):
                super().__init__()
                self.cell = nn.GRUCell(6, 8)
                self.state = None
            def forward(self, x):
                if self.state is None:
                    self.state = torch.zeros(len(x), 8)
                return self.cell(x, self.state)
        net = Memory()
        for count in (12, 5):
            net(torch.rand(count, 6))
        """,
        ["self.state was set at line 11 in an earlier call, when x was (12, 6)", "x is (5, 6) now"],
    ),
    "a grid is made anew in each call": (
        """
        class Net(nn.Module):
            grid = None
            def forward(self, x):
                if x.shape[1] > 2:
                    self.grid = torch.arange(9.0)
                return x + self.grid
        net = Net()
        net(torch.rand(3, 9))
        net(torch.rand(3, 7))
        """,
        ["no earlier call, when x was (3, 7)"],
    ),
    "a grid of one shape is made anew in each call": (
        """
        class Net(nn.Module):
            grid = None
            def forward(self, x):
                if self.training:
                    self.grid = torch.arange(9.0)
                return x + self.grid
        net = Net()
        net(torch.rand(3, 9))
        net(torch.rand(5, 7))
        """,
        ["no earlier call"],
    ),
    "the length is read from the axis of the batch": (
        """
        table = torch.rand(30, 10)
        def positions(x):
            return x + table[:x.size(0)]
        positions(torch.rand(6, 14, 10))
        """,
        ["x.size(0), line 6, reads axis 0 of x, (6, 14, 10): 6; its axis 1 is 14"],
    ),
    "the width is read from the axis of the time": (
        """
        x = torch.rand(5, 17, 23)
        scale = torch.ones(x.shape[1])
        x * scale
        """,
        ["x.shape[1], line 5, reads axis 1 of x, (5, 17, 23): 17; its axis 2 is 23"],
    ),
    "rows of a list that is too short": (
        """
        ROOMS = ["kitchen", "hall", "office"]
        def one_hot(names, rows):
            return torch.eye(len(names))[torch.zeros(rows, dtype=torch.long)]
        rows = one_hot(["kitchen", "office"], 9)
        nn.Linear(len(ROOMS) + 4, 5)(torch.cat([torch.rand(9, 4), rows], 1))
        """,
        [
            '["kitchen", "office"], line 7, holds 2 of the 3 names in ROOMS, line 4; with all of '
            "them 6 would be 7"
        ],
    ),
    "a list that is no part of the other one": (
        """
        ROOMS, DOORS = ["kitchen", "hall", "office"], ["red", "blue"]
        nn.Linear(len(ROOMS) + 4, 5)(torch.rand(9, len(DOORS) + 4))
        """,
        ["no of the 3 names"],
    ),
    "one distance for all rows": (
        """
        points, goals = torch.rand(21, 3), torch.rand(21, 3)
        far = torch.norm(points - goals).reshape(-1)
        torch.rand(30) + torch.cat([far, torch.rand(9)])
        """,
        ["torch.norm(points - goals), line 5, makes one number of all of (21, 3)", "10 would be 30"],
    ),
    "a loss whose rows are as many as a length lacks": (
        """
        def loss(x):
            return (x ** 2).mean()
        loss(torch.rand(4, 7))
        torch.rand(24) + torch.rand(21)
        """,
        ["no makes one number of all"],
    ),
    "a mean over one axis": (
        """
        points = torch.rand(21, 3)
        torch.rand(30) + torch.cat([points.mean(1)[:1], torch.rand(9)])
        """,
        ["no makes one number of all"],
    ),
    "a batch of one loses its axis": (
        """
        head = nn.BatchNorm1d(6).eval()
        def embed(maps):
            return head(maps.mean(-1, keepdim=True).squeeze())
        for count in (4, 4, 1):
            embed(torch.rand(count, 6, 9))
        """,
        ["drops the first axis, too, where its length is 1: it makes (6,) of (1, 6, 1), and else (4, 6)"],
    ),
    "a batch of one that keeps its axis": (
        """
        head = nn.BatchNorm1d(6).eval()
        for count in (4, 1):
            head(torch.rand(count, 7 if count == 1 else 6, 1).squeeze(-1))
        """,
        ["no drops the first axis"],
    ),
    "a number of classes that one of two calls is given": (
        """
        class Head(nn.Module):
            def __init__(self, width, classes=None):
                super().__init__()
                self.out = nn.Linear(width, classes or 20)
            def forward(self, x):
                return self.out(x)
        small, names = Head(12), ["a", "b", "c"]
        large = Head(12, classes=len(names))
        x = torch.rand(5, 12)
        small(x) * large(x)
        """,
        [
            "classes is not passed to Head(…), line 10: it is None by default; "
            "line 11 passes len(names), which is 3"
        ],
    ),
    "more neighbors than points": (
        """
        def near(points, neighbors=12):
            return torch.cdist(points, points).topk(neighbors + 1, largest=False).indices
        near(nn.functional.avg_pool1d(torch.rand(3, 40), 4).t())
        """,
        [
            "13 entries are selected by topk, and axis 1 of (10, 10) has 10",
            "13 = 12 + 1; 12 is the default of",
        ],
    ),
    "frames that are rounded up": (
        """
        import math
        LENGTH, HOP = 500, 24
        frames = math.ceil(LENGTH / HOP)
        torch.rand(2, LENGTH) + torch.zeros(2, frames * HOP)
        """,
        ["500 is no multiple of 24: 504 = 21·24 is the next one"],
    ),
    "rates whose product is another hop": (
        """
        frames, hop = 15, 240
        wave = torch.rand(2, 20, frames)
        for rate in (8, 8, 4):
            wave = nn.ConvTranspose1d(20, 20, 2 * rate, stride=rate, padding=rate // 2)(wave)
        wave - torch.rand(2, 20, frames * hop)
        """,
        ["15 is multiplied by 8·8·4 = 256", "and by 240 in 15·240 = 3600: both have to be equal"],
    ),
    "pixels of which too few are drawn": (
        """
        side, count = 12, 100
        image, rows = torch.rand(40, 40, 3), torch.arange(count) % 40
        colors = image[rows, rows]
        colors.view(side, side, -1)
        """,
        ["12 is side, line 4", "100 is count, line 4"],
    ),
    "more is dropped than there is": (
        """
        def tail(x, drop):
            keep = x.shape[0] - drop
            out = torch.zeros(40, 3)
            out[-keep:] = x[:keep]
            return out
        tail(torch.rand(12, 3), 17)
        """,
        ["x.shape[0] - drop, line 5, is negative: 12 - 17 = -5"],
    ),
    "a border that is none of the classes": (
        """
        labels = torch.randint(0, 5, (2, 9, 7))
        labels[:, 0] = 255
        nn.CrossEntropyLoss()(torch.rand(2, 5, 9, 7), labels)
        """,
        ["all labels but 255 are numbers of the 5 classes, 0 to 4; ignore_index is -100 by default"],
    ),
    "labels that begin with one": (
        "nn.functional.cross_entropy(torch.rand(8, 4), torch.arange(8) % 4 + 1)",
        ["the labels run from 1 to 4: the numbers of 4 classes are 0 to 3"],
    ),
    "gray values for labels": (
        """
        masks = torch.tensor([40, 90, 215])[torch.arange(24).reshape(2, 3, 4) % 3]
        nn.NLLLoss()(torch.rand(2, 3, 3, 4), masks)
        """,
        ["the labels are 40, 90 and 215, 3 different values: the numbers of 3 classes are 0 to 2"],
    ),
    "lengths of the frames before a stride": (
        """
        frames = nn.Conv1d(6, 9, 3, stride=2)(torch.rand(5, 6, 31)).permute(2, 0, 1).log_softmax(-1)
        nn.CTCLoss()(frames, torch.ones(5, 4, dtype=torch.long), torch.full((5,), 31), torch.full((5,), 4))
        """,
        ["input_lengths go up to 31, and axis 0 of (15, 5, 9), the steps, is 15", "conv1d makes 15 of 31"],
    ),
}


@pytest.fixture(scope="module")
def told(tell: Tell) -> dict[str, str]:
    """What a second run tells of each script."""
    return tell({name: text for name, (text, _) in _SCRIPTS.items()})


@pytest.mark.parametrize("name", _SCRIPTS)
def test_what_made_a_length_is_told(told: dict[str, str], name: str) -> None:
    wanted = [one for one in _SCRIPTS[name][1] if not one.startswith("no ")]
    refused = [one.removeprefix("no ") for one in _SCRIPTS[name][1] if one.startswith("no ")]
    assert [one for one in wanted if one not in told[name]] == [], told[name]
    assert [one for one in refused if one in told[name]] == [], told[name]
