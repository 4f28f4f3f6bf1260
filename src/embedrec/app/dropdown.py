"""A list to pick from that may be out of date: a page stays open while another bundle takes the place of its own."""

from __future__ import annotations

from typing import Any

import gradio as gr


def dropdown(choices: list[Any], **settings: Any) -> gr.Dropdown:
    """Lay out Gradio's dropdown, but one that hands on what it does not offer: theirs writes a traceback to the log.

    The question itself refuses what the shop does not know, in words. What is no text, nor a list of texts, goes no
    further.
    """
    made = gr.Dropdown(choices, **settings)
    refuse_others = made.preprocess

    def preprocess(payload: Any) -> Any:
        texts = payload if isinstance(payload, list) else [payload]
        return payload if all(isinstance(one, str) for one in texts) else refuse_others(payload)

    made.preprocess = preprocess  # type: ignore[method-assign]
    return made
