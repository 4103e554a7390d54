"""Low-rank adapters (LoRA, Hu et al., arXiv:2106.09685): a network learns little, and is merged."""

import torch
from torch.nn.utils import parametrize
from transformers import ModernBertForSequenceClassification

from bailiwick.training.recipes import RecipeInvalid

_HEAD = "classifier."


class LowRank(torch.nn.Module):
    """weight + up @ down; `up` begins at zero, so that nothing has changed at first."""

    def __init__(self, weight: torch.Tensor, rank: int) -> None:
        super().__init__()
        outputs, inputs = weight.shape
        self.down = torch.nn.Parameter(torch.empty(rank, inputs))
        self.up = torch.nn.Parameter(torch.zeros(outputs, rank))
        torch.nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The changed weight, (outputs, inputs)."""
        return weight + self.up @ self.down


def adapt(network: ModernBertForSequenceClassification, rank: int, *, started: bool) -> None:
    """Freeze all but the last layer, and give each other linear layer an adapter of `rank`.

    Raises `RecipeInvalid` where `network` was not `started` from a model: of random weights a
    low-rank change is no model.
    """
    if not started:
        raise RecipeInvalid("An adapter changes a model that there is: name one to start from.")
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(_HEAD))
    # A list: registering adds modules to those that are walked.
    for name, module in list(network.named_modules()):
        if isinstance(module, torch.nn.Linear) and not f"{name}.".startswith(_HEAD):
            fits = min(rank, *module.weight.shape)
            parametrize.register_parametrization(module, "weight", LowRank(module.weight, fits))


def merge(network: torch.nn.Module) -> None:
    """Add what the adapters have learned to the weights; a network without any stays as it is."""
    for module in list(network.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
