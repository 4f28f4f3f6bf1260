"""The data doctor: what is in the tables, what is odd about them, and whether a model can be trusted on them."""

from embedrec.doctor.enough import too_little
from embedrec.doctor.examination import Examination, examine, examine_whole

__all__ = ["Examination", "examine", "examine_whole", "too_little"]
