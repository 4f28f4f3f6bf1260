"""embedrec: an embedding recommender for shops. Three tables in; an honest leaderboard, a bundle and a page out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedrec.serving import Recommender

__all__ = ["Recommender"]


def __getattr__(name: str) -> object:
    # torch takes a second to import: `--help` of a command must not wait for it
    if name == "Recommender":
        from embedrec.serving import Recommender

        return Recommender
    raise AttributeError(f"module 'embedrec' has no attribute {name!r}")
