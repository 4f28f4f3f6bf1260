"""Searching for good settings: sweeps that can be killed and continued, and their report."""
