"""The honest benchmark: rows over the report splits, scored without and with ground truth, and drawn."""
