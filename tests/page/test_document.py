"""The page as a text: it asks for nothing, and no name in a file becomes markup or script."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import shapeinspect
from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.explanation import explain_model
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model, Value
from shapeinspect.page import album, document
from shapeinspect.page.boxes import boxes
from shapeinspect.page.cards import card
from shapeinspect.page.column import read_column
from shapeinspect.page.document import content, page
from shapeinspect.page.faces import Faces
from shapeinspect.render.letters import Letters
from shapeinspect.render.rows import Sheet

from .networks import HOSTILE, hostile, residual, weights_alone

LENET = Path(__file__).parents[1] / "data" / "lenet.onnx"


class Reader(HTMLParser):
    """Collects the elements of a page, their attributes and their texts, as a browser takes them apart."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)


def policy(text: str) -> dict[str, str]:
    reader = Reader(text)
    rule = next(
        a["content"]
        for tag, a in reader.elements
        if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    return dict(part.strip().split(" ", 1) for part in (rule or "").split(";"))


def data(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])  # type: ignore[no-any-return]  # the page's data is an object


@pytest.fixture(scope="module")
def attacked() -> str:
    return page(hostile())


def test_the_policy_allows_the_pages_own_code_and_style_and_nothing_else() -> None:
    text = page(residual())
    rules = policy(text)
    assert rules["default-src"] == "'none'"
    for tag, name in (("script", "script-src"), ("style", "style-src")):
        inside = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside[0].encode()).digest()).decode()
        assert rules[name] == f"'sha256-{digest}'"
        assert len(inside) == 1
    assert set(rules) == {"default-src", "style-src", "script-src", "img-src", "base-uri", "form-action"}


