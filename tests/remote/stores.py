"""What three object stores answer, as far as reading goes: S3, Google Cloud Storage, Hugging Face.

Source: the Amazon S3 API reference (GetObject, HeadObject, ListObjectsV2), the JSON API of Cloud Storage
(objects: get, list), the Hub API (revision, tree) and the ``resolve`` addresses of huggingface.co.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlsplit

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

#: Status, headers, and what of which file is sent, or bytes.
Reply = tuple[int, dict[str, str], bytes | Path]
COMMIT = "c0ffee" + 34 * "0"


def _listing(root: Path, prefix: str) -> tuple[list[Path], list[str]]:
    """Return the files below a prefix, and the folders in it."""
    folder = root / prefix.rstrip("/")
    if not folder.is_dir():
        return ([folder] if folder.is_file() else []), []
    if not prefix.endswith("/") and prefix:
        return [], [f"{prefix}/"]
    found = sorted(folder.iterdir())
    lead = prefix if prefix else ""
    return [path for path in found if path.is_file()], [f"{lead}{p.name}/" for p in found if p.is_dir()]


def s3(root: Path, method: str, address: str) -> Reply:
    """Answer as S3 does for addresses that begin with the bucket."""
    parts = urlsplit(address)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    query = parse_qs(parts.query)
    place = root / bucket
    if key:
        path = place / key
        if not path.is_file():
            body = b"" if method == "HEAD" else b"<Error><Code>NoSuchKey</Code><Message>no</Message></Error>"
            return 404, {}, body
        return 200, {"ETag": '"1"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, path
    files, folders = _listing(place, query.get("prefix", [""])[0])
    rows = "".join(
        f"<Contents><Key>{path.relative_to(place)}</Key><Size>{path.stat().st_size}</Size>"
        "<LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>"
        for path in files
    )
    more = "".join(f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" for name in folders)
    text = (
        f"<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>{len(files) + len(folders)}</KeyCount>"
        f"{rows}{more}</ListBucketResult>"
    )
    return 200, {"Content-Type": "application/xml"}, text.encode()


def gcs(root: Path, address: str) -> Reply:
    """Answer as the JSON API of Cloud Storage does."""
    parts = urlsplit(address)
    found = re.fullmatch(r"(?:/download)?/storage/v1/b/([^/]+)/o(?:/(.+))?", parts.path)
    if found is None:
        return 404, {}, b"{}"
    query = parse_qs(parts.query)
    place = root / found[1]

    def told(path: Path) -> dict[str, str]:
        name = str(path.relative_to(place))
        return {"kind": "storage#object", "name": name, "bucket": found[1], "size": str(path.stat().st_size)}

    if found[2] is None:
        files, folders = _listing(place, query.get("prefix", [""])[0])
        rows = {"kind": "storage#objects", "items": [told(path) for path in files], "prefixes": folders}
        return 200, {"Content-Type": "application/json"}, json.dumps(rows).encode()
    path = place / unquote(found[2])
    if not path.is_file():
        return 404, {}, b'{"error": {"code": 404, "message": "No such object"}}'
    if query.get("alt") == ["media"]:
        return 200, {"ETag": '"1"'}, path
    return 200, {"Content-Type": "application/json"}, json.dumps(told(path)).encode()


def hub(root: Path, address: str, elsewhere: Callable[[Path], str]) -> Reply:
    """Answer as huggingface.co does, files themselves by a redirect.

    Args:
        root: holds ``owner/name`` folders.
        address: the path and query asked for.
        elsewhere: the address of a file at the host that has the bytes.
    """
    parts = urlsplit(address)
    path = unquote(parts.path)
    found = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+)(?:/(.*))?)?", path)
    if found is not None:
        place = root / found[1]
        if not place.is_dir():
            return 404, {"X-Error-Code": "RepoNotFound"}, b'{"error": "Repository not found"}'
        if found[3] not in (None, "main", COMMIT):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b'{"error": "Invalid rev id"}'
        if found[2] != "tree":
            facts = {"id": found[1], "sha": COMMIT, "siblings": [], "tags": [], "private": False}
            return 200, {"Content-Type": "application/json"}, json.dumps(facts).encode()
        folder = place / (found[4] or "")
        if not folder.is_dir():
            return 404, {"X-Error-Code": "EntryNotFound"}, b'{"error": "not here"}'
        rows = [
            {
                "type": "directory" if each.is_dir() else "file",
                "path": str(each.relative_to(place)),
                "size": 0 if each.is_dir() else each.stat().st_size,
                "oid": 40 * "0",
            }
            for each in sorted(folder.iterdir())
        ]
        return 200, {"Content-Type": "application/json"}, json.dumps(rows).encode()
    found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
    if found is None:
        return 404, {}, b"{}"
    file = root / found[1] / found[3]
    if not file.is_file():
        return 404, {"X-Error-Code": "EntryNotFound"}, b"not here"
    return 302, {"Location": elsewhere(file), "X-Repo-Commit": COMMIT, "X-Linked-ETag": '"1"'}, b""


def send(handler: BaseHTTPRequestHandler, reply: Reply) -> int:
    """Write a reply, a range of a file where one is asked for; return how many bytes of it."""
    status, headers, body = reply
    if isinstance(body, Path):
        size = body.stat().st_size
        first, last = 0, size - 1
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", handler.headers.get("Range", ""))
        if asked:
            first, last = int(asked[1]), min(int(asked[2]), size - 1)
            status, headers = 206, {**headers, "Content-Range": f"bytes {first}-{last}/{size}"}
        length = last - first + 1
        with body.open("rb") as file:
            file.seek(first)
            data = b"" if handler.command == "HEAD" else file.read(length)
    else:
        data, length = body, len(body)
    handler.send_response(status)
    for name, value in {"Content-Length": str(length), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command == "HEAD":  # what it would be is told, and nothing is sent
        return 0
    handler.wfile.write(data)
    return len(data)


def signed(url: str) -> Callable[[Path], str]:
    """Return what makes addresses at a host, signed in their query."""
    return lambda path: f"{url}/blob?of={quote(str(path))}&Signature=s3cr3t"
