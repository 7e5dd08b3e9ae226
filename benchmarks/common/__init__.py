"""Parts that all tables share: cases, scores, statistics, output files and Markdown."""
