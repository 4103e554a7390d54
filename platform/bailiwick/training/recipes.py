"""Recipes: how a model is trained, frozen and checked, so that a version can name its own.

Everything that shapes the result is here or in the job's seed and data.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeAlias

from bailiwick.core.errors import Invalid


class RecipeInvalid(Invalid):
    """A recipe that cannot be followed."""

    code = "recipe-invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    """What recipes have in common: a kind, bounds, and their form in JSON."""

    kind: ClassVar[str]

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name), whole=field.type is int)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The recipe that `to_dict` wrote; what is left out takes its default."""
        named = dict(values)
        if (kind := named.pop("kind", cls.kind)) != cls.kind:
            raise RecipeInvalid(f"There is no recipe of kind {kind!r}. Use {cls.kind!r}.")
        if strange := sorted(named.keys() - {field.name for field in fields(cls)}):
            raise RecipeInvalid(
                f"A {cls.kind} recipe has no {', '.join(strange)}. Correct or remove it."
            )
        return cls(**named)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with `kind`."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallClassifierRecipe(_Settings):
    """A small transformer: masked-language pretraining, then a classification head.

    Network: `layers` of `hidden_size` with `heads` attention heads over a byte-level BPE
    vocabulary of at most `vocabulary_size`; texts are cut at `max_tokens`. Both phases run the
    same loop (AdamW, warm-up over `warmup_ratio` of the steps, then linear decay to zero).
    Training stops once `patience_epochs` epochs brought no better validation accuracy;
    then `closing_epochs` pass over all rows, those of the validation included. With an
    `adapter_rank` the encoder of the model to start from is kept, but for a change of that rank
    to each of its matrices (LoRA, arXiv:2106.09685), which is merged in the end.
    """

    kind: ClassVar[str] = "small-classifier"

    vocabulary_size: int = 4000
    max_tokens: int = 32
    hidden_size: int = 128
    layers: int = 2
    heads: int = 4
    intermediate_size: int = 256
    dropout: float = 0.2
    embedding_dropout: float = 0.1
    classifier_dropout: float = 0.3

    pretrain_epochs: int = 2
    pretrain_batch_rows: int = 64
    pretrain_learning_rate: float = 2e-3
    mask_ratio: float = 0.3

    train_epochs: int = 5
    batch_rows: int = 128
    learning_rate: float = 3e-3
    token_dropout: float = 0.1
    patience_epochs: int = 2
    closing_epochs: int = 1
    closing_learning_rate: float = 5e-4

    weight_decay: float = 0.5
    warmup_ratio: float = 0.06
    gradient_norm: float = 1.0

    adapter_rank: int = 0

    def __post_init__(self) -> None:
        _Settings.__post_init__(self)
        if self.adapter_rank and self.pretrain_epochs:
            raise RecipeInvalid(
                "An adapter leaves the model to start from as it is: set pretrain_epochs to 0."
            )
        if self.hidden_size % (2 * self.heads):
            raise RecipeInvalid(
                f"hidden_size {self.hidden_size} must be an even multiple of heads {self.heads}, "
                "because each head rotates pairs of its dimensions."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadRecipe(_Settings):
    """A linear head on a frozen encoder, refit in seconds.

    The encoder is the transformer of the model to start from where there is one, and otherwise
    hashed words, pairs of words and character 3- to 5-grams in `buckets` (texts are cut at
    `max_characters`). Equal texts are one lesson: the distribution of their labels, each row
    weighted by half for every `half_life_days` of its age at the newest row (0: all alike), and
    the root of these weights is the lesson's. At most `max_texts` lessons, the weightiest.
    `balance_ratio` weights labels by their frequency to the power of its negative (0: as they
    come, 1: all labels alike). Learned by the loop that trains all else (AdamW, `epochs` passes).
    """

    kind: ClassVar[str] = "head"

    buckets: int = 32_768
    max_characters: int = 1000
    half_life_days: float = 180.0
    max_texts: int = 20_000
    balance_ratio: float = 0.0

    epochs: int = 6
    batch_rows: int = 1024
    learning_rate: float = 0.04
    weight_decay: float = 0.0
    warmup_ratio: float = 0.06
    gradient_norm: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImprintRecipe(_Settings):
    """The model to start from, as it is, with a row of weights for each class that is new.

    A row points from the mean of all encoded texts to that of the class's examples (Qi et al.,
    arXiv:1712.07136); its length and offset are fitted, by at most `steps` of L-BFGS.
    """

    kind: ClassVar[str] = "imprint"

    steps: int = 50


Recipe: TypeAlias = SmallClassifierRecipe | HeadRecipe | ImprintRecipe
_KINDS: Mapping[str, type[Recipe]] = MappingProxyType(
    {one.kind: one for one in (SmallClassifierRecipe, HeadRecipe, ImprintRecipe)}
)


def recipe_of(values: Mapping[str, Any]) -> Recipe:
    """The recipe of any kind that `to_dict` wrote. Raises `RecipeInvalid`."""
    kind = values.get("kind", SmallClassifierRecipe.kind)
    if kind not in _KINDS:
        raise RecipeInvalid(f"There is no recipe of kind {kind!r}. Use one of {', '.join(_KINDS)}.")
    return _KINDS[kind].from_dict(values)


# Inclusive bounds; a ratio or a rate of exactly 0 switches the thing off.
_BOUNDS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "vocabulary_size": (300, 100_000),
        "max_tokens": (4, 512),
        "hidden_size": (8, 1024),
        "layers": (1, 24),
        "heads": (1, 16),
        "intermediate_size": (8, 4096),
        "dropout": (0, 0.9),
        "embedding_dropout": (0, 0.9),
        "classifier_dropout": (0, 0.9),
        "pretrain_epochs": (0, 1000),
        "pretrain_batch_rows": (1, 4096),
        "pretrain_learning_rate": (1e-6, 1),
        "mask_ratio": (0.01, 0.9),
        "train_epochs": (1, 1000),
        "batch_rows": (1, 4096),
        "learning_rate": (1e-6, 1),
        "token_dropout": (0, 0.9),
        "patience_epochs": (1, 1000),
        "buckets": (256, 1 << 22),
        "max_characters": (8, 100_000),
        "half_life_days": (0, 36_525),
        "max_texts": (10, 10_000_000),
        "balance_ratio": (0, 1),
        "epochs": (1, 1000),
        "closing_epochs": (0, 10),
        "closing_learning_rate": (1e-6, 1),
        "weight_decay": (0, 10),
        "warmup_ratio": (0, 0.5),
        "gradient_norm": (0.01, 100),
        "adapter_rank": (0, 256),
        "steps": (1, 1000),
    }
)


def _check(name: str, value: object, *, whole: bool) -> None:
    low, high = _BOUNDS[name]
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise RecipeInvalid(f"{name} must be a {'whole ' if whole else ''}number.")
    if not low <= value <= high:
        raise RecipeInvalid(f"{name} must be from {low:g} to {high:g}; it is {value:g}.")


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        # The first model of a task, from nothing.
        "small-classifier": SmallClassifierRecipe(),
        # A successor that starts from its champion's tokenizer and weights.
        "small-classifier-refresh": SmallClassifierRecipe(
            pretrain_epochs=0, train_epochs=3, learning_rate=2e-3
        ),
        # The same, with low-rank changes of its weights alone.
        "adapter": SmallClassifierRecipe(
            pretrain_epochs=0, train_epochs=3, learning_rate=5e-3, adapter_rank=8
        ),
        # Its champion as it is, and the classes that are new.
        "imprint": ImprintRecipe(),
        # A linear model on hashed n-grams: the cheap update, in seconds.
        "head": HeadRecipe(),
        # A new head on the encoder of the model to start from: few inputs, so more steps.
        "head-on-base": HeadRecipe(epochs=30, batch_rows=256, learning_rate=0.02),
    }
)
