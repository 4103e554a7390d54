"""The engine answers as a plain transformers forward does, text for text."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from bailiwick.monitoring.descriptors import describe
from bailiwick.monitoring.embeddings import EMBEDDING_BYTES
from bailiwick.serving.engine import Engine
from bailiwick.texts import measures_of
from support.tiny_training import rows

pytestmark = pytest.mark.torch
TEXTS = [text for _, text, _ in rows(300, seed=5)] + ["", "🚌 \x00", "word " * 200]


def test_the_engine_equals_a_plain_transformers_forward(artifact: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(artifact, local_files_only=True)
    network = AutoModelForSequenceClassification.from_pretrained(artifact, local_files_only=True)
    engine = Engine.load(artifact)
    with torch.inference_mode():
        expected = torch.cat(
            [
                network(**tokenizer(text, truncation=True, return_tensors="pt")).logits.softmax(-1)
                for text in TEXTS
            ]
        ).numpy()
    np.testing.assert_allclose(engine.probabilities(TEXTS), expected, atol=1e-5)
    for answer, row in zip(engine.classify(TEXTS), expected, strict=True):
        assert answer.label == network.config.id2label[int(row.argmax())]
        assert answer.confidence == pytest.approx(float(row.max()), abs=1e-5)


def test_each_answer_carries_the_descriptors_of_its_text(artifact: Path) -> None:
    engine = Engine.load(artifact)
    for text, answer in zip(TEXTS, engine.classify(TEXTS), strict=True):
        assert answer.descriptors == describe(text, engine.known_words)
    assert engine.classify(["bp zebra"])[0].descriptors.unseen_words_ratio == 0.5


def test_each_answer_carries_what_only_the_model_can_measure(artifact: Path) -> None:
    engine = Engine.load(artifact)
    probabilities = engine.probabilities(TEXTS).astype(np.float64)
    for text, answer, shares in zip(TEXTS, engine.classify(TEXTS), probabilities, strict=True):
        assert answer.seen is not None
        assert answer.seen.entropy == pytest.approx(-(shares * np.log(shares)).sum(), abs=1e-6)
        own = measures_of(text)
        assert (answer.seen.text_key, answer.seen.form_key) == (own.text_key, own.form_key)
        assert (answer.seen.non_letter_ratio, len(answer.seen.embedding)) == (
            own.non_letter_ratio,
            EMBEDDING_BYTES,
        )


def test_tokens_are_counted_beyond_what_the_network_reads(artifact: Path) -> None:
    engine = Engine.load(artifact)
    one, many, none = engine.outputs(["garage", "garage " * 400, ""]).tokens
    assert one >= 1
    assert many >= 400 * one
    assert none == 0


def test_an_embedding_does_not_depend_on_the_texts_beside_it(artifact: Path) -> None:
    engine = Engine.load(artifact)
    together = engine.outputs(TEXTS).embeddings
    np.testing.assert_allclose(together[3], engine.outputs(TEXTS[3:4]).embeddings[0], atol=1e-4)
    assert np.isfinite(together).all()


def test_identical_texts_are_computed_once(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine.load(artifact)
    computed: list[int] = []
    forward = Engine._forward

    def counted(self: Engine, texts: list[str]) -> object:
        computed.append(len(texts))
        return forward(self, texts)

    monkeypatch.setattr(Engine, "_forward", counted)
    answers = engine.classify(["bp garage", "tesco stores"] * 50)
    assert computed == [2]
    assert len(answers) == 100
    assert answers[0] == answers[98] != answers[1]


def test_no_texts_give_no_answers(artifact: Path) -> None:
    engine = Engine.load(artifact)
    assert engine.classify([]) == []
    assert engine.probabilities([]).shape == (0, 3)


def test_threads_share_an_engine(artifact: Path) -> None:
    engine = Engine.load(artifact)
    expected = engine.classify(TEXTS)
    with ThreadPoolExecutor(4) as threads:
        for answers in threads.map(lambda _: engine.classify(TEXTS), range(8)):
            assert answers == expected
