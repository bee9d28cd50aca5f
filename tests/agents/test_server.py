"""``shapeinspect mcp`` as a client of the protocol's own SDK sees it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

import shapeinspect
from shapeinspect.render.grid import as_text
from shapeinspect.render.table import View, table

from .client import ask, pages, session

#: A name that would act on a terminal, in a file of a stranger's.
HOSTILE = "conv\x1b[31m\u202e\x7f\x9b"


def chain(path: Path, names: list[str]) -> Path:
    """A chain of relus of these names."""
    values = [f"v{index}" for index in range(len(names) + 1)]
    ends = [
        helper.make_tensor_value_info(value, TensorProto.FLOAT, [2, 3, 5])
        for value in (values[0], values[-1])
    ]
    nodes = [
        helper.make_node("Relu", [values[index]], [values[index + 1]], name=name)
        for index, name in enumerate(names)
    ]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_tools_are_described_and_only_read(root: Path) -> None:
    async def use(client: Any) -> Any:
        return (await client.list_tools()).tools

    tools = session(root, use)
    assert [tool.name for tool in tools] == ["show", "explain", "fit", "check", "diff", "layouts"]
    for tool in tools:
        assert tool.annotations.read_only_hint
        assert not tool.annotations.destructive_hint
        assert not tool.annotations.open_world_hint
        assert tool.description.endswith(".")
        assert "Args:" not in tool.description
        for name, field in tool.input_schema["properties"].items():
            assert field["description"].endswith((".", '".')), (tool.name, name)


def test_every_tool_answers(root: Path) -> None:
    answers = ask(
        root,
        ("show", {"model": "lenet.onnx", "filter": "conv*"}),
        ("explain", {"model": "nets/other.onnx", "layer": "fc1"}),
        ("explain", {"model": "Conv2d", "input": "1,3,28,30", "settings": {"kernel_size": [5, 3]}}),
        ("fit", {"model": str(root / "lenet.onnx")}),
        ("check", {"model": "lenet.onnx", "input": "1,1,28,28"}),
        ("check", {"model": "lenet.onnx", "expect": ["params < 62k", "conv1: conv o=7"]}),
        ("diff", {"a": "lenet.onnx", "b": "nets/other.onnx", "values": True}),
        ("layouts", {"kind": "Dense", "format": "json"}),
        pipes=True,
    )
    assert not any(answer.failed for answer in answers), answers
    shown, explained, calculated, fitted, checked, expected, compared, stored = (
        each.text for each in answers
    )
    assert "2 of 12 layers match" in shown
    assert "16·5·5" in explained
    assert "28 − 5 + 1 = 24" in calculated
    assert "30 − 3 + 1 = 28" in calculated
    assert "H 16 to 19 with W 112 to 115" in fitted
    assert "feed image of shape (1, 1, 32, 32)" in checked
    assert "conv1: conv o=7" in expected
    assert "params < 62k" not in expected
    assert "all 7 layers are the same, and so are their values" in compared
    assert {"i o", "o i"} <= {row["native"] for row in json.loads(stored)["layouts"] if "native" in row}


def test_what_is_wrong_is_an_error_of_the_tool_that_says_what_to_do(root: Path) -> None:
    answers = ask(
        root,
        ("explain", {"model": "lenet.onnx", "layer": "fc4"}),
        ("show", {"model": "lenet.onnx", "filter": "conw*"}),
        ("show", {"model": "lenett.onnx"}),
        ("show", {"model": "lenet.onnx", "input": "1,x-,3"}),
        ("layouts", {"kind": "convv"}),
        ("explain", {"model": "lenet.onnx", "settings": {"stride": 2}}),
        ("show", {"model": "lenet.onnx", "cursor": "nonsense"}),
        ("show", {"model": "lenet.onnx", "depth": "many"}),
    )
    assert all(answer.failed for answer in answers), answers
    layer, pattern, name, shape, kind, settings, cursor, depth = (answer.text for answer in answers)
    assert 'did you mean "fc3" or "fc2" or "fc1"?' in layer
    assert 'did you mean "conv1" or "conv2"?' in pattern or "conv2" in pattern
    assert "did you mean lenet.onnx?" in name
    assert "lengths separated by commas" in shape
    assert "did you mean conv" in kind
    assert "a kind, such as conv" in settings
    assert "this cursor leads to no page" in cursor
    assert "valid integer" in depth


def test_an_answer_in_pages_is_the_whole_answer(root: Path) -> None:
    path = chain(root / "long.onnx", [f"block{index}.activation" for index in range(400)])
    model = shapeinspect.inspect(path).model
    whole = as_text(table(model, View(width=120, sort="path"))).replace(str(path), path.name)
    marked = re.compile(r"\n… lines \d+ to \d+ of (\d+)(?:; the next page: cursor \"([^\"]+)\")?$")

    async def use(client: Any) -> tuple[list[str], list[str]]:
        def cursor(text: str) -> str | None:
            return marked.search(text)[2]  # type: ignore[index]  # each page of several is marked

        def json_cursor(text: str) -> str | None:
            return json.loads(text)["page"].get("cursor")  # type: ignore[no-any-return]

        return (
            await pages(client, "show", {"model": "long.onnx", "sort": "path"}, cursor),
            await pages(client, "show", {"model": "long.onnx", "format": "json"}, json_cursor),
        )

    texts, data = session(root, use, pipes=True)
    assert len(texts) > 2
    assert "\n".join(marked.sub("", text) for text in texts) == whole
    assert max(map(len, texts)) < 8200
    layers = [layer for text in data for layer in json.loads(text)["layers"]]
    assert layers == shapeinspect.inspect(path).to_dict()["layers"]
    assert json.loads(data[0])["totals"]["params"] == 0
    assert max(map(len, data)) < 8400


def test_a_cursor_goes_on_in_the_answer_it_was_made_for_or_nowhere(root: Path) -> None:
    path = chain(root / "long.onnx", [f"before{index}" for index in range(300)])
    asked = ("show", {"model": "long.onnx", "sort": "path"})
    cursor = ask(root, asked)[0].text.rpartition('cursor "')[2].rstrip('"')
    going_on = (asked[0], {**asked[1], "cursor": cursor})
    (same,) = ask(root, going_on)  # another server, which has to make the answer again
    assert not same.failed
    assert "before" in same.text

    async def use(client: Any) -> list[Any]:
        first = await client.call_tool(*asked)
        chain(path, [f"after{index}" for index in range(300)])
        return [first, await client.call_tool(*going_on), await client.call_tool(*asked)]

    _first, kept, fresh = session(root, use)
    assert "before" in kept.content[0].text
    assert "after" not in kept.content[0].text
    assert "after" in fresh.content[0].text
    (other,) = ask(root, going_on)
    assert other.failed
    assert "no longer the one" in other.text


def test_names_in_a_file_are_escaped(root: Path) -> None:
    path = chain(root / "hostile.onnx", [HOSTILE, "plain"])
    shutil.copy(path, root / f"{HOSTILE}.onnx")
    shown, data, wrong, named = ask(
        root,
        ("show", {"model": "hostile.onnx"}),
        ("show", {"model": "hostile.onnx", "format": "json"}),
        ("explain", {"model": "hostile.onnx", "layer": "conv"}),
        ("show", {"model": f"{HOSTILE}.onn"}),
    )
    for answer in (shown, data, wrong, named):
        assert not set(answer.text) & set(HOSTILE[4:5] + HOSTILE[-3:]), answer
    assert r"conv\x1b[31m" in shown.text
    assert json.loads(data.text)["layers"][0]["path"] == HOSTILE
    assert r"\x1b" in named.text


def test_one_entry_that_no_page_holds_is_shortened_and_says_so(root: Path) -> None:
    chain(root / "names.onnx", ["n" * 30_000, "plain"])
    (answer,) = ask(root, ("show", {"model": "names.onnx", "format": "json"}))
    data = json.loads(answer.text)
    assert "30,000 characters" in data["layers"][0]["path"]
    assert len(answer.text) < 8400


def test_a_root_that_is_no_directory_is_refused(root: Path, tmp_path: Path) -> None:
    from shapeinspect.agents.root import Root

    with pytest.raises(shapeinspect.UsageError, match="is not a directory"):
        Root.of(root / "lenet.onnx")
    with pytest.raises(shapeinspect.UsageError, match="is not a directory"):
        Root.of(tmp_path / "nowhere")
