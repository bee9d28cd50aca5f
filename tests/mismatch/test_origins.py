"""Where sizes come from: numbers that remember their literals, and whole scripts that are followed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from shapeinspect.plugin_api.origins.edits import Sources, candidates, rescaled
from shapeinspect.plugin_api.origins.factors import rule
from shapeinspect.plugin_api.origins.literals import Literal, install, remembering
from shapeinspect.plugin_api.origins.numbers import Number, Origin, origin_of
from shapeinspect.plugin_api.origins.words import Words

#: Runs scripts, and says what is told of each.
Tell = Callable[[Mapping[str, str]], dict[str, str]]

_WORDS = {
    "default": ("def net(width=32): return width", "net()", "32 is the default of width in net, line 1"),
    "one of a default": (
        "def net(widths=(32, 48)): return widths[1]",
        "net()",
        "48 is one of widths in net by default, line 1",
    ),
    "keyword": ("net = dict", "net(width=32)['width']", "32 is width in net(…), line 2"),
    "item": ("config = {'width': 32}", "config['width']", '32 is "width" of config, line 1'),
    "variable": ("width = 32", "width", "32 is width, line 1"),
    "one of several variables": ("height, width = 20, 32", "width", "32 is width, line 1"),
    "argument": ("def net(width): return width", "net(32)", "32 is width in net(…), line 2"),
    "field": ("class Config: width: int = 32", "Config.width", "32 is width: int of Config, line 1"),
    "sum": ("width = 32", "width * 4 + 5", "133 = 32·4 + 5; 32 is width, line 1; 4 is written in"),
    "difference": ("width = 32", "(width + 7) - (width - 3)", "10 = 32 + 7 - (32 - 3); 32 is width, line 1"),
    "neutral": ("width = 32", "width * 1", "32 is width, line 1"),
    "rounded": ("width = 33", "int(width * 0.5)", "int(width * 0.5) makes 16 of 33"),
    "a factor ahead": ("width = 33", "round(0.75 * width)", "round(0.75 * width) makes 25 of 33"),
    "a fallback": ("s = {}", "s.get('width', 32)", '32 is the default of "width" in s.get(…), line 2'),
    "an attribute's fallback": ("", "getattr(7, 'width', 32)", '32 is the default of "width" in getattr(…)'),
}


def _followed(text: str) -> tuple[dict[str, object], list[Literal]]:
    literals: list[Literal] = []
    tree = remembering(text, "net.py", literals)
    install(literals)
    space: dict[str, object] = {}
    exec(compile(tree, "net.py", "exec"), space)
    return space, literals


@pytest.mark.parametrize(("before", "expression", "sentence"), _WORDS.values(), ids=_WORDS)
def test_the_source_of_a_number_is_told(before: str, expression: str, sentence: str) -> None:
    space, literals = _followed(f"{before}\nresult = {expression}\n")
    told = Words(literals, "net.py").told(origin_of(space["result"]))
    assert told.startswith(sentence.replace("width: int", "width"))


def test_numbers_are_integers_to_everybody_else() -> None:
    import copy
    import json
    import pickle

    number = Number(7, Origin(7, "literal", 0))
    assert json.dumps([number]) == "[7]"
    assert type(pickle.loads(pickle.dumps(number))) is int
    assert copy.deepcopy(number) is number
    assert "a" * number == "aaaaaaa"
    assert [1] * Number(2, Origin(2, "literal", 0)) == [1, 1]
    assert (number / 2, -number, 2**number, divmod(number, 2)) == (3.5, -7, 128, (3, 1))


def test_an_edit_changes_the_literal_for_which_both_sides_agree() -> None:
    text = "def net(width=12):\n    return width * 5\n\n\nhas = net()\nwants = 30\n"
    space, literals = _followed(text)
    pair = (origin_of(space["wants"]), origin_of(space["has"]))
    codes = [one.code for one in candidates([pair], (), (), literals, Sources({"net.py": text}))]
    assert "net(width=6) instead of net()" in codes
    assert "wants = 60 instead of wants = 30" in codes


def test_one_rate_of_a_row_is_changed_so_that_their_product_is_the_hop() -> None:
    text = "rates = [10, 8, 2, 2]\nkernels = [16, 16, 4, 4]\n"
    _, literals = _followed(text)
    edits = [(one.replacements[0].start, one.code) for one in rescaled((10, 8, 2, 2), 256, literals)]
    assert edits == [(text.index("10"), "8 instead of 10")]


_SCRIPTS = {
    "a default that is not passed on": (
        """
        def mels(n_mels=80):
            return torch.rand(3, n_mels, 51)

        config = {"n_mels": 40, "width": 24}
        net = nn.Conv1d(config["n_mels"], config["width"], 5)
        net(mels())
        """,
        ["80 is the default of n_mels in mels, line 4", '40 is "n_mels" of config, line 7'],
    ),
    "a length that a stride rounds": (
        """
        chunk = 8008
        net = nn.Sequential(nn.Conv1d(1, 6, 20, stride=10), nn.ConvTranspose1d(6, 1, 20, stride=10))
        x = torch.rand(2, 1, chunk)
        loss = (net(x) - x).abs().mean()
        """,
        ["conv_transpose1d makes 8000 of 799", "8008 is chunk, line 4"],
    ),
    "parts that a forward joins": (
        """
        class Net(nn.Module):
            def __init__(self, points=6):
                super().__init__()
                self.first = nn.Linear(9, points)
                self.last = nn.Linear(points + 3, 4)

            def forward(self, x):
                return self.last(torch.cat([self.first(x), x], dim=-1))

        Net()(torch.rand(5, 9))
        """,
        ["9 = 6 + 3; 6 is the default of points in Net", "15 = 6 + 9"],
    ),
    "draws without a seed": (
        """
        import random

        width = random.choice(range(6, 600))
        nn.Linear(5, 4)(torch.rand(3, width))
        """,
        ["5 is in_features in nn.Linear(…), line 7"],
    ),
    "arrays, and an option of the command line": (
        """
        import argparse
        import numpy as np

        parser = argparse.ArgumentParser()
        parser.add_argument("--hop", type=int, default=300)
        options = parser.parse_args([])

        def load(frames):
            wave = np.random.uniform(-1, 1, (2, frames * options.hop)).astype(np.float32)
            return torch.from_numpy(wave), torch.rand(2, 9, frames)

        wave, mels = load(5)
        mels = mels.repeat_interleave(275, dim=-1).transpose(1, 2)
        torch.cat([wave.unsqueeze(-1), mels], dim=2)
        """,
        ["1500 = 5·300", "300 is the default of --hop", "1375 = 5·275"],
    ),
    "a part that is written to": (
        """
        def positions(rows, width=7):
            table = torch.zeros(rows, width)
            table[:, 1::2] = torch.rand(rows, 4)

        positions(50)
        """,
        ["slicing makes 3 of 7, line 6; 7 is the default of width in positions, line 4", "4 is written in"],
    ),
    "a mask for each sample": (
        """
        attention = nn.MultiheadAttention(24, num_heads=6, batch_first=True)
        x = torch.rand(5, 8, 24)
        attention(x, x, x, attn_mask=torch.zeros(5, 8, 8))
        """,
        [
            "30 = 5·6; 5 is written in torch.rand(5, 8, 24), line 5; 6 is num_heads in "
            "nn.MultiheadAttention(…), line 4"
        ],
    ),
    "a layer that is not called": (
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Linear(9, 6)
                self.last = nn.Linear(6, 4)

            def forward(self, x):
                return self.last(x)

        Net()(torch.rand(5, 9))
        """,
        ['"first", which makes 6 of 9, was not called'],
    ),
    "a mask of one class less": (
        """
        classes = 9
        scores = nn.Linear(5, classes + 1)(torch.rand(3, 5)).mean(0)
        scores[torch.zeros(classes, dtype=torch.bool)]
        """,
        ["10 = 9 + 1; 9 is classes, line 4"],
    ),
    "samples that are joined along their axis": (
        """
        parts = [nn.Linear(7, 5)(torch.rand(4, 7)) for _ in range(3)]
        scores = torch.cat(parts, 0)
        nn.functional.cross_entropy(scores, torch.zeros(4, dtype=torch.long))
        """,
        ["3 times 4 samples are joined along their axis 0 to 12, line 5"],
    ),
    "a comment": (
        """
        x = torch.rand(3, 5, 6)
        y = x.flatten(1)  # (B, 64)
        nn.Linear(64, 2)(y)
        """,
        ["line 5 says (B, 64), and y was (3, 30)"],
    ),
    "a setting that is never read": (
        """
        config = {"width": 32, "features": 96}

        def project(config):
            width, features = config["width"], config["features"]
            return nn.Linear(width, width)

        project(config)(torch.rand(12, config["features"]))
        """,
        ["features, line 7, is 96 and is never used", '32 is "width" of config, line 4'],
    ),
    "a cell of a recurrent network": (
        """
        hidden = 9
        cell = nn.GRUCell(1 + hidden, hidden)
        cell(torch.cat([torch.rand(4, 5), torch.rand(4, hidden)], dim=1), torch.rand(4, hidden))
        """,
        ["10 = 1 + 9; 9 is hidden, line 4", "14 = 5 + 9, line 6"],
    ),
    "a reshape of a flattened map": (
        """
        channels, side = 5, 9
        maps = torch.rand(2, channels, 7, 7).flatten(1)
        maps.view(2, channels, side, side)
        """,
        ["9 is side, line 4"],
    ),
    "halves of an odd number": (
        """
        features = 13
        half = features // 2
        x = nn.utils.rnn.pad_sequence([torch.rand(5, features), torch.rand(15, features)])
        nn.Linear(half, 4)(x[..., 1::2] if half > 6 else x[..., ::2])
        """,
        [
            "13 is odd: 13 // 2 = 6, and 7 is 13 - 6; an even number has equal halves",
            "slicing makes 7 of 13, line 7; 13 is features, line 4",
        ],
    ),
    "the last batch of a loader": (
        """
        size = 8
        data = torch.utils.data.TensorDataset(torch.rand(30, 5))
        loader = torch.utils.data.DataLoader(data, batch_size=size)
        mask = torch.eye(2 * size)
        for (x,) in loader:
            views = nn.Linear(5, 3)(torch.cat([x, x]))
            views @ views.T * mask
        """,
        [
            "the last batch of DataLoader(…), line 6, has 6 of 8 samples: 30 is no multiple of 8, and 16 is "
            "for 8; drop_last=True leaves it out",
            "16 = 2·8; 8 is size, line 4",
        ],
    ),
    "a batch that is reshaped as a full one": (
        """
        loader = torch.utils.data.DataLoader(torch.rand(20, 5), batch_size=8)
        for x in loader:
            nn.Linear(5, 3)(x).view(8, 3, 1)
        """,
        ["line 4, has 4 of 8 samples: 20 is no multiple of 8, and the other one is for 8"],
    ),
    "a default that another setting contradicts": (
        """
        config = {"bands": 40, "net": {"width": 7}}

        class Net(nn.Module):
            def __init__(self, width, bands=80):
                super().__init__()
                self.layer = nn.Linear(bands, width)

        net = Net(**config["net"])
        net.layer(torch.rand(3, config["bands"]))
        """,
        ['bands is not passed to Net(…), line 11, and is 80 by default; "bands" of config, line 4, is 40'],
    ),
    "a default that is passed": (
        """
        config = {"bands": 40, "net": {"width": 7, "bands": 80}}

        class Net(nn.Module):
            def __init__(self, width, bands=60):
                super().__init__()
                self.layer = nn.Linear(bands, width)

        net = Net(**config["net"])
        net.layer(torch.rand(3, 40))
        """,
        ['80 is "bands" of config["net"], line 4'],
    ),
    "a norm that drops its axis": (
        """
        x = nn.Linear(9, 32)(torch.rand(12, 9))
        length = x.norm(dim=1)
        x / length.expand_as(x)
        """,
        ["x.norm(dim=1), line 5, makes (12,) of (12, 32)"],
    ),
    "a mean that has no part in it": (
        """
        x = nn.Linear(9, 32)(torch.rand(12, 9))
        x + torch.rand(5, 16).mean(0)
        """,
        ["16 is written in torch.rand(5, 16), line 5"],
    ),
    "an axis too many of a state": (
        """
        state = torch.zeros(2, 5, 7)
        state = state.unsqueeze(0)
        nn.GRU(3, 7, bidirectional=True)(torch.rand(4, 5, 3), state)
        """,
        ["state.unsqueeze(0), line 5, makes (1, 2, 5, 7) of (2, 5, 7)"],
    ),
    "a length that is expanded": (
        """
        steps = 6
        mask = torch.ones(1, 1, steps, 10)
        mask.expand(2, 4, 3, 10)
        """,
        ["6 is steps, line 4", "3 is written in mask.expand(2, 4, 3, 10), line 6"],
    ),
    "two lengths that are equal by chance": (
        """
        rows, columns = 7, 7
        table = torch.zeros(rows, columns)
        nn.Linear(5, 2)(table)
        """,
        ["7 is columns, line 4"],
    ),
    "a slice that asks for more than there is": (
        """
        table = torch.zeros(7, 3)
        x = nn.Linear(5, 3)(torch.rand(9, 4, 5))
        x + table[:x.shape[0], None]
        """,
        ["9 are taken at line 6, and 7 are there", "9 is written in torch.rand(9, 4, 5), line 5"],
    ),
    "samples of which some have two channels": (
        """
        def read(number):
            audio = torch.rand(40)
            if number == 2:
                audio = torch.stack([audio, audio], dim=1)
            return audio * 3, 16000

        class Audio(torch.utils.data.Dataset):
            def __len__(self):
                return 4

            def __getitem__(self, number):
                audio, _ = read(number)
                return audio[:30]

        for batch in torch.utils.data.DataLoader(Audio(), batch_size=4):
            pass
        """,
        [
            "torch.stack([audio, audio], dim=1), line 7, makes (40, 2) of (40,), and does not always run",
            "audio, which read(number) gives at line 15, is (40,) in one sample and (40, 2) in another",
        ],
    ),
    "an array of NumPy's that is stored": (
        """
        import numpy as np

        rows = np.zeros((3, 20))
        state = np.concatenate([np.ones(20), np.arange(7)])
        net = nn.Linear(20, 2)(torch.rand(1, 20))
        rows[0] = state
        """,
        ["np.concatenate([np.ones(20), np.arange(7)]), line 7, makes (27,) of (20,) and (7,)"],
    ),
    "an array of NumPy's that is taken apart": (
        """
        import numpy as np

        names = ["a", "b", "c"]
        one_hot = np.eye(len(names), dtype="float32")
        nn.Linear(5, 2)(torch.from_numpy(one_hot[1]))
        """,
        ["3 is len(names), line 7"],
    ),
    "a sum over one of two equal axes": (
        """
        first, second = 6, 6
        nn.Linear(5, 2)(torch.zeros(first, second).sum(dim=0))
        """,
        ["6 is second, line 4"],
    ),
    "a script that saves before it fails": (
        """
        net = nn.Linear(7, 5)
        torch.save(net.state_dict(), os.path.join(os.path.dirname(__file__), f"{os.getpid()}.pt"))
        net(torch.rand(3, 9))
        """,
        [],
    ),
}


