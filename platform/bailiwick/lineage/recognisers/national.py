"""Numbers by which states know people, each with the check digits that its state publishes.

Most are runs of digits whose check digits one number in ten passes by chance: they count only
near words that speak for them, or where a whole column passes.
"""

import re
from dataclasses import dataclass
from importlib import import_module

from bailiwick.lineage.recognisers.spans import FOUR_DIGITS, Entity, Recogniser, words


@dataclass(frozen=True, slots=True)
class Scheme:
    """A national number: python-stdnum's module, its form, the words for it, score without them."""

    module: str
    form: str
    terms: tuple[str, ...]
    score: float
    entity: Entity = Entity.NATIONAL_ID

    def recogniser(self) -> Recogniser:
        """The scheme as a recogniser."""
        is_valid = import_module(f"stdnum.{self.module}").is_valid
        return Recogniser(
            self.module.replace("_", "").replace(".", "-"),
            self.entity,
            re.compile(rf"(?<![\w.])(?<!\d-)(?:{self.form})(?!\w|[.-]\d)"),
            score=self.score,
            check=lambda found: bool(is_valid(found)),
            context=words(*self.terms),
            in_context=0.95,
            needs=FOUR_DIGITS,
        )


BARE, SHAPED, DISTINCT = 0.3, 0.6, 0.85
SCHEMES = (
    Scheme("us.ssn", r"\d{3}-\d{2}-\d{4}", ("ssn", "social"), DISTINCT, Entity.US_SSN),
    Scheme("us.itin", r"9\d{2}-\d{2}-\d{4}", ("itin", "tax", "taxpayer"), SHAPED),
    Scheme("gb.nhs", r"\d{3} \d{3} \d{4}|\d{3}-\d{3}-\d{4}", ("nhs",), SHAPED, Entity.UK_NHS),
    Scheme("gb.nhs", r"\d{10}", ("nhs", "patient"), BARE, Entity.UK_NHS),
    Scheme("gb.utr", r"\d{10}", ("utr", "taxpayer reference"), 0.0),
    Scheme("fr.nir", r"[12] ?\d{2} ?\d{2} ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}",
           ("nir", "s[ée]curit[ée] sociale", "insee"), DISTINCT),
    Scheme("it.codicefiscale", r"[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]",
           ("codice fiscale", "fiscal"), 0.95),
    Scheme("es.dni", r"\d{8}-?[A-Z]", ("dni", "nif"), SHAPED),
    Scheme("es.nie", r"[XYZ]-?\d{7}-?[A-Z]", ("nie", "nif"), DISTINCT),
    Scheme("nl.bsn", r"\d{9}", ("bsn", "burgerservicenummer", "sofinummer"), 0.0),
    Scheme("be.nn", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}|\d{11}",
           ("rijksregister(?:nummer)?", "registre national"), BARE),
    Scheme("de.idnr", r"\d{2} \d{3} \d{3} \d{3}|\d{11}",
           ("steuer-?id(?:nr)?", "idnr", "steuerliche"), BARE),
    Scheme("se.personnummer", r"(?:\d{2})?\d{6}[-+]\d{4}", ("personnummer", "pnr"), SHAPED),
    Scheme("dk.cpr", r"\d{6}-\d{4}", ("cpr", "personnummer"), 0.55),
    Scheme("no.fodselsnummer", r"\d{6} ?\d{5}", ("f[øo]dselsnummer", "personnummer"), BARE),
    Scheme("fi.hetu", r"\d{6}[-+A]\d{3}[0-9A-FHJ-NPR-Y]", ("hetu", "henkil[öo]tunnus"), DISTINCT),
    Scheme("pl.pesel", r"\d{11}", ("pesel",), BARE),
    Scheme("cz.rc", r"\d{6}/\d{3,4}", ("rodn[ée] [čc][íi]slo", "rc"), SHAPED),
    Scheme("pt.nif", r"\d{9}", ("nif", "contribuinte"), 0.0),
    Scheme("ch.ssn", r"756\.\d{4}\.\d{4}\.\d{2}", ("ahv", "avs"), 0.95),
    Scheme("at.vnr", r"\d{4} ?\d{6}", ("sozialversicherungs?(?:nummer)?", "svnr"), BARE),
    Scheme("ie.pps", r"\d{7}[A-W][ABHWTX]?", ("pps", "ppsn"), SHAPED),
    Scheme("br.cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}", ("cpf",), 0.95),
    Scheme("in_.aadhaar", r"[2-9]\d{3} \d{4} \d{4}", ("aadhaar", "uidai"), SHAPED),
    Scheme("in_.pan", r"[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]", ("pan", "income tax"), 0.75),
    Scheme("cn.ric", r"\d{17}[\dX]", ("resident", "identity", "ric"), DISTINCT),
    Scheme("kr.rrn", r"\d{6}-[1-8]\d{6}", ("rrn", "resident"), DISTINCT),
    Scheme("za.idnr", r"\d{13}", ("south african",), BARE),
    Scheme("ca.sin", r"\d{3}[ -]\d{3}[ -]\d{3}", ("sin", "social insurance"), SHAPED),
    Scheme("au.tfn", r"\d{3} ?\d{3} ?\d{3}", ("tfn", "tax file"), 0.0),
    Scheme("mx.curp", r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d", ("curp",), 0.95),
    Scheme("tr.tckimlik", r"[1-9]\d{10}", ("kimlik", "tckn"), BARE),
)  # fmt: skip


def is_nino(found: str) -> bool:
    """Whether HMRC gives out the prefix (NIM39110); there are no check digits."""
    prefix = found[:2].upper()
    return prefix not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}


NINO = Recogniser(
    "gb-nino",
    Entity.UK_NINO,
    re.compile(r"(?i)(?<!\w)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?: ?\d{2}){3} ?[A-D](?!\w)"),
    score=0.8,
    check=is_nino,
    context=words("nino", "national insurance", "insurance"),
    in_context=0.95,
    needs=FOUR_DIGITS,
)
SSN_IN_CONTEXT = Recogniser(
    "us-ssn-digits",
    Entity.US_SSN,
    re.compile(r"(?<![\w.-])(?!000|666|9)\d{3}[ .]?(?!00)\d{2}[ .]?(?!0000)\d{4}(?![\w-])"),
    score=0.0,
    context=words("ssns?", "social security", "social"),
    in_context=0.8,
    needs=FOUR_DIGITS,
)
# The states' forms have nothing in common but that words announce them.
DRIVER_LICENCE = Recogniser(
    "us-driver-license",
    Entity.US_DRIVER_LICENSE,
    re.compile(r"(?<![\w-])(?=[A-Za-z]{0,2}\d)[A-Za-z]{0,2}\d{5,14}[A-Za-z]?(?![\w-])"),
    score=0.0,
    context=words(
        "driver'?s?'?[ _-]?licen[cs]es?",
        "driving licen[cs]es?",
        "licen[cs]es?",
        "dl (?:no|number)\\.?",
    ),
    in_context=0.75,
    needs=FOUR_DIGITS,
)
NATIONAL = (NINO, SSN_IN_CONTEXT, DRIVER_LICENCE, *(scheme.recogniser() for scheme in SCHEMES))
