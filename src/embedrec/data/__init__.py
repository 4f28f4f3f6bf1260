"""From dated purchases to training batches."""
