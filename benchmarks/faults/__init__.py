"""``python -m benchmarks faults``: damaged files, kills, hostile servers, marked identifiers, large images."""
