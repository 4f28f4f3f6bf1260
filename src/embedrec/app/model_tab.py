"""The tab *Model*: how good what answers is, what it knows, and when not to trust it."""

from __future__ import annotations

import gradio as gr

from embedrec.app.model_views import model_page
from embedrec.app.service import Service


def model_tab(tab: gr.Tab, service: Service) -> None:
    """Lay out the tab inside `tab`; opening it tells of the bundle then in use."""

    def tell() -> str:
        shop = service.shop
        return model_page(shop.manifest, shop.info, service.age_days())

    told = gr.HTML(tell(), elem_id="model", elem_classes="er-bare", apply_default_css=False)
    tab.select(tell, None, told, api_visibility="private", show_progress="hidden")
