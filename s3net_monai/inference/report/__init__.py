"""What a run says of its cases: measures, previews, review, report.json and report.html."""
