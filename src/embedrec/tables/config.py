"""Settings of the data: where the files lie and what the shop calls its columns."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

IGNORE = "-"
"""As the value of a file or column setting: do not use it, even if it is there."""


class _Settings(BaseModel):
    """Frozen; unknown keys are refused; a header or file name that YAML reads as a number stays text."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class FilesConfig(_Settings):
    """The file of each table; None finds it by the table's name or a synonym, '-' leaves it out."""

    purchase_history: str | None = None
    product_details: str | None = None
    customer_interactions: str | None = None


class ColumnsConfig(_Settings):
    """The shop's own header for each column; None finds it by name or synonym, '-' ignores it.

    `split` and `order` are used only where they are named: a shop may call a column of its own so.
    """

    customer_id: str | None = None
    product_id: str | None = None
    purchase_date: str | None = None
    """'-' says that the data carry no dates."""
    event: str | None = None
    quantity: str | None = None
    price: str | None = None
    page_views: str | None = None
    time_spent: str | None = None
    category: str | None = None
    rating: str | None = None
    """A product's attribute; on purchase lines it is found out whether it is the customer's own."""
    customer_rating: str | None = None
    """What each customer thought of the product bought; '-' says that ratings belong to products."""
    rating_count: str | None = None
    title: str | None = None
    in_stock: str | None = None
    """Of product_details only: whether a product can be bought now, or how many pieces there are."""
    split: str | None = None
    """Part of a published split: train, valid or test."""
    order: str | None = None
    """A number that grows with each event of a customer, for data without dates."""
    event_map: dict[str, Literal["purchase", "view", "cart", "return", "-"]] = Field(default_factory=dict)
    """What the shop's event names mean; a return is netted against its purchase, '-' sets such rows aside."""
    not_products: tuple[str, ...] = ()
    """Product ids that stand for something else, such as postage; their rows are set aside."""

    def header(self, column: str) -> str | None:
        """Return the configured header of a canonical column name."""
        value: str | None = getattr(self, column)
        return value


class DataConfig(_Settings):
    """One shop's data."""

    name: str
    path: str | None = None
    """A folder with the tables, or one line-item file; a leading `$EMBEDREC_DATA` is that variable."""
    files: FilesConfig = FilesConfig()
    columns: ColumnsConfig = ColumnsConfig()
    max_events_per_customer: int = Field(100_000, ge=1)
    """Of each customer the last so many events of a table are used."""
    published: str = ""
    """Where the set can be obtained: named when the files are not there."""
