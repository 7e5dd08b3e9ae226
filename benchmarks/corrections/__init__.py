"""Active learning: fine-tuning on masks that a simulated annotator corrected."""
