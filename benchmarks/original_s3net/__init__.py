"""The authors' public S3-Net, arXiv 2309.00143, kept for comparison."""
