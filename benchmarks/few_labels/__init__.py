"""Tables of label-efficient methods for cardiac MR and abdominal CT."""
