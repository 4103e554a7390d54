"""The loop: repeatable, stopped in time, left at its best."""

import pytest
import torch
from torch.nn.functional import mse_loss

from bailiwick.training.loop import History, Phase, Validation, fit
from bailiwick.training.tokens import EncodedTexts

pytestmark = pytest.mark.torch
ROWS = 64
PHASE = Phase(
    epochs=6,
    batch_rows=8,
    learning_rate=0.05,
    weight_decay=0.0,
    warmup_ratio=0.1,
    gradient_norm=1.0,
)


def _fit(phase: Phase, scores: list[float] | None = None) -> tuple[torch.nn.Linear, History]:
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 1)
    inputs = torch.randn(ROWS, 3)
    wanted = inputs.sum(dim=1, keepdim=True)
    texts = EncodedTexts(torch.ones(ROWS, 2, dtype=torch.long), torch.arange(ROWS) % 2 + 1)
    given = iter(scores or [])
    history = fit(
        network,
        lambda batch, _: mse_loss(network(inputs[batch]), wanted[batch]),
        texts,
        phase,
        generator=torch.Generator().manual_seed(3),
        validate=(lambda: Validation(next(given), 0.0)) if scores else None,
    )
    return network, history


def _phase(**changes: float) -> Phase:
    values = {name: getattr(PHASE, name) for name in Phase.__slots__}
    return Phase(**{**values, **changes})


def test_the_same_seed_gives_the_same_losses_bit_for_bit() -> None:
    assert _fit(PHASE)[1].losses == _fit(PHASE)[1].losses


def test_the_loss_falls_and_every_row_of_every_epoch_is_counted() -> None:
    _, history = _fit(PHASE)
    assert history.losses[-1] < history.losses[0] / 4
    assert history.rows == 6 * ROWS
    assert history.rows_per_second > 0
    assert history.best_epoch == 5


def test_training_stops_when_patience_is_spent_and_goes_back_to_the_best_epoch() -> None:
    network, history = _fit(_phase(patience_epochs=2), [0.1, 0.5, 0.5, 0.4, 0.9, 0.9])
    assert len(history.losses) == 4
    assert history.best_epoch == 1
    # The schedule spans the planned epochs, so a run cut after two has the very same weights.
    again, _ = _fit(_phase(patience_epochs=1), [0.1, 0.5, 0.5])
    assert torch.equal(network.weight, again.weight)
    last, _ = _fit(_phase(patience_epochs=2), [0.1, 0.2, 0.3, 0.4, 0.9, 0.9])
    assert not torch.equal(network.weight, last.weight)


def test_at_equal_accuracy_the_lower_loss_is_better() -> None:
    assert Validation(0.5, 1.0).better_than(Validation(0.5, 2.0))
    assert not Validation(0.5, 1.0).better_than(Validation(0.6, 9.0))
    assert not Validation(0.5, 1.0).better_than(Validation(0.5, 1.0))


def test_the_network_is_left_ready_for_inference() -> None:
    assert not _fit(PHASE)[0].training
