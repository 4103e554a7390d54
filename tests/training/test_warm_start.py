"""A successor starts from what its predecessor knows."""

from pathlib import Path

import pytest
import torch
from transformers import ModernBertForSequenceClassification

from bailiwick.core.errors import Invalid
from bailiwick.serving.artifact import read_artifact
from bailiwick.serving.transformer import load_network, load_tokenizer
from bailiwick.training.network import configuration, masked_model_of, warm_start
from bailiwick.training.recipes import SmallClassifierRecipe
from support.tiny_training import TINY

pytestmark = pytest.mark.torch


def _fresh(
    trained: Path, labels: list[str], recipe: SmallClassifierRecipe = TINY
) -> ModernBertForSequenceClassification:
    torch.manual_seed(1)
    vocabulary_size = load_tokenizer(trained / "artifact").get_vocab_size()
    return ModernBertForSequenceClassification(
        configuration(recipe, vocabulary_size=vocabulary_size, labels=labels)
    )


def test_known_labels_keep_their_rows_and_new_ones_start_fresh(trained: Path) -> None:
    base = read_artifact(trained / "artifact")
    theirs = load_network(base.directory).state_dict()
    labels = ["Books", "Drinks", "Fuel"]
    network = _fresh(trained, labels)
    fresh_row = network.classifier.weight[1].clone()
    assert warm_start(network, labels, base) == 2
    mine = network.state_dict()
    assert torch.equal(mine["classifier.weight"][0], theirs["classifier.weight"][0])
    assert torch.equal(
        mine["classifier.bias"][2], theirs["classifier.bias"][base.labels.index("Fuel")]
    )
    assert torch.equal(mine["classifier.weight"][1], fresh_row)
    encoder = [name for name in theirs if not name.startswith("classifier.")]
    assert all(torch.equal(mine[name], theirs[name]) for name in encoder)


def test_a_recipe_of_another_shape_cannot_start_from_the_model(trained: Path) -> None:
    base = read_artifact(trained / "artifact")
    wider = SmallClassifierRecipe.from_dict({**TINY.to_dict(), "hidden_size": 32})
    with pytest.raises(Invalid, match="another shape"):
        warm_start(_fresh(trained, ["a", "b"], wider), ["a", "b"], base)


def test_pretraining_shares_the_encoder_and_ties_the_output_to_the_embeddings(
    trained: Path,
) -> None:
    network = _fresh(trained, ["a", "b"])
    masked = masked_model_of(network)
    assert masked.model is network.model
    assert masked.decoder.weight is network.model.embeddings.tok_embeddings.weight
