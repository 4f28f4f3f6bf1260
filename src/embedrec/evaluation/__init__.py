"""Full-catalogue ranking, metrics with intervals, and the verdict."""
