"""The one training loop, for pretraining and for classification alike.

It knows batches of rows and an objective, not tasks. Same seed, data, threads and machine: the
same losses, bit for bit. In a `parallel.team` each process learns from its share of every batch.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import torch

from bailiwick.training.parallel import team

# (rows of the batch, generator for masks and dropped tokens) -> scalar loss.
Objective = Callable[[torch.Tensor, torch.Generator], torch.Tensor]
# epoch just finished, steps done, steps planned, mean loss, validation or None.
Watcher = Callable[[int, int, float, "Validation | None"], None]


class Batches(Protocol):
    """Rows that come in batches."""

    def __len__(self) -> int:
        """How many rows there are."""

    def buckets(self, batch_rows: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
        """Every row's number once, in random batches."""


@dataclass(frozen=True, slots=True)
class Validation:
    """How the model does on the rows kept back for early stopping."""

    accuracy: float
    loss: float

    def better_than(self, other: "Validation | None") -> bool:
        """Higher accuracy; at equal accuracy, lower loss."""
        return other is None or (self.accuracy, -self.loss) > (other.accuracy, -other.loss)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """How one phase is trained: see `SmallClassifierRecipe` for the meaning of each."""

    epochs: int
    batch_rows: int
    learning_rate: float
    weight_decay: float
    warmup_ratio: float
    gradient_norm: float
    patience_epochs: int | None = None


@dataclass(slots=True)
class History:
    """What happened: mean loss and validation per epoch, and the pace of the steps alone."""

    losses: list[float] = field(default_factory=list)
    validations: list[Validation] = field(default_factory=list)
    best_epoch: int = 0
    rows: int = 0
    seconds: float = 0.0

    @property
    def rows_per_second(self) -> float:
        """Rows trained per second, validation not counted."""
        return self.rows / self.seconds if self.seconds else 0.0


def fit(
    network: torch.nn.Module,
    objective: Objective,
    texts: Batches,
    phase: Phase,
    *,
    generator: torch.Generator,
    validate: Callable[[], Validation] | None = None,
    watch: Watcher | None = None,
) -> History:
    """Train `network` in place and leave it, in evaluation mode, at its best epoch.

    Without `validate` every epoch runs and the last one counts.
    """
    steps_per_epoch = -(-len(texts) // phase.batch_rows)
    steps = max(1, phase.epochs * steps_per_epoch)
    optimizer = _optimizer(network, phase)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _warm_up_then_decay(steps, phase))
    together = team()
    within = together.start_alike(network, generator)
    history = History()
    best: dict[str, torch.Tensor] = {}
    for epoch in range(phase.epochs):
        started = time.perf_counter()
        network.train()
        losses: list[torch.Tensor] = []
        for rows in texts.buckets(phase.batch_rows, generator):
            losses.append(together.backward(network, objective, rows, within))
            torch.nn.utils.clip_grad_norm_(network.parameters(), phase.gradient_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        history.losses.append(torch.stack(losses).mean().item())
        history.seconds += time.perf_counter() - started
        history.rows += len(texts)
        network.eval()
        validation = _agreed(validate()) if validate else None
        if validation:
            previous = history.validations[history.best_epoch] if best else None
            history.validations.append(validation)
            if validation.better_than(previous):
                history.best_epoch = epoch
                best = {name: value.clone() for name, value in network.state_dict().items()}
        if watch:
            watch((epoch + 1) * steps_per_epoch, steps, history.losses[-1], validation)
        if phase.patience_epochs and epoch - history.best_epoch >= phase.patience_epochs and best:
            break
    if best:
        network.load_state_dict(best)
    else:
        history.best_epoch = len(history.losses) - 1
    return history


def _agreed(validation: Validation) -> Validation:
    return Validation(*team().agreed(validation.accuracy, validation.loss))


def _optimizer(network: torch.nn.Module, phase: Phase) -> torch.optim.Optimizer:
    """AdamW; matrices decay, norms and biases do not."""
    parameters = [value for value in network.parameters() if value.requires_grad]
    return torch.optim.AdamW(
        [
            {
                "params": [value for value in parameters if value.ndim > 1],
                "weight_decay": phase.weight_decay,
            },
            {"params": [value for value in parameters if value.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=phase.learning_rate,
        betas=(0.9, 0.98),
        fused=True,
    )


def _warm_up_then_decay(steps: int, phase: Phase) -> Callable[[int], float]:
    warm_up = max(1, round(steps * phase.warmup_ratio))

    def factor(step: int) -> float:
        return min((step + 1) / warm_up, max(0.0, (steps - step) / max(1, steps - warm_up)))

    return factor
