"""Tables of the two label-free tasks, skin and lung."""
