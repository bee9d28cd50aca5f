"""Where sizes come from that no literal of the failed call shows: tables, marks, formulas, files, options."""

from __future__ import annotations

from collections.abc import Callable

import pytest

#: Scripts of torch that fail, and what is said of each; what begins with "no " must not be said.
_SCRIPTS = {
    "a word is added after the table was made": (
        """
        class Words:
            def __init__(self, words):
                self.number = {}
                for word in words:
                    self.number[word] = len(self.number)
            def end_with(self, word):
                self.number[word] = len(self.number)
        words = Words("a quick brown fox jumps over lazy dogs".split())
        table = nn.Embedding(len(words.number), 5)
        words.end_with("<stop>")
        ids = torch.tensor([words.number[one] for one in "over lazy <stop>".split()])
        table(ids)
        """,
        [
            "8 is the only index outside: all others lie between 5 and 6",
            "self.number[word] = len(self.number), line 10, called at line 13, adds number 8: "
            "the table has the 8 before it",
        ],
    ),
    "all words are known": (
        """
        number = {}
        for word in "a quick brown fox".split():
            number[word] = len(number)
        nn.Embedding(3, 5)(torch.tensor([0, 1, 3]))
        """,
        ["no adds number", "3 is the only index outside: all others lie between 0 and 1"],
    ),
    "unlabeled pixels are counted": (
        """
        UNKNOWN = -100
        def painted(height, width):
            mask = torch.full((height, width), UNKNOWN)
            mask[2:, 1:] = 1
            return mask
        per_class = torch.rand(6)
        per_class.gather(0, painted(7, 9).flatten())
        """,
        [
            "-100 is what cross_entropy and nll_loss leave out by default; gather leaves out nothing",
            "-100 is UNKNOWN, line 4; line 6 writes it",
            "-100 is the only index outside: all others are 1",
        ],
    ),
    "padding before the numbers begin": (
        """
        rows = nn.utils.rnn.pad_sequence(
            [torch.arange(4), torch.arange(7)], batch_first=True, padding_value=-1
        ).long()
        nn.functional.one_hot(rows, 9)
        """,
        ["-1 is the only index outside: all others lie between 0 and 6", "-1 is written in"],
    ),
    "a factor makes too few channels for the groups": (
        """
        def block(size, base):
            if size > 100:
                scale = (0.25, 1)
            else:
                scale = (1, 2)
            return nn.GroupNorm(12, round(scale[0] * base))
        block(160, 24)
        """,
        [
            "scale = (0.25, 1), line 6, is what size > 100 chooses",
            "round(scale[0] * base) makes 6 of 24, line 9; 24 is base in block(…), line 10",
        ],
    ),
    "heads that do not divide a computed width": (
        """
        def attention(width):
            inner = int(width * 1.5)
            return nn.MultiheadAttention(inner, 7)
        attention(26)
        """,
        ["int(width * 1.5) makes 39 of 26, line 5", "7 is num_heads in nn.MultiheadAttention(…), line 6"],
    ),
    "values that are counted": (
        """
        import numpy as np
        gray = np.arange(60).reshape(5, 12) % 17 * 3
        kinds = np.unique(gray)
        planes = np.stack([gray == kind for kind in kinds]).astype("float32")
        nn.Conv2d(4, 6, 3)(torch.from_numpy(planes)[None])
        """,
        ["np.unique(gray), line 6, finds 17 different values in (5, 12)"],
    ),
    "a text in two pieces and one in one": (
        """
        def encoded(count, size=15):
            pieces = [torch.zeros(1, size, 8) for _ in range(0, count, size)]
            return torch.cat(pieces, dim=1)
        torch.cat([encoded(9), encoded(40)])
        """,
        ["line 6 joins 3 parts of 15 to 45 on one side, and there is one part of 15 on the other"],
    ),
    "a number among the values of a tensor is no length": (
        """
        first = [6, 3, 2, 9, 4, 8]
        torch.tensor([first]).float() @ torch.rand(5, 7)
        """,
        ["no 6 is first", "6 is made by tensor, line 5"],
    ),
    "the entry of a table that was read": (
        """
        NETS = {
            "plain": {"net": {"channels": 5, "width": 12}},
            "edited": {"net": {"channels": 10, "width": 14}},
        }
        def load(name="plain"):
            return nn.Conv2d(NETS[name]["net"]["channels"], NETS[name]["net"]["width"], 3)
        picture = torch.rand(1, 5, 9, 8)
        load()(torch.cat([picture, picture], 1))
        """,
        [
            '"channels" of NETS["plain"]["net"], line 5, is 5; that of NETS["edited"]["net"], line 6, is 10',
        ],
    ),
    "neighbors that are not there": (
        """
        import numpy as np
        class Search:
            def __init__(self, rows):
                self.count = len(rows)
            def nearest(self, wanted):
                return np.pad(np.arange(self.count), (0, wanted - self.count), constant_values=self.count)
        points = np.zeros((23, 3))
        points[Search(points).nearest(31)]
        """,
        ["23 is self.count, line 9"],
    ),
    "widths of a file and of the command line": (
        """
        import argparse, json
        with open("net.json") as file:
            settings = json.load(file)
        parser = argparse.ArgumentParser()
        parser.add_argument("--width", type=int, default=40)
        options = parser.parse_args(["--width", "52"])
        nn.Linear(options.width, 9)(torch.rand(3, settings["encoder"]["hidden"]))
        """,
        ["52 is --width of the command line", '36 is "hidden" of net.json'],
    ),
    "a width of another module, and one that is read if it is there": (
        """
        import sizes
        def head(**settings):
            return nn.Linear(settings.get("wide", 28), 5)
        head()(torch.rand(3, sizes.WIDE))
        """,
        ['28 is the default of "wide" in settings.get(…), line 6', "44 is WIDE, line 1 of sizes.py"],
    ),
}
_FILES = {"net.json": '{"encoder": {"hidden": 36, "heads": 4}}', "sizes.py": "WIDE = 44\n"}


@pytest.fixture(scope="module")
def told(tell: Callable[..., dict[str, str]]) -> dict[str, str]:
    """What a second run tells of each script."""
    return tell({name: text for name, (text, _) in _SCRIPTS.items()}, _FILES)


@pytest.mark.parametrize("name", _SCRIPTS)
def test_the_source_of_what_does_not_fit_is_told(told: dict[str, str], name: str) -> None:
    wanted = [one for one in _SCRIPTS[name][1] if not one.startswith("no ")]
    refused = [one.removeprefix("no ") for one in _SCRIPTS[name][1] if one.startswith("no ")]
    assert [one for one in wanted if one not in told[name]] == [], told[name]
    assert [one for one in refused if one in told[name]] == [], told[name]
