"""Cards, accounts, banks, wallets, and companies' tax numbers."""

import re

from stdnum import bic, iban, luhn
from stdnum.bitcoin import is_valid as is_bitcoin
from stdnum.eu import vat as eu_vat
from stdnum.gb import vat as gb_vat

from bailiwick.lineage.recognisers.spans import SIX_DIGITS, Entity, Recogniser, words

# First digits and lengths of the issuers (ISO/IEC 7812), as they are published.
ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|64[4-9]\d|65\d{2})\d{12,15}"  # Discover
    r"|3(?:0[0-59]|[689]\d)\d{11,16}"  # Diners Club
    r"|(?:35(?:2[89]|[3-8]\d)\d{12}|(?:1800|2131)\d{11})"  # JCB
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}"  # Maestro
    r"|62\d{14,17}"  # UnionPay
)
_BIC_COUNTRIES = re.compile(
    "AD|AE|AR|AT|AU|BA|BE|BG|BH|BR|CA|CH|CL|CN|CO|CY|CZ|DE|DK|EE|EG|ES|FI|FR|GB|GE|GI|GR|"
    "HK|HR|HU|ID|IE|IL|IN|IS|IT|JO|JP|KE|KR|KW|KZ|LB|LI|LT|LU|LV|MA|MC|MD|ME|MK|MT|MX|MY|"
    "NG|NL|NO|NZ|OM|PE|PH|PK|PL|PT|QA|RO|RS|RU|SA|SE|SG|SI|SK|SM|TH|TN|TR|TW|UA|US|UY|VA|"
    "VN|XK|ZA"
)
_VAT_COUNTRIES = "AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK"


def is_card(found: str) -> bool:
    """Whether an issuer gives out such numbers, and the Luhn check digit is right."""
    digits = re.sub(r"[ -]", "", found)
    return bool(ISSUERS.fullmatch(digits)) and luhn.is_valid(digits) and len(set(digits)) > 1


def is_company_vat(found: str) -> bool:
    """Whether its country's check digits are right."""
    compact = re.sub(r"[ .-]", "", found)
    if compact.startswith("GB"):
        return bool(gb_vat.is_valid(compact))
    return bool(eu_vat.is_valid(compact))


def is_bank(found: str) -> bool:
    """Whether it is a BIC of a country that exists."""
    return bool(bic.is_valid(found)) and _BIC_COUNTRIES.fullmatch(found[4:6]) is not None


PAYMENT = (
    Recogniser(
        "credit-card",
        Entity.CREDIT_CARD,
        re.compile(r"(?<![\w.])(?<!\d[ -])\d(?:[ -]?\d){11,18}(?![\w]|[ -]\d)"),
        score=0.9,
        check=is_card,
        context=words("cards?", "credit", "debit", "visa", "mastercard", "amex", "cc", "pan"),
        in_context=1.0,
        needs=SIX_DIGITS,
    ),
    Recogniser(
        "iban",
        Entity.IBAN_CODE,
        re.compile(
            r"(?i)(?<!\w)[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?!\w)"
        ),
        score=1.0,
        check=lambda found: bool(iban.is_valid(found, check_country=False)),
        needs=SIX_DIGITS,
    ),
    Recogniser(
        "bic",
        Entity.BIC,
        re.compile(r"(?<!\w)[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?(?!\w)"),
        score=0.2,  # many a word in capitals has this form
        check=is_bank,
        context=words("bic", "swift", "bank"),
        in_context=0.85,
    ),
    Recogniser(
        "bitcoin",
        Entity.CRYPTO,
        re.compile(r"(?<!\w)(?:bc1[02-9ac-hj-np-z]{11,71}|[13][1-9A-HJ-NP-Za-km-z]{25,34})(?!\w)"),
        score=1.0,
        check=lambda found: bool(is_bitcoin(found)),
    ),
    Recogniser(
        "ethereum",
        Entity.CRYPTO,
        re.compile(r"(?<!\w)0x[0-9A-Fa-f]{40}(?!\w)"),
        score=0.85,
        needs=re.compile("0x"),
    ),
    Recogniser(
        "vat",
        Entity.VAT_NUMBER,
        re.compile(rf"(?<!\w)(?:GB|{_VAT_COUNTRIES})[ -]?[0-9A-Z](?:[ .-]?[0-9A-Z]){{6,11}}(?!\w)"),
        score=0.75,
        check=is_company_vat,
        context=words("vat", "tva", "ust", "ust-?idnr", "iva", "btw", "moms", "tax", "mwst"),
        in_context=0.95,
        needs=SIX_DIGITS,
    ),
)
