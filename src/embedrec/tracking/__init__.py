"""MLflow, imported nowhere else: runs with their parents and children, and what each records."""

from embedrec.tracking.tracker import PARENT_TAG, Tracker, TrackingConfig

__all__ = ["PARENT_TAG", "Tracker", "TrackingConfig"]
