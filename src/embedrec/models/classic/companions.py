"""What goes with the basket: item-kNN with every product a neighbour, counted when somebody asks.

    score(j) = Σ customers of both / √(customers of i · customers of j)      over the products i ≠ j of the basket
             = Σ w_u / √(customers of j)                                     over the customers u of j, where
      w_u    = Σ 1 / √(customers of i)                                       over the products i that u has bought

The second form needs no list of neighbours, so that nothing is fitted and a shop is ready at once. `item_knn` cuts
the same sum to the nearest products of each, which is what a comparison measures.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from embedrec.features import Snapshot
from embedrec.features.history import NEVER, Floats, Ints, Ragged
from embedrec.models.classic.collaborative import FAINT, Collaborative, positions


class Companions(Collaborative):
    """Who bought what before the date, by customer and by product."""

    def observe(self, snapshot: Snapshot) -> Self:
        """Index the baskets both ways."""
        history = snapshot.history
        self.baskets_ = history.targets(history.buyers(NEVER, snapshot.as_of), NEVER, snapshot.as_of)
        self.sizes_ = np.diff(self.baskets_.offsets)
        self.customers_ = np.bincount(self.baskets_.values, minlength=history.n_items)
        by_item = np.argsort(self.baskets_.values, kind="stable")
        self.buyers_ = Ragged(np.concatenate([[0], np.cumsum(self.customers_)]), self.baskets_.rows[by_item])
        self.share_ = 1 / np.sqrt(np.maximum(self.customers_, 1))
        return super().observe(snapshot)

    def affinity(self, basket: Ints, row: int) -> Floats:
        """Return [N]: the summed similarity to the products of the basket; none is a neighbour of itself."""
        fans = self.buyers_.values[positions(self.buyers_.offsets, basket)]
        weight = np.bincount(fans, np.repeat(self.share_[basket], self.customers_[basket]), minlength=len(self.sizes_))
        members = np.flatnonzero(weight)
        bought = self.baskets_.values[positions(self.baskets_.offsets, members)]
        votes = np.bincount(bought, np.repeat(weight[members], self.sizes_[members]), minlength=len(self.share_))
        score: Floats = votes * self.share_
        others = score[basket] - (self.customers_[basket] > 0)
        score[basket] = np.where(others > FAINT, others, 0.0)  # what rounding leaves of itself is nothing
        return score

    def pull(self, basket: Ints, row: int, items: Ints) -> Floats:
        """Return [n, P]: the similarity of each item to each product of the basket."""
        fans = self.buyers_.values[positions(self.buyers_.offsets, basket)]
        owner = np.repeat(np.arange(len(basket)), self.customers_[basket])
        pulls = np.zeros((len(items), len(basket)))
        for place, item in enumerate(items):
            buyer = np.zeros(len(self.sizes_), bool)
            buyer[self.buyers_.values[self.buyers_.offsets[item] : self.buyers_.offsets[item + 1]]] = True
            both = np.bincount(owner[buyer[fans]], minlength=len(basket))
            pulls[place] = np.where(basket == item, 0.0, both * self.share_[item] * self.share_[basket])
        return pulls
