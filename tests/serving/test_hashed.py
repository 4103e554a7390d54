"""The n-gram network: its sums and their gradient."""

import numpy as np
import pytest
import torch

from bailiwick.serving.hashed import NgramNetwork, SummedWeights
from bailiwick.serving.ngrams import hashed_ngrams

TEXTS = ["bp connect", "", "shell kings road", "bp bp garage", "north shell"]


@pytest.mark.parametrize("buckets", [64, 70_000])
def test_a_bucket_s_gradient_is_the_sum_over_its_rows_in_their_order(buckets: int) -> None:
    ngrams = hashed_ngrams(TEXTS, buckets=buckets, max_characters=99)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(buckets, 5, generator=generator).requires_grad_()
    pushed = torch.randn(len(TEXTS), 5, generator=generator)
    sums = SummedWeights.apply(weight, ngrams.buckets, ngrams.offsets)
    torch.autograd.backward(sums, pushed)
    expected = np.zeros((buckets, 5), np.float32)
    rows = np.repeat(np.arange(len(TEXTS)), np.diff(ngrams.offsets))
    np.add.at(expected, ngrams.buckets, pushed.numpy()[rows])
    assert weight.grad is not None
    assert np.array_equal(weight.grad.numpy(), expected)
    again = [weight.detach()[ngrams.rows(np.array([row])).buckets].sum(0) for row in range(5)]
    assert torch.allclose(sums.detach(), torch.stack(again), atol=1e-5)


def test_a_text_without_a_word_gets_the_bias() -> None:
    network = NgramNetwork(buckets=64, max_characters=99, labels=2)
    with torch.no_grad():
        network.bias.copy_(torch.tensor([1.0, -1.0]))
    logits = network.logits_of(network.encoded(["", "!"]))
    assert np.array_equal(logits.numpy(), [[1, -1], [1, -1]])
