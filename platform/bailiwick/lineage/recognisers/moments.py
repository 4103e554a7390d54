"""Dates, dates of birth, ages."""

import re
from collections.abc import Callable
from datetime import date

from bailiwick.lineage.recognisers.spans import ANY_DIGIT, FOUR_DIGITS, Entity, Recogniser, words

FIRST_YEAR, LAST_YEAR = 1000, 2999
_MONTHS = (
    "Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|"
    "Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?"
)
_CLOCK = r"(?:(?:T|,? )\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?: ?[AaPp][Mm]|Z|[+-]\d{2}:?\d{2})?)?"
BIRTH = words("born", "births?", "birth ?dates?", "birth ?days?", "dob", "d\\.o\\.b\\.?", "geboren")


def is_date(found: str) -> bool:
    """Whether its day, month and year exist, in whichever order they are."""
    parts = [int(part) for part in re.findall(r"\d+", found)[:3]]
    first, second, third = parts
    if first >= FIRST_YEAR:
        return _exists(first, second, third)
    year = third if third >= FIRST_YEAR else 2000 + third
    return _exists(year, second, first) or _exists(year, first, second)


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return year <= LAST_YEAR


def _dates(name: str, form: str, check: Callable[[str], bool] = bool) -> tuple[Recogniser, ...]:
    """The form as a date, and as a date of birth where words say so."""
    pattern = re.compile(rf"(?i)(?<![\w./-])((?:{form}){_CLOCK})(?![\w-]|[./]\d)")
    birth = f"{name}-of-birth"
    return (
        Recogniser(name, Entity.DATE_TIME, pattern, score=0.88, check=check, needs=FOUR_DIGITS),
        Recogniser(
            birth,
            Entity.DATE_OF_BIRTH,
            pattern,
            0.0,
            check,
            BIRTH,
            in_context=0.9,
            needs=FOUR_DIGITS,
        ),
    )


MOMENTS = (
    *_dates("date-iso", r"\d{4}-\d{1,2}-\d{1,2}|\d{4}/\d{1,2}/\d{1,2}", is_date),
    *_dates(
        "date-numeric",
        r"\d{1,2}/\d{1,2}/(?:\d{4}|\d{2})|\d{1,2}-\d{1,2}-\d{4}|\d{1,2}\.\d{1,2}\.(?:\d{4}|\d{2})",
        is_date,
    ),
    *_dates("date-day-month", rf"\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{_MONTHS})\.?,? \d{{4}}"),
    *_dates("date-month-day", rf"(?:{_MONTHS})\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}"),
    Recogniser(
        "age",
        Entity.AGE,
        re.compile(
            r"(?i)(?<![\w.,-])(?:\d{1,3}[ -](?:years?|yrs?|months?)[ -]old|age(?:d|:| of)? \d{1,3})"
            r"(?![\w%]|[.-]\d)"
        ),
        score=0.75,
        needs=ANY_DIGIT,
    ),
)
