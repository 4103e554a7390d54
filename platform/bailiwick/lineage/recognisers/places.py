"""Postcodes and street addresses, as far as their form gives them away."""

import re

from bailiwick.lineage.recognisers.spans import ANY_DIGIT, FOUR_DIGITS, Entity, Recogniser, words

_STATES = (
    "A[AEKLPRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|"
    "S[CD]|T[NX]|UT|V[AIT]|W[AIVY]"
)
# Street words that follow the name, end its last word, or come before it.
_AFTER = (
    "street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|way|court|ct|place|pl|square|sq|"
    "terrace|crescent|close|highway|hwy|parkway|pkwy|row|gardens?|grove|mews|walk|quay|circle|park"
)
_ENDING = (
    "stra(?:ß|ss)e|stasse|gasse|weg|wegen|allee|platz|ufer|damm|vej|stræde|gata|gatan|vägen|väg|"
    "veien|vegen|vei|straat|laan|plein|gracht|dijk|singel|steenweg|katu|polku|vegur|stræti|utca|tér"
)
_ENDING_ALSO = "str|tie|gade|ring|hof|dreef|kade|lände"  # of ordinary words, too
_BEFORE = (
    "rue|avenue|av|ave|boulevard|bd|all[ée]e|chemin|impasse|quai|via|viale|piazza|corso|largo|"
    "vicolo|strada|calle|avenida|avda|plaza|paseo|camino|camiño|carretera|r[úu]a|praça|travessa|"
    "estrada|ul|ulica|aleja|trg|ulice|náměstí|út"
)
_NUMBER = r"\d{1,5}[a-z]?(?:[-/]\d{1,4})?"
_WORD = r"[^\W\d_][\w'\u2019.-]{0,30}"
_CAPITALISED = (
    r"(?:[^\W\d_a-zà-öø-ÿ][\w'\u2019.-]{0,30}|de|des|la|le|du|del|della|do|da|di|van|of|den)"
)
_UNIT = r"(?:suite|ste|apt|apartment|unit|flat|room|floor|building|bldg)\.? ?#?\w{0,2}\d{1,5}\w?"
ADDRESS_WORDS = words(
    "address(?:es)?", "streets?", "suite", "apt", "apartment", "p\\.?o\\.? box", "lives?", "living",
    "located", "deliver", "ship", "sent", "send", "moved", "postal", "zip", "mail", "billing",
)  # fmt: skip


def _address(name: str, form: str, score: float, in_context: float = 0.0) -> Recogniser:
    pattern = re.compile(rf"(?<![\w.-])({form})(?!\w)")
    return Recogniser(
        name, Entity.ADDRESS, pattern, score, bool, ADDRESS_WORDS, in_context, needs=ANY_DIGIT
    )


def _streets(name: str, form: str, score: float) -> tuple[Recogniser, Recogniser]:
    """The form (WORD: a word of the street's name) in capitals; in any letters only in context."""
    strict = form.replace("WORD", _CAPITALISED)
    loose = form.replace("WORD", _WORD)
    return (
        _address(name, strict, score, score + 0.1),
        _address(f"{name}-in-context", f"(?i:{loose})", 0.0, 0.6),
    )


def _postcode(name: str, form: str, score: float, in_context: float) -> Recogniser:
    pattern = re.compile(rf"(?<![\w.,/-])({form})(?![\w-]|[.,/]\d)")
    terms = words("zip", "zip ?code", "post ?codes?", "postal ?codes?", "plz", "cap", "address")
    return Recogniser(
        name, Entity.POSTCODE, pattern, score, bool, terms, in_context, needs=ANY_DIGIT
    )


PLACES = (
    *_streets("street-after", rf"{_NUMBER},? (?:WORD ){{1,4}}?(?i:{_AFTER})\b\.?", 0.7),
    *_streets(
        "street-before", rf"(?:{_NUMBER} )?(?i:{_BEFORE})\.? (?:WORD ){{1,5}}?{_NUMBER}", 0.6
    ),
    _address("street-ending", rf"(?i:(?:{_NUMBER} )?{_WORD}(?:{_ENDING}) {_NUMBER})", 0.6, 0.8),
    _address("street-ending-also", rf"(?i:\w{{2,24}}(?:{_ENDING_ALSO})\.? {_NUMBER})", 0.0, 0.6),
    _address("street-in-context", rf"\d{{1,4}} (?:{_WORD} ){{1,4}}{_NUMBER}", 0.0, 0.6),
    _address("unit", f"(?i:{_UNIT})", 0.55, 0.7),
    _address(
        "box", r"(?i:p\.? ?o\.? ?box \d{1,6}|psc \d{1,5},? box \d{1,6}|[af]po a[aep] \d{5})", 0.85
    ),
    _postcode(
        "postcode-uk",
        r"(?:[A-PR-UWYZ]\d[A-Z\d]?|[A-PR-UWYZ][A-HK-Y]\d[A-Z\d]?) \d[ABD-HJLNP-UW-Z]{2}",
        0.75,
        0.9,
    ),
    _postcode("postcode-us-state", rf"(?:{_STATES}) \d{{5}}(?:-\d{{4}})?", 0.75, 0.9),
    _postcode("postcode-us-long", r"\d{5}-\d{4}", 0.55, 0.9),
    _postcode(
        "postcode-canada",
        r"[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z] ?\d[ABCEGHJ-NPRSTV-Z]\d",
        0.75,
        0.9,
    ),
    _postcode("postcode-netherlands", r"[1-9]\d{3} [A-Z]{2}", 0.3, 0.8),
    Recogniser(
        "postcode-closing",
        Entity.POSTCODE,
        re.compile(r"(?m)(?<=[^\W\d_] )\d{5}$"),
        score=0.0,
        context=ADDRESS_WORDS,
        in_context=0.6,
        needs=FOUR_DIGITS,
    ),
    _postcode("postcode-digits", r"\d{4,6}", 0.0, 0.7),
)
