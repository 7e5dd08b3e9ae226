"""The table of corrections: fine-tuning on masks that a simulated annotator corrected."""
