"""What all tables share: rows, scores, statistics, pages and plots."""
