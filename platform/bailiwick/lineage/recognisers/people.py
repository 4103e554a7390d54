"""Titles, and the names that a title, a greeting or a closing gives away.

That is all that patterns can do: a name in the middle of a sentence looks like any other word
in capitals. Finding those takes a language model, which this package does not have.
"""

import re

from bailiwick.lineage.recognisers.spans import Entity, Recogniser

_TITLES = (
    r"Mr|Mrs|Ms|Miss|Mx|Dr|Prof(?=\.)|Professor|Sir|Dame|Rev|Reverend|Herr|Frau|Monsieur|Madame|Mme|Mlle|"
    "Señor|Señora|Sr|Sra|Signor|Signora"
)
_CAPITALISED = r"[^\W\d_a-zà-öø-ÿα-ωа-я][^\W\d_]{0,30}(?:['\u2019-][^\W\d_]{1,30}){0,2}"
_PARTICLE = r"(?:van der|van den|van|von|de la|de|del|della|di|da|dos|bin|al|ter) "
_FULL_NAME = rf"{_CAPITALISED}\.?(?: (?:{_PARTICLE})?{_CAPITALISED}){{0,3}}"
_TWO_NAMES = rf"{_CAPITALISED}\.?(?: (?:{_PARTICLE})?{_CAPITALISED}){{1,3}}"


def _person(name: str, form: str, score: float) -> Recogniser:
    return Recogniser(name, Entity.PERSON, re.compile(form), score)


_SAYS_NAME = "(?:my|his|her|their|maiden|full) name is|name was"
_FIELD = r"(?:full |first |last |sur|contact |customer |patient )?names?\s{0,3}[:=]\s{0,5}"
_CLOSING = "(?:best|kind|warm|many)? ?(?:regards|wishes|sincerely|cheers|thanks)"
_LEGAL_FORM = "Ltd|LLC|PLC|Inc|Corp|GmbH|AG|S\\.A|SARL|BV|Oy|AB|A/S|Limited"

PEOPLE = (
    Recogniser(
        "title",
        Entity.PREFIX,
        re.compile(rf"(?<!\w)((?:{_TITLES}|(?:mr|mrs|ms|dr|prof)(?=\.))\.?)(?= [^\W\d_])"),
        score=0.8,
    ),
    _person("name-after-title", rf"(?<!\w)(?:{_TITLES})\.? ({_FULL_NAME})", 0.85),
    _person(
        "name-after-greeting",
        rf"(?<!\w)(?:Dear|Hi|Hello|Hey) (?!Sir|Madam|All|Team|There)({_FULL_NAME})(?=[,!\n])",
        0.7,
    ),
    _person("name-introduced", rf"(?i:(?<!\w)(?:{_SAYS_NAME})) ({_FULL_NAME})", 0.8),
    _person("name-field", rf"(?i:(?<!\w){_FIELD})({_FULL_NAME})", 0.75),
    _person("name-in-closing", rf"(?i:(?<!\w){_CLOSING}),?[ ]?\n{{1,2}}({_TWO_NAMES})", 0.75),
    Recogniser(
        "company",
        Entity.ORGANIZATION,
        re.compile(
            rf"(?<!\w)((?:{_CAPITALISED},? ){{1,4}}(?:and {_CAPITALISED} )?(?:{_LEGAL_FORM}))(?!\w)"
        ),
        score=0.7,
    ),
)
