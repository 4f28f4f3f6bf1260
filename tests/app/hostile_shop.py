"""A shop whose every name is an attack: 40 ids, titles, categories and reasons that a page must show as text."""

from __future__ import annotations

from typing import Any

import pandas as pd
from fake_shop import FakeShop, Info

from embedrec import columns

# Each would set window.hacked if it were more than text, or would change the page, a formula, a log or a path.
NAMES = [
    "<script>window.hacked=1</script>", "</script><script>window.hacked=2</script>", "<ScRiPt>window.hacked=3</sCrIpT>",
    "<img src=x onerror=window.hacked=4>", '"><img src=x onerror=window.hacked=5>',
    "'><img src=x onerror=window.hacked=6>",
    "<svg onload=window.hacked=7>", "<svg><script>window.hacked=8</script></svg>", "<body onload=window.hacked=9>",
    '<iframe srcdoc="<script>parent.hacked=10</script>">', "<iframe src=javascript:parent.hacked=11>",
    "<object data=javascript:window.hacked=12>", "<details open ontoggle=window.hacked=13>",
    "<input autofocus onfocus=window.hacked=14>", "<video><source onerror=window.hacked=15></video>",
    "<math><mi xlink:href=javascript:window.hacked=16>x</mi></math>", "<style>*{display:none}</style>",
    "<base href=//evil.example/>", "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<link rel=stylesheet href=//evil.example/x.css>", "<a href=javascript:window.hacked=17>click</a>",
    '" onmouseover="window.hacked=18', "' onfocus='window.hacked=19' autofocus='", "javascript:window.hacked=20",
    "data:text/html,<script>window.hacked=21</script>", "&lt;script&gt;window.hacked=22&lt;/script&gt;",
    "&#60;img src=x onerror=window.hacked=23&#62;", "]]><!--", "--><b>bold</b>", "</td></tr></table><h1>gone</h1>",
    "</title></textarea></style>", "${window.hacked=24}", "{{constructor.constructor('window.hacked=25')()}}",
    "`;window.hacked=26;`", "'; DROP TABLE customers; --", "../../etc/passwd", "=HYPERLINK(\"//evil.example\")",
    "[click](javascript:window.hacked=27)", "\u202eطرح\u202c مرحبا", "cafe\u0301 ☕ \U0001f469\u200d\U0001f4bb",
]  # fmt: skip


class HostileShop(FakeShop):
    """All names are NAMES: those of products, customers, categories, titles, reasons and of the shop itself."""

    def __init__(self) -> None:
        super().__init__(products=50, customers=50)
        self.product_ids, self.customer_ids, self.categories = NAMES, NAMES, sorted(NAMES)
        self.titles = dict(zip(NAMES, reversed(NAMES), strict=True))
        self.info = Info(data_name=NAMES[0], verdict=NAMES[3], fallback_from=NAMES[6], beaten_by=NAMES[9])
        self._known = frozenset(NAMES)
        self._products = {name: place for place, name in enumerate(NAMES)}

    def audience(self, *args: Any, categories: Any = None, **asked: Any) -> pd.DataFrame:
        found = super().audience(*args, **asked) if categories is None else super().audience(NAMES[0], **asked)
        return found.assign(reason=[NAMES[-1 - place] for place in range(len(found))])

    def _category(self, product: str) -> str:
        return self.categories[self._products[product]]

    def _list(self, ranked: Any, k: int, categories: Any, *others: Any, **more: Any) -> pd.DataFrame:
        found = super()._list(ranked, k, None, *others, **more)
        cold = found.attrs["cold_start"]
        found[columns.REASON] = [NAMES[(place + 20) % len(NAMES)] for place in range(len(found))]
        found.attrs["cold_start"] = cold
        return found
