"""Record the spectrum of a model outside this package: a plain torch.nn.TransformerEncoder.

The stages are the attention (as the mixing) and the whole layer (as the FFN) of each encoder layer; the measure is
the stable rank of each example's token matrix.
"""

from __future__ import annotations

import torch
from torch import nn

from rankelastor.spectrum import Recorder, SpectrumReport, StagePoints, report_of

NUM_LAYERS, NUM_TOKENS, TOKEN_DIM = 4, 12, 32


def build_model() -> nn.Sequential:
    """Build a token embedding followed by an encoder."""
    layer = nn.TransformerEncoderLayer(TOKEN_DIM, nhead=4, dim_feedforward=64, batch_first=True, norm_first=False)
    encoder = nn.TransformerEncoder(layer, NUM_LAYERS, enable_nested_tensor=False)
    return nn.Sequential(nn.Embedding(100, TOKEN_DIM), encoder).eval()


def record(model: nn.Sequential, *, num_batches: int = 5) -> SpectrumReport:
    """Record the model over a few batches of 64 examples with random token ids."""
    mixings = tuple(f"1.layers.{index}.norm1" for index in range(NUM_LAYERS))
    ffns = tuple(f"1.layers.{index}" for index in range(NUM_LAYERS))
    points = StagePoints(tokens="0", mixings=mixings, ffns=ffns)
    with Recorder(model, points.names) as recorder, torch.no_grad():
        for _ in range(num_batches):
            model(torch.randint(0, 100, (64, NUM_TOKENS)))
    return report_of(recorder.recording(), name="TransformerEncoder", stages=points)


def main() -> None:
    torch.manual_seed(0)
    report = record(build_model())
    print(f"{'layer':>5}  {'stage':8} {'stable rank':>11}  95 % interval")
    for stage in report.spectra[0].trajectories["stable_rank"].stages:
        low, high = stage.confidence_interval or (stage.mean, stage.mean)
        print(f"{stage.layer:>5}  {stage.kind:8} {stage.mean:>11.2f}  {low:.2f} .. {high:.2f}")
    print()
    for sentence in report.sentences:
        print(sentence)


if __name__ == "__main__":
    main()
