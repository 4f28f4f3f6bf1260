"""Models that count and factorise; each one file, its config beside it."""
