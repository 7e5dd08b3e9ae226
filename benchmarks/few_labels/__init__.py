"""The tables of few labels: cardiac MR and abdominal CT."""
