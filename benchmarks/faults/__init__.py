"""``python -m benchmarks faults``: damaged files, kills, hostile servers and marked identifiers, counted."""