def test_nothing_in_a_page_points_outside() -> None:
    text = page(residual()).replace('"http://www.w3.org/2000/svg"', "")  # the name of a vocabulary
    text = re.sub(r'(id="pictures">)[\w+/=]*', r"\1", text)
    assert not re.search(
        r"https?:|//[a-z]|@import|url\(|fetch\(|XMLHttp|WebSocket|import\(|eval\(|innerHTML", text
    )
    for _, attributes in Reader(text).elements:
        assert not {"src", "srcset", "style", "action"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")


def test_names_that_attack_stay_texts(attacked: str) -> None:
    harmless = Reader(page(residual()))
    reader = Reader(attacked)
    assert {tag for tag, _ in reader.elements} <= {tag for tag, _ in harmless.elements} | {"noscript"}
    assert sum(tag == "script" for tag, _ in reader.elements) == 3
    assert not any(tag in ("img", "svg") for tag, _ in reader.elements)
    assert any("<img src=x onerror=alert(1)>" in text for text in data(attacked)["texts"])


def test_no_sign_that_ends_a_script_or_turns_the_direction_is_in_the_data(attacked: str) -> None:
    raw = attacked[attacked.index('id="data">') + 10 : attacked.rindex("<script>")]
    raw = raw[: raw.index("</script>")]
    assert not set("<>&\u2028\u2029\u202e\u0000") & set(raw)


def test_long_names_are_cut_where_they_are_shown(attacked: str) -> None:
    assert max(map(len, data(attacked)["texts"])) <= 2000
    assert len(HOSTILE[4]) == 10_000


def test_the_table_below_the_picture_lists_every_layer() -> None:
    reader = Reader(page(shapeinspect.inspect(LENET).model))
    assert reader.texts["th"][6:] == list(shapeinspect.inspect(LENET).keys())
    assert "N C6 H28 W28" in reader.texts["td"]


def test_a_card_says_what_explain_says() -> None:
    model = shapeinspect.inspect(LENET).model
    (told,) = explain_model(model, "fc1")
    said = card(told)
    text = json.dumps(said, ensure_ascii=False)
    for part in ("C·H·W = 16·5·5", "stored outputs first", "= N·400·120 = 48000*N multiplications", "all 32"):
        assert part in text
    found = data(page(model))
    names = [found["texts"][one["path"]] for one in found["cards"]]
    assert names == list(shapeinspect.inspect(LENET).keys())


def test_a_keras_kernel_stands_with_its_einops_line(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    image = keras.Input((12, 10, 3), name="image")
    model = keras.Model(image, keras.layers.Conv2D(5, (3, 4), name="conv")(image))
    found = data(shapeinspect.inspect(model).to_html())
    assert "rearrange(w, 'kh kw i o -> o i kh kw')" in found["texts"]


def test_a_page_of_repeated_blocks_stays_small() -> None:
    small, large = len(page(weights_alone(2, 4))), len(page(weights_alone(200, 4)))
    rows = sum(len(row) for row in re.findall(r"<tr>.*?</tr>", page(weights_alone(200, 4))))
    assert large - rows < small + 10_000


def test_a_column_of_ones_own_is_read_from_json_and_csv(tmp_path: Path) -> None:
    model = shapeinspect.inspect(LENET).model
    (tmp_path / "loss.json").write_text('{"conv1": 0.5, "conv*": 2, "nothing": 1}')
    column = read_column(tmp_path / "loss.json", model)
    assert (column.name, dict(column.values), column.unknown) == (
        "loss",
        {"conv1": 2.0, "conv2": 2.0},
        ("nothing",),
    )
    (tmp_path / "runs.csv").write_text("layer,time in ms\nfc1,3.5\nfc2,slow\n")
    column = read_column(tmp_path / "runs.csv", model)
    assert (column.name, dict(column.values)) == ("time in ms", {"fc1": 3.5, "fc2": "slow"})
    assert data(page(model, column.values, column.name))["column"] == "time in ms"


def test_a_column_is_given_as_a_mapping_too() -> None:
    report = shapeinspect.inspect(LENET)
    found = data(report.to_html({"conv1": np.float32(2), "fc*": float("nan"), "nothing": 1}))
    values = {}

    def walk(box: list[Any]) -> None:
        values[found["texts"][box[1]]] = box[18]
        for kid in box[10]:
            walk(kid)

    walk(found["root"])
    assert {path: value for path, value in values.items() if value is not None} == {
        "conv1": 2.0, "fc1": "nan", "fc2": "nan", "fc3": "nan",
    }  # fmt: skip
    assert found["notes"] == ["data: no layer is named nothing"]
    for wrong in ({"conv1": [1]}, {"nothing": 1}, {"conv1": True}):
        with pytest.raises(UsageError):
            report.to_html(wrong)  # type: ignore[arg-type]  # what a user may pass


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("a.json", "[1, 2]", UsageError), ("a.json", "{", UnreadableFileError),
        ("a.json", '{"conv1": [1]}', UsageError), ("a.json", '{"other": 1}', UsageError),
        ("a.csv", "conv1\n", UsageError), ("a.csv", "", UsageError),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_column_is_refused(
    tmp_path: Path, name: str, text: str, error: type[Exception]
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(error):
        read_column(tmp_path / name, shapeinspect.inspect(LENET).model)


def test_the_commands_write_the_page(tmp_path: Path, run: Any) -> None:
    out = tmp_path / "page.html"
    code, said, _ = run("view", str(LENET), "-o", str(out))
    assert (code, said.split(":")[0]) == (0, str(out))
    assert out.read_text().rstrip("\n") == shapeinspect.inspect(LENET).to_html().rstrip("\n")
    code, said, _ = run("show", str(LENET), "--format", "html")
    assert (code, said.rstrip("\n")) == (0, out.read_text().rstrip("\n"))
    code, _, problem = run("view", str(LENET), "-o", str(tmp_path))
    assert code == 2
    assert "not a file" in problem or "cannot write" in problem or "directory" in problem


def test_what_the_page_leaves_out_is_noted_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    model = shapeinspect.inspect(LENET).model
    assert data(page(model))["notes"] == []
    monkeypatch.setattr(document, "_CARDS", 3)
    monkeypatch.setattr(document, "_ROWS", 5)
    monkeypatch.setattr(album, "_MOST", 10)
    text = page(model)
    reader, number = Reader(text), len(model.layers)
    assert reader.texts["th"][6:] == [*(layer.path for layer in model.layers[:5]), f"and {number - 5} more"]
    assert [note.split(":")[0] for note in data(text)["notes"]] == [
        f"{number - 3} layers beyond 3 without an explanation here",
        "no room for pictures of 2 layers more",
    ]
    assert reader.texts["li"] == data(text)["notes"]
    compared = shapeinspect.diff(LENET, LENET)
    both = Reader(compared.to_html())
    assert both.texts["th"][-1] == f"and {len(compared.comparison.layers) - 5} more"
    assert len(set(both.texts["li"])) == len(both.texts["li"]) == 2


def test_a_box_says_how_many_of_its_values_are_not_listed() -> None:
    names = tuple(f"part{number}" for number in range(5))
    values = {name: Value(name, (2, 7)) for name in ("whole", *names)}
    layer = Layer("split", "split", "Split", ("split",))
    model = Model(
        "m", "f", "f", "a", (layer,), (Call("split", ("whole",), names),), Frozen(values), ("whole",), names
    )
    (box,) = [one for one in boxes(model).walk() if one.path == "split"]
    face = Faces(Sheet(model, Letters(model))).of(box, names)
    assert [shape for shape, _ in face.labels] == ["2×7", "2×7", "2×7", "and 2 more"]


def test_content_is_plain_json() -> None:
    assert json.loads(json.dumps(content(residual()))) == content(residual())


def test_the_code_of_a_page_is_about_50_kb_that_can_be_read() -> None:
    found = re.search(r"<script>(.*?)</script>", page(residual(4)), re.DOTALL)
    assert found
    assert len(found[1].encode()) <= 52_700
    assert max(map(len, found[1].splitlines())) < 250
    files = list(Path(document.__file__).with_name("script").iterdir())
    assert len(files) > 5
    assert all(file.read_text("utf-8").strip() in found[1] for file in files)
