"""The Gradio page: its tabs, what each control does, and how it is mounted beside the HTTP routes."""

from __future__ import annotations

from importlib import resources
from urllib.parse import parse_qs

import gradio as gr
from fastapi import FastAPI
from fastapi.dependencies import models as dependencies

from embedrec.app import views
from embedrec.app.audience_tab import audience_tab
from embedrec.app.compare_tab import compare_tab
from embedrec.app.customer_tab import customer_tab
from embedrec.app.gradio_api import gradio_api
from embedrec.app.model_tab import model_tab
from embedrec.app.new_customer_tab import new_customer_tab
from embedrec.app.products_tab import products_tab
from embedrec.app.service import Service

AT_ONCE = 4  # questions answered at the same time; the next ones wait, and beyond WAITING are refused
WAITING = 64


def mount_page(app: FastAPI, service: Service, needs_login: bool = False) -> None:
    """Mount the page at `/` of `app`, without uploads, analytics, run history or anything from outside."""
    page = build_page(service, needs_login)
    page.queue(default_concurrency_limit=AT_ONCE, max_size=WAITING, api_open=False)
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        theme=_theme(),
        css=resources.files("embedrec.app").joinpath("page.css").read_text(encoding="utf-8"),
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        enable_monitoring=False,
        max_file_size=0,
    )
    # Gradio checks the paths of files only on a page that says it was launched; a mounted one never does.
    page.has_launched = True
    app.state.page = page


def has_asked(app: FastAPI, path: str, query: str) -> bool:
    """Whether the page of `app` owes an answer to a visitor who comes for it at one of Gradio's own addresses."""
    queue = app.state.page._queue
    last, session = path.rsplit("/", 1)[-1], parse_qs(query).get("session_hash", [""])[0]
    owed = queue.pending_event_ids_session
    return session in queue.pending_messages_per_session or any(last in events for events in owed.values())


def close_page(app: FastAPI) -> None:
    """Let go of the page of `app`, which answers no more.

    Gradio never ends the queue of a mounted page: it would look for questions a thousand times a second for ever.
    FastAPI remembers functions of every app, and they their page.
    """
    app.state.page._queue.close()
    for remembered in vars(dependencies).values():
        if hasattr(remembered, "cache_clear"):
            remembered.cache_clear()


def build_page(service: Service, needs_login: bool = False) -> gr.Blocks:
    """Lay out the page over `service`."""
    page = gr.Blocks(title="What next? · embedrec", analytics_enabled=False)
    with page:
        gr.HTML(views.header(service.shop.info, service.age_days()), elem_classes="er-bare", apply_default_css=False)
        with gr.Tabs():
            with gr.Tab("Customer"):
                customer_tab(page, service, needs_login)
            with gr.Tab("New customer"):
                new_customer_tab(page, service, needs_login)
            with gr.Tab("Products") as tab:
                products_tab(tab, service)
            with gr.Tab("Audience"):
                audience_tab(service)
            with gr.Tab("Compare"):
                compare_tab(service)
            with gr.Tab("Model") as tab:
                model_tab(tab, service)
        gradio_api(service)
    return page


def _theme() -> gr.themes.Base:
    """Return calm colours and the fonts of the reader's own machine."""
    theme = gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_lg,
        text_size=gr.themes.sizes.text_md,
        font=["system-ui", "-apple-system", "Segoe UI", "Helvetica Neue", "sans-serif"],
        font_mono=["ui-monospace", "Menlo", "Consolas", "monospace"],
    )
    # Gradio's own shade of the primary colour is too pale for white text (WCAG AA wants 4.5 to 1).
    return theme.set(
        body_background_fill="*neutral_50",
        block_background_fill="white",
        input_background_fill="white",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        input_border_width="1px",
        input_border_color="*neutral_300",
        input_border_color_focus="*primary_600",
        block_label_text_color="*neutral_700",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_border_color="*neutral_300",
        button_border_width="1px",
        slider_color="*primary_600",
        checkbox_background_color_selected="*primary_700",
        checkbox_border_color_selected="*primary_700",
    )