@pytest.fixture(scope="module")
def told(tell: Tell) -> dict[str, str]:
    """What a second run tells of each script."""
    return tell({name: text for name, (text, _) in _SCRIPTS.items()})


@pytest.mark.parametrize("name", _SCRIPTS)
def test_both_sizes_are_followed_to_the_source(told: dict[str, str], name: str) -> None:
    assert [sentence for sentence in _SCRIPTS[name][1] if sentence not in told[name]] == [], told[name]


def test_nothing_is_told_of_what_has_no_part_in_a_failure(told: dict[str, str]) -> None:
    assert "15" not in told["halves of an odd number"]  # a length of time that was drawn
    assert "is not passed" not in told["a default that is passed"]
    assert "mean" not in told["a mean that has no part in it"]
    assert "32 is" not in told["a norm that drops its axis"]


def _length(start: int, *steps: tuple[str, int]) -> Origin:
    """A length that each step makes of the one before."""
    origin = Origin(start, "literal", 0)
    for symbol, value in steps:
        hop = (Origin(256, "literal", 1),) if symbol == "stft" else ()
        origin = Origin(value, "axis", symbol=symbol, parts=(origin, *hop), line=len(symbol))
    return origin


_RULES = {
    "a side that no longer halves": (
        _length(184, ("conv2d", 92), ("conv2d", 46), ("conv2d", 23)),
        _length(184, ("conv2d", 92), ("conv2d", 46), ("conv2d", 23), ("conv2d", 12), ("upsample", 24)),
        "184 is no multiple of 2·2·2·2 = 16, the product of the strides; 176 and 192 are",
    ),
    "rates that are not the hop": (
        _length(35),
        _length(35, ("up", 350), ("up", 2800), ("pad", 3568), ("stft", 11)),
        "the product of the rates, 10·8 = 80 (line 2), has to be the hop, 256 (line 4): 35 frames become "
        "2800 samples, and these 11 frames",
    ),
    "a step too few": (
        _length(64),
        _length(64, ("pool", 32), ("pool", 16), ("upsample", 32)),
        "64 is divided by 2·2 = 4 (line 4), and multiplied by 2 (line 8): both have to be equal",
    ),
    "a margin that is cut off": (
        _length(572, ("conv2d", 570), ("conv2d", 568)),
        _length(572, ("conv2d", 570), ("conv2d", 568), ("pool", 284), ("conv2d", 282), ("upsample", 564)),
        "",
    ),
    "lengths of two sources": (_length(30), _length(31, ("pool", 16), ("upsample", 32)), ""),
}


@pytest.mark.parametrize(("first", "second", "said"), _RULES.values(), ids=_RULES)
def test_the_rule_that_two_lengths_break_is_told(first: Origin, second: Origin, said: str) -> None:
    assert rule(first, second) == said
