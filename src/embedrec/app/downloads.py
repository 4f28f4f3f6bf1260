"""Files that the browser makes itself: the page hands it text, so no route of this app serves files.

button("Download as CSV", elem_id="...").  A click asks `made(*values)` for (file name, text); both go to hidden
boxes of the page, and a script saves the text under that name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import gradio as gr
import pandas as pd

from embedrec.spreadsheets import safe_to_open

NOTHING = ("", "")
"""What `made` returns where there is nothing to save."""
_SAVE = """(name, text) => {
    if (!name) return;
    const place = URL.createObjectURL(new Blob([text], {type: "text/csv;charset=utf-8"}));
    const link = Object.assign(document.createElement("a"), {href: place, download: name});
    document.body.append(link); link.click(); link.remove();
    setTimeout(() => URL.revokeObjectURL(place), 10000);
}"""


def download_button(label: str, made: Callable[..., tuple[str, str]], inputs: list[Any], elem_id: str) -> gr.Button:
    """Lay out a button that saves what `made(*values of inputs)` returns: a file name and its text."""
    button = gr.Button(label, elem_id=elem_id, size="sm", elem_classes="er-save")
    name = gr.Textbox(visible="hidden", label="File name", elem_id=f"{elem_id}-name")
    text = gr.Textbox(visible="hidden", label="File", elem_id=f"{elem_id}-text")
    button.click(made, inputs, [name, text], api_visibility="private", show_progress="hidden").success(
        None, [name, text], None, js=_SAVE, api_visibility="private"
    )
    return button


def as_csv(table: pd.DataFrame) -> str:
    """Write a table that a spreadsheet opens as it is: no cell runs as a formula, and umlauts stay (with a BOM)."""
    return "\ufeff" + str(safe_to_open(table).to_csv(index=False, lineterminator="\n"))


def file_name(*words: str) -> str:
    """Return a name for a CSV file from words; anything but letters, digits, '_' and '-' becomes '-'.

    >>> file_name("suggestions", "C/../42 <b>")
    'suggestions-C-42-b.csv'
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(words)).strip("-")[:80] + ".csv"
