"""MLflow, imported nowhere else: runs with their parents and children, and what each records."""

from embedrec.tracking.config import TrackingConfig, refuse_password, shown
from embedrec.tracking.creation import created_once
from embedrec.tracking.tracker import PARENT_TAG, Tracker

__all__ = ["PARENT_TAG", "Tracker", "TrackingConfig", "created_once", "refuse_password", "shown"]
