"""A slider whose number box may be typed into: what lies beyond its ends is taken as the end."""

from __future__ import annotations

from typing import Any

import gradio as gr


def slider(lowest: float, highest: float, **settings: Any) -> gr.Slider:
    """Lay out Gradio's slider, but one that refuses no number: theirs meets 1001 with an error and 30 lines in the log.

    What is no number is taken as the lower end.
    """
    # No class of our own: Gradio writes a .pyi file beside every module that has one.
    made = gr.Slider(lowest, highest, **settings)
    refuse_outside = made.preprocess

    def preprocess(payload: Any) -> float:
        is_number = isinstance(payload, int | float) and payload == payload
        return refuse_outside(min(max(payload if is_number else lowest, lowest), highest))

    made.preprocess = preprocess  # type: ignore[method-assign]
    return made
