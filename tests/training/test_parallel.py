"""Data parallelism: two processes that share every batch learn what one learns alone."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import torch

from bailiwick.training.loop import History, Phase, Validation, fit
from bailiwick.training.parallel import ALONE, joined, joined_by_environment, team

pytestmark = pytest.mark.torch
PHASE = Phase(
    epochs=4,
    batch_rows=8,
    learning_rate=0.05,
    weight_decay=0.01,
    warmup_ratio=0.1,
    gradient_norm=1.0,
)
ROWS, FEATURES = 33, 5  # the last batch of an epoch has one row, which one process has to itself


@dataclass(frozen=True)
class Numbers:
    """Rows of random numbers, and what is to be learned of them."""

    given: torch.Tensor
    wanted: torch.Tensor

    def __len__(self) -> int:
        return len(self.given)

    def buckets(self, batch_rows: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
        yield from torch.split(torch.randperm(len(self), generator=generator), batch_rows)


def numbers() -> Numbers:
    generator = torch.Generator().manual_seed(1)
    given = torch.randn(ROWS, FEATURES, generator=generator)
    return Numbers(given, given.sum(dim=1, keepdim=True))


def trained(seed: int, *, validated_as: float | None = None) -> tuple[History, torch.Tensor]:
    """A linear network, fitted by the loop, from weights that belong to the `seed`."""
    rows, network = numbers(), torch.nn.Linear(FEATURES, 1)
    with torch.no_grad():
        network.weight.copy_(torch.full((1, FEATURES), seed / 10))
        network.bias.zero_()

    def objective(batch: torch.Tensor, _: torch.Generator) -> torch.Tensor:
        loss: torch.Tensor = (network(rows.given[batch]) - rows.wanted[batch]).square().mean()
        return loss

    history = fit(
        network,
        objective,
        rows,
        PHASE,
        generator=torch.Generator().manual_seed(7),
        validate=None if validated_as is None else lambda: Validation(validated_as, 1.0),
    )
    return history, network.weight.detach().clone()


def in_team(*seeds: int, validated: bool = False) -> list[tuple[History, torch.Tensor]]:
    """What each of as many processes as seeds comes to; here each is a thread."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def member(rank: int) -> tuple[History, torch.Tensor]:
        with joined("127.0.0.1", port, rank=rank, size=len(seeds)) as together:
            assert together.leads == (rank == 0)
            return trained(seeds[rank], validated_as=0.25 * (rank + 1) if validated else None)

    with ThreadPoolExecutor(len(seeds)) as threads:
        return list(threads.map(member, range(len(seeds))))


def test_two_processes_learn_what_one_learns_alone_up_to_rounding() -> None:
    alone, weights = trained(3)
    for history, theirs in in_team(3, 3):
        assert history.losses == pytest.approx(alone.losses, rel=1e-5)
        torch.testing.assert_close(theirs, weights, rtol=1e-5, atol=1e-6)


def test_all_processes_have_the_same_weights_and_losses_to_the_bit_every_time() -> None:
    (first, weights), (second, others) = in_team(3, 3)
    (again, same), _ = in_team(3, 3)
    assert first.losses == second.losses == again.losses
    assert torch.equal(weights, others)
    assert torch.equal(weights, same)


def test_the_leaders_weights_and_its_judgement_count() -> None:
    (leader, weights), (other, theirs) = in_team(3, 9, validated=True)
    alone, _ = trained(3)
    assert leader.losses == pytest.approx(alone.losses, rel=1e-5)
    assert torch.equal(weights, theirs)
    assert [one.accuracy for one in other.validations] == [0.25] * PHASE.epochs


def test_without_a_team_a_process_trains_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_by_environment() as together:
        assert together is ALONE
        assert team().leads
