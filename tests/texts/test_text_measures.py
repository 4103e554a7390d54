"""One definition of each measure: at the client, at intake and in the model server."""

import doctest
from types import ModuleType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bailiwick.client import describing
from bailiwick.client.describing import describe, describe_answer, describe_probabilities
from bailiwick.client.recorder import as_line, as_record
from bailiwick.monitoring.descriptors import KnownWords
from bailiwick.monitoring.descriptors import describe as described_by_the_model
from bailiwick.monitoring.intake.log import measured
from bailiwick.monitoring.intake.records import FIELDS, columns_of, read_lines
from bailiwick.texts import languages, measures, measures_of, repetition_ratio
from bailiwick.texts.languages import UNDETERMINED, language_of

texts = st.text(max_size=60)


@pytest.mark.parametrize("module", [measures, languages, describing])
def test_doctests_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


@settings(max_examples=60, deadline=None)
@given(texts.filter(lambda text: "\0" not in text and bool(text)))
@example("Hvorfor blev min betaling afvist i går? 4711")
@example("\N{LATIN SMALL LETTER SHARP S}\u3000 \N{FULLWIDTH DIGIT TWO} ")
def test_client_intake_and_model_server_measure_the_same(text: str) -> None:
    own = describe(text)
    at_intake = columns_of([]) | {name: [None] for name in FIELDS} | {"text": [text]}
    found = measured(at_intake)
    assert {name: found[name][0] for name in own if name != "language"} | {
        "language": language_of(text)
    } == own
    by_the_model = described_by_the_model(text, KnownWords.of([]))
    assert (by_the_model.characters, by_the_model.words) == (own["characters"], own["words"])


@settings(max_examples=60, deadline=None)
@given(texts, texts)
def test_what_the_client_says_is_a_record_that_is_taken(text: str, answer: str) -> None:
    line = as_line(as_record({"prediction": "stop", **describe(text), **describe_answer(answer)}))
    batch = read_lines([line], 0)
    assert not batch.faults


@pytest.mark.parametrize(
    ("one", "other", "same_text", "same_form"),
    [
        ("Invoice 4711", "Invoice 4711", True, True),
        ("Invoice 4711", "invoice  12 ", False, True),
        ("Invoice 4711", "Invoice", False, False),
        ("", " ", False, True),
    ],
)
def test_forms_ignore_case_digits_and_spaces(
    one: str, other: str, *, same_text: bool, same_form: bool
) -> None:
    first, second = measures_of(one), measures_of(other)
    assert (first.text_key == second.text_key) is same_text
    assert (first.form_key == second.form_key) is same_form


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I want to know why my card payment was declined yesterday", "en"),
        ("Hvorfor blev min betaling afvist i går?", "da"),
        ("Pourquoi ma carte a été refusée hier", "fr"),
        ("Shell Kings 587", UNDETERMINED),  # a name is no evidence
        ("4711", UNDETERMINED),
        ("", UNDETERMINED),
    ],
)
def test_a_language_is_named_where_the_text_tells_it(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("answer", "refuses"),
    [
        ("I’m sorry, but I can’t help with that request.", True),  # noqa: RUF001 - as models write
        ("As an AI language model I have no opinion.", True),
        ("The invoice is paid. " * 20 + "I cannot help", False),  # too late to be a refusal
        ("Help is on its way.", False),
        ("", False),
    ],
)
def test_an_answer_refuses_if_it_begins_so(answer: str, *, refuses: bool) -> None:
    assert describe_answer(answer)["refusal"] is refuses
    assert describe_answer(answer, refusals=["on its way"])["refusal"] is ("way" in answer)


@given(texts)
def test_repetition_is_a_share_and_none_of_a_text_without_three_words(text: str) -> None:
    assert 0 <= repetition_ratio(text) < 1
    assert repetition_ratio("a b") == 0
    assert repetition_ratio("over and over and over and over") == pytest.approx(1 - 2 / 5)


def test_entropy_is_highest_where_nothing_is_known() -> None:
    assert describe_probabilities([1.0, 0.0]) == {"confidence": 1.0, "entropy": 0.0}
    even, sure = ([0.25] * 4, [0.97, 0.01, 0.01, 0.01])
    assert describe_probabilities(even)["entropy"] > describe_probabilities(sure)["entropy"]
