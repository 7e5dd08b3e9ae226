"""Reports of a run: measures, previews, review reasons, report.json and report.html."""
