"""Keep the encoder and the first decoder of TwoDecoders weights, so that they fit the EncoderDecoder of train.json.

usage: python scripts/first_decoder.py TWO_DECODERS.pt OUTPUT.pt
"""

from __future__ import annotations

import sys

import torch

FIRST, SECOND = "decoder_a.", "decoder_b."


def main(source: str, output: str) -> None:
    state = torch.load(source, map_location="cpu", weights_only=True)
    kept = {name.replace(FIRST, "decoder."): value for name, value in state.items() if not name.startswith(SECOND)}
    if len(kept) == len(state):
        raise SystemExit(f"{source}: found no {SECOND}*, expected the weights of TwoDecoders; train them first")
    torch.save(kept, output)


if __name__ == "__main__":
    main(*sys.argv[1:3])
