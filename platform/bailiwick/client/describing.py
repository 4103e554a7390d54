"""Measures of texts as fields of a record, made where the text is: it need not leave.

    from bailiwick.client.describing import describe, describe_answer

    recorder.log("Vehicle Fuel", confidence=0.93, **describe("Shell Kings 587"))
    recorder.log("stop", tokens=212, **describe(prompt), **describe_answer(answer))

They are the very functions that the platform measures with. What needs the model (unseen words,
tokens per word, embedding) is for whoever holds it to add. The first call loads a model of
languages: half a second, 100 MB.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from bailiwick.texts import REFUSALS, is_refusal, measures_of, repetition_ratio
from bailiwick.texts.languages import language_of


def describe(text: str) -> dict[str, Any]:
    """Of a request: length, words, other characters, language, and the keys of repeats.

    >>> sorted(describe("Shell Kings 587"))
    ['characters', 'form_key', 'language', 'non_letter_ratio', 'text_key', 'words']
    """
    return asdict(measures_of(text)) | {"language": language_of(text)}


def describe_answer(answer: str, *, refusals: Iterable[str] = REFUSALS) -> dict[str, Any]:
    """Of a generated answer: whether it refuses, and how much of it repeats itself.

    `refusals` are phrases; those of a deployment are in `deployments.intake(name)["refusals"]`.

    >>> describe_answer("I cannot help with that.")
    {'refusal': True, 'repetition_ratio': 0.0}
    """
    return {"refusal": is_refusal(answer, refusals), "repetition_ratio": repetition_ratio(answer)}


def describe_probabilities(probabilities: Sequence[float]) -> dict[str, float]:
    """Of a classifier's probabilities, which add up to 1: the largest, and their entropy in nats.

    >>> describe_probabilities([0.5, 0.5])
    {'confidence': 0.5, 'entropy': 0.6931471805599453}
    """
    entropy = -sum(one * math.log(one) for one in probabilities if one > 0)
    return {"confidence": max(probabilities), "entropy": max(entropy, 0.0)}
