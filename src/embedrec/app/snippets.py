"""The question that the page has just asked, as lines to paste into a terminal or a Python program."""

from __future__ import annotations

import json
import shlex
from typing import Any

_PYTHON = """\
import json, urllib.request

question = {question}
request = urllib.request.Request(
    {url},
    data=json.dumps(question).encode(),
    headers={{"Content-Type": "application/json"}},
)
for item in json.load({opened})["items"]:
    print(item["rank"], item["product_id"], item["reason"])"""

_LOGIN = """\
import os

passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
passwords.add_password(
    None, {address}, os.environ["EMBEDREC_USER"], os.environ["EMBEDREC_PASSWORD"], is_authenticated=True
)
shop = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
"""


def curl_snippet(address: str, route: str, question: dict[str, Any], needs_login: bool = False) -> str:
    """Return a curl command that asks `question` at `address` (scheme and host) + `route`."""
    login = """-u "$EMBEDREC_USER:$EMBEDREC_PASSWORD" """ if needs_login else ""
    return (
        f"curl -s {login}{shlex.quote(address + route)} \\\n"
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(json.dumps(question))}"
    )


def python_snippet(address: str, route: str, question: dict[str, Any], needs_login: bool = False) -> str:
    """Return a Python program, standard library only, that asks `question` and prints the products."""
    opened = "shop.open(request)" if needs_login else "urllib.request.urlopen(request)"
    program = _PYTHON.format(question=repr(question), url=repr(address + route), opened=opened)
    head, gap, rest = program.partition("\n\n")
    return head + "\n" + _LOGIN.format(address=repr(address)) + "\n" + rest if needs_login else head + gap + rest
