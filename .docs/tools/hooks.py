"""What mkdocs calls while it builds the site: it generates pages, runs screens and has a last look."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))

import generated
import include
import screens

#: What a page may load: files of the site and nothing else.
_LOADED = re.compile(
    r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=[\"']?(?:https?:)?//"
    r"|<link\b(?=[^>]*\brel=[\"']?(?:stylesheet|preconnect|preload|icon))[^>]*\bhref=[\"']?(?:https?:)?//"
)

_pages: dict[str, str] = {}


def on_files(files: Files, *, config: Any) -> Files:
    """Add the generated pages and the pictures of included texts, and run the screens of all pages."""
    for path, text in generated.pages().items():
        files.append(File.generated(config, path, content=text))
    texts: dict[str, str] = {}
    try:
        for file in list(files.documentation_pages()):
            text, pictures = include.expanded(file.content_string, file.src_uri)
            texts[file.src_uri] = text
            for picture in pictures:
                _add_picture(files, config, picture)
        results = screens.run_all(texts.values())
    except (include.IncludeError, screens.ScreenError) as error:
        raise PluginError(str(error)) from error
    for path, text in texts.items():
        name = screens.key(text)
        folder = f"assets/made/{Path(path).stem}"
        for made in screens.made(text):
            kept = screens.CACHE / name / made
            files.append(File.generated(config, f"{folder}/{made}", abs_src_path=str(kept)))
        up = "../" * path.count("/")
        _pages[path] = screens.with_screens(text, results.get(name, []), up + folder)
    return files


def _add_picture(files: Files, config: Any, picture: str) -> None:
    path = include.picture(picture)
    if files.get_file_from_path(path) is None:
        files.append(File.generated(config, path, abs_src_path=str(include.ROOT / picture)))


def on_page_markdown(_markdown: str, *, page: Any, **_: Any) -> str:
    """Return the page with its includes and screens."""
    return _pages[page.file.src_uri]


def on_post_build(*, config: Any) -> None:
    """Refuse a site that would load anything from elsewhere, or that names a folder of this machine."""
    places = (str(include.ROOT), f"{tempfile.gettempdir()}{os.sep}tmp", sys.prefix)
    own = re.compile("|".join(map(re.escape, places)))
    for path in Path(config.site_dir).rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        loaded = _LOADED.search(text)
        if loaded:
            raise PluginError(f"{path.name} loads something from another place: {loaded[0]}")
        found = own.search(text)
        if found:
            raise PluginError(
                f"{path.name} names a folder of this machine: {text[found.start() - 80 : found.end()]}"
            )
