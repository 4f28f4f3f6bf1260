"""Where training ends and the future begins: windows in time, cut before any statistic is computed.

train  < valid_from  <= validation  < test_from  <= test  < end

Data without dates, and protocols that pay no heed to them, get made-up times, so that the same windows serve all.
"""

from embedrec.splits.arranging import arrange, choose_protocol
from embedrec.splits.config import Protocol, SplitConfig
from embedrec.splits.dates import day, parse_date
from embedrec.splits.windows import Split, rolling, split_by_time

__all__ = [
    "Protocol",
    "Split",
    "SplitConfig",
    "arrange",
    "choose_protocol",
    "day",
    "parse_date",
    "rolling",
    "split_by_time",
]
