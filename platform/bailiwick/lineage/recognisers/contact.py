"""E-mail addresses, telephone numbers, web and machine addresses."""

import ipaddress
import re
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException

from bailiwick.lineage.recognisers.spans import SIX_DIGITS, Entity, Recogniser, words

# A number without a country code is one if it is one in any of these regions.
REGIONS = ("US", "GB", "DE", "FR", "IT", "ES", "NL", "SE", "CH", "DK", "IE", "AU", "IN", "BR")

_TOP_LEVELS = (
    "com|org|net|edu|gov|mil|int|info|biz|name|pro|eu|io|ai|app|dev|online|shop|site|xyz|"
    "ac|at|au|be|bg|br|ca|ch|cn|co|cz|de|dk|ee|es|fi|fr|gr|hk|hr|hu|ie|il|in|is|it|jp|kr|lt|lu|"
    "lv|mx|nl|no|nz|pl|pt|ro|rs|ru|se|sg|si|sk|th|tr|tv|tw|ua|uk|us|za"
)
_DOT = re.compile(r"\w\.\w")
_HEX_PAIRS = re.compile(r"[0-9A-Fa-f][:-][0-9A-Fa-f:]")
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_DOMAIN = rf"(?:{_LABEL}\.){{1,6}}[^\W\d_]{{2,24}}"

EMAIL = Recogniser(
    "email",
    Entity.EMAIL_ADDRESS,
    re.compile(rf"(?<![\w.%+'-])[\w%+'-][\w.%+'-]{{0,63}}@{_DOMAIN}(?![\w-])"),
    score=0.95,
    check=lambda found: ".." not in found and ".@" not in found,
    needs=re.compile("@"),
)
URL = Recogniser(
    "url",
    Entity.URL,
    re.compile(
        rf"(?i)\b(?:https?|ftp)://(?:{_DOMAIN}|\d{{1,3}}(?:\.\d{{1,3}}){{3}})[^\s\"'<>]{{0,2000}}"
    ),
    score=0.95,
    needs=re.compile("://"),
)
DOMAIN = Recogniser(
    "domain",
    Entity.URL,
    re.compile(
        rf"(?<![\w@.:/-])(?:www\.{_DOMAIN}|(?:{_LABEL}\.){{1,5}}(?:{_TOP_LEVELS}))(?![\w@-])(?!\.\w)"
    ),
    score=0.6,
    needs=_DOT,
)
PHONE_WORDS = words(
    "tele?", "(?:tele)?phones?", "telefon[eo]?", "mobiles?", "mob", "cell", "cellphone", "fax",
    "calls?", "called", "calling", "dial", "ring", "sms", "whatsapp", "contact", "reach",
    "answering", "number is", "hotline", "helpdesk", "extension", "office",
)  # fmt: skip


_GROUPED = re.compile(r"^\+|\d[ ./-]+\(?\d|^\(\d+\)")


_THOUSANDS = re.compile(r"[1-9]\d?(?:[ .]\d{3})+")


def is_no_decimal(found: str) -> bool:
    """Whether it is something else than a number with decimals."""
    return re.fullmatch(r"\d+\.\d{1,2}", found) is None


@lru_cache(maxsize=4096)
def is_phone(found: str) -> bool:
    """Whether it is an assigned number, written as one: with `+`, or in groups.

    A bare run of digits is one in some country nearly always, so it says nothing.
    """
    if not _GROUPED.search(found) or _THOUSANDS.fullmatch(found) or not is_no_decimal(found):
        return False
    if found.startswith("+"):
        return _is_valid(found, None)
    return any(_is_valid(found, region) for region in REGIONS)


def _is_valid(number: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except NumberParseException:
        return False


# Starts where nothing before it belongs to it; at most two signs between two digits.
_PHONE = re.compile(
    r"(?<![\w./:€$£#-])(?<!\d,)(?<![€$£] )"
    r"((?:\+|\()?\d(?:[ ()./-]{0,2}\d){5,16}(?:[ ]?(?:x|ext\.?|#)[ ]?\d{1,6})?)"
    r"(?!\w|[.,/:-]\d)"
)
PHONES = (
    Recogniser(
        "phone",
        Entity.PHONE_NUMBER,
        _PHONE,
        score=0.6,
        check=is_phone,
        context=PHONE_WORDS,
        in_context=0.85,
        needs=SIX_DIGITS,
    ),
    Recogniser(
        "phone-international",
        Entity.PHONE_NUMBER,
        re.compile(r"(?<![\w+])\+\d(?:[ ()./-]{0,2}\d){6,14}(?![\w-]|[./]\d)"),
        score=0.95,
        check=is_phone,
        needs=SIX_DIGITS,
    ),
    Recogniser(
        "phone-in-context",
        Entity.PHONE_NUMBER,
        _PHONE,
        score=0.0,
        check=is_no_decimal,
        context=PHONE_WORDS,
        in_context=0.65,
        needs=SIX_DIGITS,
    ),
)


def is_public_address(found: str) -> bool:
    """Whether it is an IP address that can stand for a machine: not `::1`, 127.0.0.1, 0.0.0.0."""
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast)


NETWORK = (
    Recogniser(
        "ip-v4",
        Entity.IP_ADDRESS,
        re.compile(r"(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)"),
        score=0.8,
        check=is_public_address,
        needs=_DOT,
    ),
    Recogniser(
        "ip-v6",
        Entity.IP_ADDRESS,
        re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{1,4}(?![\w:])"),
        score=0.9,
        check=is_public_address,
        needs=_HEX_PAIRS,
    ),
    Recogniser(
        "mac",
        Entity.MAC_ADDRESS,
        re.compile(
            r"(?<![\w:.-])([0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(?:\2[0-9A-Fa-f]{2}){4})(?![\w:-])"
        ),
        score=0.9,
        needs=_HEX_PAIRS,
    ),
)
CONTACT = (EMAIL, URL, DOMAIN, *PHONES, *NETWORK)
