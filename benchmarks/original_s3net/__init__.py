"""The public code of the S3-Net authors (arXiv 2309.00143), reimplemented for comparison."""
