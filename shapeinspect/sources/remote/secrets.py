"""Keeps passwords and signatures in addresses out of everything that is printed."""

from __future__ import annotations

import re

#: The user's name and password of an address: up to the last @ of what stands before the path.
_USER = re.compile(r"(?<=://)[^/?#\s\"'<>]*@")
#: The query of an address, where a signature stands.
_QUERY = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]*://[^?\s\"'<>]*)\?[^\s\"'<>]*")
#: A secret by its name, wherever it stands.
_NAMED = re.compile(
    r"(?i)\b((?:x-amz-[\w-]*|signature|sig|(?:access_?|refresh_?|id_?)?token|api_?key|password|secret[\w-]*)"
    r"[\"']?\s*[=:]\s*[\"']?)[^\s&\"',;)]+"
)
_BEARER = re.compile(r"(?i)\b(Bearer|Basic)\s+[\w.~+/=-]+")


def without_secrets(text: str) -> str:
    """Return a text without the passwords, queries and tokens in it.

    Args:
        text: an address, or a message of a library that may hold one.

    Example:
        >>> without_secrets("GET https://me:pass@host/m.pt?X-Amz-Signature=ab failed")
        'GET https://…@host/m.pt?… failed'
        >>> without_secrets("Authorization: Bearer hf_abc, token=xyz")
        'Authorization: Bearer …, token=…'
    """
    text = _QUERY.sub(r"\1?…", _USER.sub("…@", text))
    return _BEARER.sub(r"\1 …", _NAMED.sub(r"\1…", text))
