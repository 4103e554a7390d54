"""A small classifier from a frame and a recipe: tokenizer, pretraining, training, calibration."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import ModernBertForSequenceClassification

from bailiwick.monitoring.descriptors import KnownWords
from bailiwick.serving.artifact import KNOWN_WORDS, Artifact
from bailiwick.serving.transformer import load_tokenizer
from bailiwick.training.adapters import adapt, merge
from bailiwick.training.calibration import calibrate, validate
from bailiwick.training.data import Frame, newest_tenth
from bailiwick.training.loop import History, Phase, Validation, fit
from bailiwick.training.network import (
    configuration,
    masked_model_of,
    warm_start,
)
from bailiwick.training.objectives import classification_objective, masked_language_objective
from bailiwick.training.progress import Progress, Stage
from bailiwick.training.recipes import SmallClassifierRecipe
from bailiwick.training.tokens import encode, train_tokenizer
from bailiwick.training.trained import Trained


def train_classifier(
    frame: Frame,
    recipe: SmallClassifierRecipe,
    *,
    base: Artifact | None,
    seed: int,
    progress: Progress,
) -> Trained:
    """Train on `frame`, warm from `base` where given. Raises `Invalid` kinds for bad input.

    The newest tenth of the rows decides when to stop and how far to soften the confidence;
    then `closing_epochs` go over all rows, so that the model has seen the newest too.
    """
    older, newest = newest_tenth(frame)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    labels = tuple(sorted(set(frame.labels)))
    known_words = KnownWords.of(frame.texts)
    progress("tokenizer", 0, 1, {})
    if base:
        tokenizer = load_tokenizer(base.directory)
        tokenizer.enable_truncation(recipe.max_tokens)
        known_words |= KnownWords.load(base.directory / KNOWN_WORDS)
    else:
        tokenizer = train_tokenizer(
            older.texts,
            vocabulary_size=recipe.vocabulary_size,
            max_tokens=recipe.max_tokens,
        )
    progress("tokenizer", 1, 1, {})
    network = ModernBertForSequenceClassification(
        configuration(recipe, vocabulary_size=tokenizer.get_vocab_size(), labels=labels)
    )
    kept = warm_start(network, labels, base) if base else 0
    if recipe.adapter_rank:
        adapt(network, recipe.adapter_rank, started=base is not None)
    course = _Course(network, tokenizer, recipe, labels, generator, progress)
    pretraining = course.pretrain(older.texts)
    training = course.train(older, newest)
    kept_back = encode(tokenizer, newest.texts)
    temperature, right = calibrate(network, kept_back, course.targets(newest))
    closing = course.close(frame)
    merge(network)
    best = training.validations[training.best_epoch]
    return Trained(
        network,
        network.config.to_json_string(),
        tokenizer,
        recipe.max_tokens,
        labels,
        known_words,
        losses=[*pretraining.losses, *training.losses, *closing.losses],
        metrics={
            "validation_accuracy": best.accuracy,
            "validation_loss": best.loss,
            "pretrain_loss": pretraining.losses[-1] if pretraining.losses else None,
            "epochs": len(training.losses),
            "best_epoch": training.best_epoch + 1,
            "temperature": temperature,
            "labels_kept_from_base": kept,
        },
        rows_per_second=training.rows_per_second,
        newest_right=right.numpy(),
    )


@dataclass(frozen=True, slots=True)
class _Course:
    """One network on its way through the phases of its recipe."""

    network: ModernBertForSequenceClassification
    tokenizer: Tokenizer
    recipe: SmallClassifierRecipe
    labels: Sequence[str]
    generator: torch.Generator
    progress: Progress

    def pretrain(self, texts: Sequence[str]) -> History:
        """Guess hidden tokens of the distinct `texts`."""
        recipe = self.recipe
        if not recipe.pretrain_epochs:
            return History()
        encoded = encode(self.tokenizer, list(dict.fromkeys(texts)))
        masked = masked_model_of(self.network)
        return fit(
            masked,
            masked_language_objective(masked, encoded, recipe.mask_ratio),
            encoded,
            self._phase(
                epochs=recipe.pretrain_epochs,
                batch_rows=recipe.pretrain_batch_rows,
                learning_rate=recipe.pretrain_learning_rate,
            ),
            generator=self.generator,
            watch=partial(self._watch, "pretrain"),
        )

    def train(self, older: Frame, newest: Frame) -> History:
        """Name the labels of `older`, until `newest` says that it gets no better."""
        recipe = self.recipe
        texts, kept_back = encode(self.tokenizer, older.texts), encode(self.tokenizer, newest.texts)
        wanted = self.targets(newest)
        return fit(
            self.network,
            classification_objective(
                self.network, texts, self.targets(older), recipe.token_dropout
            ),
            texts,
            self._phase(
                epochs=recipe.train_epochs,
                batch_rows=recipe.batch_rows,
                learning_rate=recipe.learning_rate,
                patience_epochs=recipe.patience_epochs,
            ),
            generator=self.generator,
            validate=lambda: validate(self.network, kept_back, wanted),
            watch=partial(self._watch, "train"),
        )

    def close(self, frame: Frame) -> History:
        """Go over all rows once more, gently, the newest included."""
        recipe = self.recipe
        if not recipe.closing_epochs:
            return History()
        texts = encode(self.tokenizer, frame.texts)
        return fit(
            self.network,
            classification_objective(
                self.network, texts, self.targets(frame), recipe.token_dropout
            ),
            texts,
            self._phase(
                epochs=recipe.closing_epochs,
                batch_rows=recipe.batch_rows,
                learning_rate=recipe.closing_learning_rate,
            ),
            generator=self.generator,
            watch=partial(self._watch, "train"),
        )

    def targets(self, frame: Frame) -> torch.Tensor:
        """The column of each row's label, (rows,) int64."""
        column = {label: index for index, label in enumerate(self.labels)}
        return torch.tensor([column[label] for label in frame.labels])

    def _phase(self, **settings: Any) -> Phase:
        return Phase(
            weight_decay=self.recipe.weight_decay,
            warmup_ratio=self.recipe.warmup_ratio,
            gradient_norm=self.recipe.gradient_norm,
            **settings,
        )

    def _watch(
        self, stage: Stage, step: int, steps: int, loss: float, validation: Validation | None
    ) -> None:
        measures = {"loss": round(loss, 4)}
        if validation:
            measures["accuracy"] = round(validation.accuracy, 4)
        self.progress(stage, step, steps, measures)
