"""Runs over many cases: reading ahead, inference, outputs, resuming, shards."""
