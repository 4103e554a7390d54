"""Training by several processes: each learns from its share of every batch (data parallelism).

After each step's backward pass the gradients are summed over gloo, each weighted by its share of
the batch, so that all processes take the same step (Li et al., PyTorch Distributed, VLDB 13(12),
2020). It is done here instead of by `DistributedDataParallel`, which weighs processes alike: the
last batch of an epoch has fewer rows, and shares differ.

Guaranteed: with the same seed, data, number of processes and kind of machine, the same weights.
Beside one process: the same batches in the same order; what is drawn within a batch (dropped
tokens, masks, dropout) is drawn by each process for itself, so losses agree up to rounding where
nothing is drawn, and in expectation where something is.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch.distributed import ProcessGroupGloo
from torch.distributed import TCPStore as Store  # type: ignore[attr-defined]  # exported all the same

PATIENCE = timedelta(minutes=30)  # for a process that judges while the others wait
Objective = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Team:
    """The processes that train one network, and which of them this is. The first one leads."""

    rank: int = 0
    size: int = 1
    group: Any = None  # `ProcessGroupGloo`, the types of which lack what it does

    @property
    def leads(self) -> bool:
        """Whether this process judges and writes what was trained."""
        return self.rank == 0

    def start_alike(self, network: torch.nn.Module, generator: torch.Generator) -> torch.Generator:
        """Start from the leader's weights; what this process draws within batches from."""
        if self.group is None:
            return generator
        for value in network.state_dict().values():
            self.group.broadcast(value, 0).wait()
        # Of a copy: the batches of all processes are drawn from the one given.
        copied = torch.Generator().set_state(generator.get_state())
        own = int(torch.randint(2**31, (1,), generator=copied)) + self.rank
        torch.manual_seed(own)
        return torch.Generator().manual_seed(own)

    def backward(
        self,
        network: torch.nn.Module,
        objective: Objective,
        rows: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """The loss of the batch `rows`, a scalar; its gradients are the network's afterwards."""
        if self.group is None:
            loss = objective(rows, generator)
            torch.autograd.backward(loss)
            return loss.detach()
        mine = rows[self.rank :: self.size]
        weight = len(mine) / len(rows)
        # A batch can have fewer rows than there are processes: one of weight 0 then.
        loss = objective(mine if weight else rows[:1], generator) * weight
        torch.autograd.backward(loss)
        return _summed(self.group, network, loss.detach())

    def agreed(self, accuracy: float, loss: float) -> tuple[float, float]:
        """The leader's measures: all processes must stop at the same epoch."""
        measures = torch.tensor([accuracy, loss], dtype=torch.float64)
        if self.group is not None:
            self.group.broadcast(measures, 0).wait()
        return measures[0].item(), measures[1].item()


ALONE = Team()
_team: ContextVar[Team] = ContextVar("team", default=ALONE)


def team() -> Team:
    """The team in which this process, or thread, trains."""
    return _team.get()


@contextmanager
def joined(host: str, port: int, *, rank: int, size: int) -> Iterator[Team]:
    """Train in a team for the block. The process of rank 0 listens at `host` and `port`."""
    store = Store(host, port, size, is_master=rank == 0, timeout=PATIENCE)
    group = ProcessGroupGloo(store, rank, size, PATIENCE)
    token = _team.set(Team(rank, size, group))
    try:
        yield _team.get()
    finally:
        _team.reset(token)


@contextmanager
def joined_by_environment() -> Iterator[Team]:
    """The team that `WORLD_SIZE`, `RANK`, `MASTER_ADDR` and `MASTER_PORT` tell of, if they do."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    with joined(host, port, rank=int(os.environ["RANK"]), size=size) as together:
        yield together


def _summed(group: Any, network: torch.nn.Module, loss: torch.Tensor) -> torch.Tensor:
    """Sum gradients and loss over all processes, in one message; the sum of the losses."""
    gradients = [value.grad for value in network.parameters() if value.grad is not None]
    message = torch.cat([*(one.reshape(-1) for one in gradients), loss.reshape(1)])
    group.allreduce(message).wait()
    start = 0
    for one in gradients:
        one.copy_(message[start : start + one.numel()].view_as(one))
        start += one.numel()
    return message[-1]
