"""The network of a small classifier: a ModernBERT encoder, built in transformers.

Chosen because it pools over all tokens, needs no position table and is the fastest of its
built-in kind on a CPU at these sizes (docs/decisions/0004).
"""

from collections.abc import Sequence

import torch
from transformers import (
    ModernBertConfig,
    ModernBertForMaskedLM,
    ModernBertForSequenceClassification,
)

from bailiwick.core.errors import Invalid
from bailiwick.serving.artifact import HASHED_NGRAMS, Artifact
from bailiwick.serving.transformer import load_network
from bailiwick.training.recipes import SmallClassifierRecipe
from bailiwick.training.tokens import CLS_ID, PAD_ID, SEP_ID

_LABEL_ROWS = {"classifier.weight", "classifier.bias"}


def configuration(
    recipe: SmallClassifierRecipe, *, vocabulary_size: int, labels: Sequence[str]
) -> ModernBertConfig:
    """The transformers configuration that `recipe` describes."""
    return ModernBertConfig(
        architectures=[ModernBertForSequenceClassification.__name__],
        vocab_size=vocabulary_size,
        hidden_size=recipe.hidden_size,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        intermediate_size=recipe.intermediate_size,
        max_position_embeddings=recipe.max_tokens,
        # Texts are short: every layer sees all of them.
        layer_types=["full_attention"] * recipe.layers,
        classifier_pooling="mean",
        mlp_dropout=recipe.dropout,
        attention_dropout=recipe.dropout,
        embedding_dropout=recipe.embedding_dropout,
        classifier_dropout=recipe.classifier_dropout,
        pad_token_id=PAD_ID,
        bos_token_id=CLS_ID,
        cls_token_id=CLS_ID,
        eos_token_id=SEP_ID,
        sep_token_id=SEP_ID,
        id2label=dict(enumerate(labels)),
        label2id={label: row for row, label in enumerate(labels)},
    )


def masked_model_of(classifier: ModernBertForSequenceClassification) -> ModernBertForMaskedLM:
    """A masked language model that shares the encoder and head of `classifier`.

    What it learns, the classifier has learned; the output layer is tied to the embeddings.
    """
    masked = ModernBertForMaskedLM(classifier.config)
    masked.model = classifier.model
    masked.head = classifier.head
    # By hand: `tie_weights` does nothing while any thread of the process loads a model.
    masked.decoder.weight = classifier.model.embeddings.tok_embeddings.weight
    return masked


@torch.no_grad()
def warm_start(
    classifier: ModernBertForSequenceClassification, labels: Sequence[str], base: Artifact
) -> int:
    """Copy encoder and head of `base`, and the classifier rows of labels that both know.

    Returns how many rows were kept. Raises `Invalid` where the networks differ in shape.
    """
    if base.model_type == HASHED_NGRAMS:
        raise Invalid(
            "The model to start from is a linear one on n-grams, which has no network to go on "
            "from. Train from scratch, or refit a head."
        )
    theirs, mine = load_network(base.directory).state_dict(), classifier.state_dict()
    if _shapes(theirs) != _shapes(mine):
        raise Invalid(
            "The recipe's network has another shape than the model it should start from. "
            "Keep its sizes and layers, or train from scratch."
        )
    rows = {label: row for row, label in enumerate(base.labels)}
    kept = [(row, rows[label]) for row, label in enumerate(labels) if label in rows]
    new_rows = torch.tensor([new for new, _ in kept], dtype=torch.long)
    old_rows = torch.tensor([old for _, old in kept], dtype=torch.long)
    for name in _LABEL_ROWS & theirs.keys():
        theirs[name] = mine[name].index_copy(0, new_rows, theirs[name][old_rows])
    classifier.load_state_dict(theirs)
    return len(kept)


def _shapes(weights: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    """Shapes by name; how many labels there are is free."""
    return {
        name: tensor.shape[1:] if name in _LABEL_ROWS else tensor.shape
        for name, tensor in weights.items()
    }


def parameter_count(network: torch.nn.Module) -> int:
    """Trainable and fixed numbers in `network`, embeddings included, tied ones once."""
    return sum(parameter.numel() for parameter in network.parameters())
