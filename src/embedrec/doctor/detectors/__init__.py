"""Detectors: pure functions from facts and arrays to findings, one idea a file."""
