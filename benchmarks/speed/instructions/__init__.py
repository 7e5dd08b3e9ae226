"""Instruction counts of three small inputs by callgrind: a speed regression is seen on a busy machine, too."""
