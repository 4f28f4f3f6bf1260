"""Files that a visitor hands over: the browser reads them and sends their bytes as text, so Gradio takes no files.

box = file_box("customers-file", "A CSV file with customer IDs")
button.click(answer, [box.sent, ...], ..., js=box.script())     answer(sent, ...): received(sent) are the bytes
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from html import escape

import gradio as gr

from embedrec.errors import DataError

LARGEST_FILE = 700_000  # bytes; in base64 it fits into the largest body that the guard lets through
TOO_LARGE = "too large"
NAME = "Your file"
"""What messages call a visitor's file, whose own name stays in the browser."""


@dataclass(frozen=True)
class FileBox:
    """A place for a file; `sent` is where its bytes go, as base64."""

    elem_id: str
    sent: gr.Textbox

    def script(self, place: int = 0) -> str:
        """Return the script of an event that puts the chosen file at `place` of its inputs, '' without one."""
        return f"""async (...values) => {{
            const file = document.querySelector('#{self.elem_id} input')?.files[0];
            values[{place}] = !file ? '' : file.size > {LARGEST_FILE} ? '{TOO_LARGE}' : await new Promise(done => {{
                const reader = new FileReader();
                reader.onload = () => done(reader.result.split(',')[1] || '');
                reader.onerror = () => done('');
                reader.readAsDataURL(file);
            }});
            return values;
        }}"""


def file_box(elem_id: str, label: str) -> FileBox:
    """Lay out a place for one CSV file."""
    gr.HTML(
        f'<label class="er-file"><span>{escape(label)}</span>'
        f'<input type="file" accept=".csv,.txt,.tsv,text/csv,text/plain"></label>',
        elem_id=elem_id,
        elem_classes="er-bare",
        apply_default_css=False,
    )
    return FileBox(elem_id, gr.Textbox(visible="hidden", label="File", elem_id=f"{elem_id}-sent"))


def received(sent: str | None) -> bytes:
    """Return the bytes of the file that was sent.

    Raises:
        DataError: there is none, or it is too large.
    """
    if not sent:
        raise DataError("no file was chosen, or it is empty: choose a CSV file first")
    if sent == TOO_LARGE or len(sent) > 4 * (LARGEST_FILE + 2) // 3:
        raise DataError(
            f"{NAME}: larger than {LARGEST_FILE // 1000} kB: hand over a part of it, with the column of IDs alone"
        )
    try:
        return base64.b64decode(sent, validate=True)
    except (binascii.Error, ValueError):
        raise DataError(f"{NAME}: cannot be read: choose it again") from None
