"""What each recogniser finds and, more telling, what it leaves alone."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bailiwick.lineage.recognisers import RECOGNISERS, Span, find
from bailiwick.lineage.recognisers.columns import free_text, identifier
from bailiwick.lineage.recognisers.presidio import second_opinion
from bailiwick.lineage.recognisers.spans import Entity, strongest

HOSTILE_CHARACTERS = 100_000
HOSTILE_SECONDS = 5.0  # CPU; quadratic patterns take minutes

FOUND = (
    ("EMAIL_ADDRESS", "mail o'neil+x@mail.example.co.uk.", "o'neil+x@mail.example.co.uk"),
    ("PHONE_NUMBER", "ring +44 20 7946 0958 today", "+44 20 7946 0958"),
    ("PHONE_NUMBER", "office: (212) 736-5000 x12", "(212) 736-5000 x12"),
    ("PHONE_NUMBER", "reach me at 02079460958", "02079460958"),
    ("CREDIT_CARD", "paid with 4111-1111-1111-1111.", "4111-1111-1111-1111"),
    ("CREDIT_CARD", "amex 378282246310005", "378282246310005"),
    ("IBAN_CODE", "to GB82 WEST 1234 5698 7654 32 please", "GB82 WEST 1234 5698 7654 32"),
    ("IBAN_CODE", "DE89370400440532013000", "DE89370400440532013000"),
    ("BIC", "SWIFT: DEUTDEFF500", "DEUTDEFF500"),
    ("CRYPTO", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    ("CRYPTO", "0x52908400098527886E0F7030069857D2E4169EE7", None),
    ("VAT_NUMBER", "VAT GB 980 7806 84", "GB 980 7806 84"),
    ("VAT_NUMBER", "USt-IdNr. DE136695976", "DE136695976"),
    ("US_SSN", "SSN 536-22-8726", "536-22-8726"),
    ("US_SSN", "social security number is 536228726", "536228726"),
    ("US_DRIVER_LICENSE", "driver's license number is A1234567", "A1234567"),
    ("UK_NHS", "NHS no. 943 476 5919", "943 476 5919"),
    ("UK_NINO", "NI number AB 12 34 56 C", "AB 12 34 56 C"),
    ("NATIONAL_ID", "RSSMRA85T10A562S", "RSSMRA85T10A562S"),
    ("NATIONAL_ID", "CPF 390.533.447-05", "390.533.447-05"),
    ("NATIONAL_ID", "BSN: 111222333", "111222333"),
    ("NATIONAL_ID", "PESEL 44051401359", "44051401359"),
    ("NATIONAL_ID", "AHV 756.9217.0769.85", "756.9217.0769.85"),
    ("IP_ADDRESS", "from 86.231.85.193 at", "86.231.85.193"),
    ("IP_ADDRESS", "d80:e4b5:79da:6cf6:71f3:51f7:9161:c319", None),
    ("IP_ADDRESS", "at 2001:db8::8a2e:370:7334.", "2001:db8::8a2e:370:7334"),
    ("MAC_ADDRESS", "eth0 00:1B:44:11:3A:B7", "00:1B:44:11:3A:B7"),
    ("URL", "see https://example.org/a?b=c for", "https://example.org/a?b=c"),
    ("URL", "at www.example.co.uk today", "www.example.co.uk"),
    ("DATE_TIME", "on 2024-02-29 13:05:00 sharp", "2024-02-29 13:05:00"),
    ("DATE_TIME", "the 3rd of March 2021", "3rd of March 2021"),
    ("DATE_OF_BIRTH", "born on 3/23/1940", "3/23/1940"),
    ("AGE", "a 50 year old man", "50 year old"),
    ("AGE", "aged 42, married", "aged 42"),
    ("POSTCODE", "London SW1A 1AA", "SW1A 1AA"),
    ("POSTCODE", "Jackson, TN 38305", "TN 38305"),
    ("POSTCODE", "my zip code is 35649", "35649"),
    ("ADDRESS", "at 99 Park Avenue, NY", "99 Park Avenue"),
    ("ADDRESS", "wohnt Lindenstraße 12", "Lindenstraße 12"),
    ("ADDRESS", "12 Rue de la Paix 4", "12 Rue de la Paix 4"),
    ("ADDRESS", "write to P.O. Box 101", "P.O. Box 101"),
    ("PREFIX", "ask Mrs. Jones", "Mrs."),
    ("PERSON", "ask Dr. Ada Lovelace now", "Ada Lovelace"),
    ("PERSON", "Kind regards,\nAda Lovelace", "Ada Lovelace"),
    ("PERSON", "Customer name: Ada King", "Ada King"),
    ("ORGANIZATION", "sold by Smith Ltd to", "Smith Ltd"),
)  # fmt: skip

NOT_FOUND = (
    ("EMAIL_ADDRESS", "a@b, @home, x@y..z, me@localhost"),
    ("PHONE_NUMBER", "54040.31 and 1,234,567.89 and €1200.50 of 7 500 000 EUR"),
    ("PHONE_NUMBER", "order 4084077 of 2014-04-28"),
    ("CREDIT_CARD", "4111111111111112 and 0000000000000000 and 9111111111111111"),
    ("IBAN_CODE", "GB83WEST12345698765432"),
    ("BIC", "AMAZON MARKETPL"),
    ("CRYPTO", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"),
    ("VAT_NUMBER", "DE136695977"),
    ("US_SSN", "000-22-8726, 666-22-8726, 536-00-8726, 078-05-1120"),
    ("UK_NHS", "NHS 943 476 5918"),
    ("UK_NINO", "BG123456A and QQ123456C"),
    ("NATIONAL_ID", "RSSMRA85T10A562T, 390.533.447-06, 111222333"),
    ("IP_ADDRESS", "127.0.0.1, ::1, 999.1.1.1, 1.2.3, 12:30:45, v1.2.3.4.5"),
    ("MAC_ADDRESS", "00:1B:44:11:3A, 00:1B-44:11:3A:B7"),
    ("URL", "i.e. e.g. file.txt, 3.14, end.Start"),
    ("DATE_TIME", "2023-02-29, 31/31/2020, 13.13.13.13, 1/2"),
    ("DATE_OF_BIRTH", "paid on 3/23/1940"),
    ("AGE", "Stage 3, page 42, 10 years of service"),
    ("POSTCODE", "35649 items, room A1"),
    ("ADDRESS", "2 cards in one place, during 2020, a string 12, 10 people in the court"),
    ("PERSON", "Ada Lovelace came; the weather was fine; Prof Fees"),
    ("ORGANIZATION", "limited time only"),
)


@pytest.mark.parametrize(("entity", "text", "value"), FOUND)
def test_it_is_found_where_it_stands(entity: str, text: str, value: str | None) -> None:
    found = [text[span.start : span.end] for span in find(text) if span.entity == entity]
    assert found == [value or text]


@pytest.mark.parametrize(("entity", "text"), NOT_FOUND)
def test_what_only_looks_like_it_is_left_alone(entity: str, text: str) -> None:
    assert [text[s.start : s.end] for s in find(text) if s.entity == entity] == []


def test_every_entity_has_an_example() -> None:
    assert {entity for entity, *_ in FOUND} == {str(entity) for entity in Entity}
    assert {str(one.entity) for one in RECOGNISERS} == {str(entity) for entity in Entity}


def test_a_column_name_is_context() -> None:
    assert find("02079460958") == []
    (span,) = find("02079460958", "customer phone")
    assert (span.entity, span.recogniser) == ("PHONE_NUMBER", "phone-in-context")


def test_weak_finds_are_only_told_to_those_who_ask() -> None:
    assert [span.entity for span in find("9434765919")] == []
    assert "UK_NHS" in [span.entity for span in find("9434765919", least=0.25)]


def test_of_spans_that_overlap_the_surest_stays() -> None:
    card = Span(0, 16, "CREDIT_CARD", 0.9, "card")
    phone = Span(2, 10, "PHONE_NUMBER", 0.6, "phone")
    longer = Span(20, 30, "URL", 0.5, "url")
    shorter = Span(25, 30, "DATE_TIME", 0.5, "date")
    assert strongest([shorter, phone, longer, card]) == [card, longer]


HOSTILE = (
    "a", "A", "1", " ", "\n", ".", "1 ", "1-", "a.", "a@", "Aa ", "(1", "1:", "a-", "1.1.", "a'",
    "12 Ab ", "via Ab ", "http://a.", "Dr ", "Dear Aa ", "regards\n", "name:  ", "AB12 ", "+1",
    "phone 12345 ", "Aweg 1", "aweg ", "1 a street", "born 1/1/", "0x", "bc1", "license A1 ", "é",
    "1é", "card 4111111111111111 ", "a@b.co ", "Van der ", "suite 1", "1 of 2 rue de 3 ",
)  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_no_text_takes_more_than_linear_time(unit: str) -> None:
    text = (unit * HOSTILE_CHARACTERS)[:HOSTILE_CHARACTERS]
    before = time.process_time()
    find(text, "phone address ssn born", least=0.25)
    assert time.process_time() - before < HOSTILE_SECONDS


def test_random_text_is_no_trouble_either() -> None:
    chance = random.Random(1)  # noqa: S311 - no secret
    text = "".join(chance.choices("aA1 .-@/:(+,'\n", k=HOSTILE_CHARACTERS))
    before = time.process_time()
    find(text, least=0.25)
    assert time.process_time() - before < HOSTILE_SECONDS


@given(
    st.text(st.characters(codec="utf-8"), max_size=60),
    st.text("0123456789٣५ABGXab .-/:+@x", max_size=40),
)
@settings(max_examples=300, deadline=None)
def test_no_text_is_an_error(text: str, digits: str) -> None:
    for span in find(f"{text} {digits} {text}", "ssn phone address nif card", least=0.1):
        assert 0 <= span.start < span.end
        assert 0 < span.score <= 1


def test_sentences_are_free_text_and_names_of_things_are_not() -> None:
    sentences = [f"the customer called about invoice {n} and asked again" for n in range(50)]
    shape = free_text(sentences)
    assert shape is not None
    assert (shape.entity, shape.matched, shape.score) == ("FREE_TEXT", 50, 1.0)
    assert free_text([f"shop {n} town" for n in range(50)]) is None
    assert free_text(["one of five sentences that come back"] * 50) is None
    assert free_text(sentences[:5]) is None


@pytest.mark.parametrize(
    ("entity", "values"),
    [
        ("IDENTIFIER", [f"C-{n:06}" for n in range(50)]),
        ("IDENTIFIER", [str(70_000 + n) for n in range(50)]),
        ("UNIQUE_ID", [f"{n:08x}-0000-4000-8000-{n:012x}" for n in range(50)]),
        (None, [f"{n}.50" for n in range(50)]),
        (None, [f"2024-01-{1 + n % 28:02} 10:00:{n:02}" for n in range(50)]),
        (None, [f"C-{n % 10}" for n in range(50)]),
        (None, ["alpha", "beta"] * 25),
        (None, [f"C-{n}" for n in range(5)]),
    ],
)
def test_keys_are_distinct_and_of_one_shape(entity: str | None, values: list[str]) -> None:
    shape = identifier(values)
    assert (shape and shape.entity) == entity


def test_presidio_gives_a_second_opinion_where_it_is_installed() -> None:
    presidio = second_opinion()
    if presidio is None:
        pytest.skip("presidio-analyzer is not installed: pip install 'bailiwick[scan]'")
    found = presidio.find("write to ada@example.org or pay 4111111111111111")
    assert [span.entity for span in found] == ["EMAIL_ADDRESS", "CREDIT_CARD"]
    assert {span.recogniser for span in found} == {"presidio"}
