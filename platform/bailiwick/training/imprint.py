"""New classes for a model that stays as it is: imprinted weights (Qi et al., arXiv:1712.07136)."""

import torch
from torch.nn.functional import cross_entropy

from bailiwick.monitoring.descriptors import KnownWords
from bailiwick.serving.artifact import HASHED_NGRAMS, KNOWN_WORDS, Artifact
from bailiwick.serving.transformer import load_network
from bailiwick.training.data import Frame, newest_tenth
from bailiwick.training.encoders import BaseEncoder
from bailiwick.training.head import numbered
from bailiwick.training.progress import Progress
from bailiwick.training.recipes import HeadRecipe, ImprintRecipe, RecipeInvalid
from bailiwick.training.trained import Trained


def train_imprint(
    frame: Frame, recipe: ImprintRecipe, *, base: Artifact | None, progress: Progress
) -> Trained:
    """The transformer `base` with a row for each label of `frame` that it does not know.

    Labels of `base` keep their rows, also those that no row of `frame` has. Raises
    `RecipeInvalid` where nothing is new or there is no transformer to start from.
    """
    older, _ = newest_tenth(frame)
    if base is None or base.model_type == HASHED_NGRAMS:
        raise RecipeInvalid("Imprinting takes a transformer to start from; refit a head instead.")
    new = set(frame.labels) - set(base.labels)
    if not new:
        raise RecipeInvalid("No class is new to the model: there is nothing to imprint.")
    # Those that the newest tenth alone has come last: the first head does not know them.
    early = sorted(new & set(older.labels))
    late = sorted(new - set(older.labels))
    labels = (*base.labels, *early, *late)
    column = {label: place for place, label in enumerate(labels)}
    columns = torch.tensor([column[label] for label in frame.labels])
    progress("encode", 0, 1, {})
    texts, rows = numbered(frame.texts)
    encoder = BaseEncoder(texts, HeadRecipe(), base)
    progress("encode", 1, 1, {})
    encoded = encoder.encoded(rows)
    known: torch.nn.Linear = load_network(base.directory).get_submodule("classifier")  # type: ignore[assignment]  # ModernBERT's
    cut = len(older)
    first = _imprinted(known, encoded[:cut], columns[:cut], recipe.steps)
    right = _logits(first, encoded[cut:]).argmax(dim=1) == columns[cut:]
    head = _imprinted(known, encoded, columns, recipe.steps)
    loss = cross_entropy(_logits(head, encoded), columns).item()
    progress("train", 1, 1, {"loss": round(loss, 4)})
    encoder.take(head)
    network, config_json = encoder.finished(labels)
    return Trained(
        network,
        config_json,
        encoder.tokenizer,
        encoder.max_tokens,
        labels,
        KnownWords.of(texts) | KnownWords.load(base.directory / KNOWN_WORDS),
        losses=[loss],
        metrics={
            "validation_accuracy": right.float().mean().item(),
            "imprinted_labels": len(new),
            "labels_kept_from_base": len(base.labels),
        },
        rows_per_second=0.0,
        newest_right=right.numpy(),
    )


def _imprinted(
    known: torch.nn.Linear, encoded: torch.Tensor, columns: torch.Tensor, steps: int
) -> torch.nn.Linear:
    """`known` with a row more for each further column, by its examples among `encoded`.

    A row points from the mean of all to that of the examples; lengths and offsets are those of
    the least log loss over all rows, so that the old classes hold their ground.
    """
    old, middle = known.out_features, encoded.mean(dim=0)
    further = range(old, max(old, int(columns.max()) + 1))
    means = torch.stack([encoded[columns == place].mean(dim=0) for place in further])
    directions = torch.nn.functional.normalize(means - middle)
    scales = torch.full((len(further),), known.weight.norm(dim=1).mean().item())
    # An offset by which a row says nothing about the mean text, as often as the usual class.
    offsets = known.bias.detach().mean() - scales * (directions @ middle)
    scales.requires_grad_()
    offsets = offsets.detach().requires_grad_()
    theirs, mine = _logits(known, encoded), encoded @ directions.T
    optimizer = torch.optim.LBFGS([scales, offsets], max_iter=steps, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        found = cross_entropy(torch.cat([theirs, mine * scales + offsets], dim=1), columns)
        torch.autograd.backward(found)
        return found

    optimizer.step(loss)  # type: ignore[no-untyped-call]  # torch leaves it bare
    head = torch.nn.Linear(known.in_features, old + len(further))
    with torch.no_grad():
        head.weight.copy_(torch.cat([known.weight, directions * scales[:, None]]))
        head.bias.copy_(torch.cat([known.bias, offsets]))
    return head


@torch.no_grad()
def _logits(head: torch.nn.Linear, encoded: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = head(encoded)
    return logits
