"""Templates, and how values read on a page: times, numbers, sizes, long ids."""

import json
import re
from datetime import datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from bailiwick.audit import timestamp
from bailiwick.console.navigation import navigation
from bailiwick.core.durations import duration
from bailiwick.core.sentences import headline
from bailiwick.monitoring.verdicts import name_of
from bailiwick.web import Caller

TEMPLATES = Path(__file__).parent / "templates"
NOTHING = "—"
TESTS = {"wasserstein": "normed Wasserstein", "jensenshannon": "Jensen-Shannon"}
_KIB = 1024
_IN_DAYS = timedelta(days=2)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ID_TAIL, _DIGEST_HEAD = 8, 12


def page(
    request: Request, caller: Caller, template: str, *, title: str, section: str, **context: Any
) -> HTMLResponse:
    """A page of a signed-in caller; `section` is the entry of the navigation that it is under."""
    return plain_page(
        request,
        template,
        title=title,
        section=section,
        navigation=navigation(caller),
        caller=caller,
        **context,
    )


def plain_page(
    request: Request, template: str, *, title: str, status: int = 200, **context: Any
) -> HTMLResponse:
    """A page without navigation: signing in, errors."""
    found = _environment().get_template(template)
    return HTMLResponse(
        found.render(title=title, path=request.url.path, **context), status_code=status
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "when": when,
        "day": day,
        "count": count,
        "percent": percent,
        "number": number,
        "score": score,
        "size": size,
        "test": test_name,
        "short": short,
        "pretty": pretty,
        "feature": feature,
        "until": until,
        "words": words,
        "duration": duration,
        "days": days,
        "sentence": sentence,
        "headline": headline,
    }
    return environment


def when(moment: datetime | None) -> str | Markup:
    """A moment to the minute in UTC, with its exact time for machines and on hovering."""
    return _time(moment, f"{moment:%-d %b %Y %H:%M}" if moment else "")


def day(moment: datetime | None) -> str | Markup:
    """The day of a moment in UTC."""
    return _time(moment, f"{moment:%-d %b %Y}" if moment else "")


def until(start: datetime, end: datetime) -> Markup:
    """From one moment to another: days, or their times where they are less than two days apart."""
    if start.date() != end.date() and end - start < _IN_DAYS and end.time() != time():
        return Markup("{} to {}").format(when(start), when(end))
    if start.date() != end.date():
        return Markup("{} to {}").format(day(start), day(end))
    return Markup("{} to {}").format(when(start), _time(end, f"{end:%H:%M}"))


def _time(moment: datetime | None, text: str) -> str | Markup:
    if moment is None:
        return NOTHING
    template = Markup('<time datetime="{}" title="{:%Y-%m-%d %H:%M:%S} UTC">{}</time>')
    return template.format(timestamp(moment), moment, text)


def count(value: int | None) -> str:
    """A whole number with separators."""
    return NOTHING if value is None else f"{value:,}"


def days(value: int) -> str:
    """So many days, in words."""
    return "1 day" if value == 1 else f"{value:,} days"


def percent(value: float | None) -> str:
    """A share with one digit after the point."""
    return NOTHING if value is None else f"{value:.1%}"


def number(value: Any) -> str:
    """A measured value as short as it can be read."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def score(value: float) -> str:
    """A statistic, to compare with its threshold."""
    return f"{value:.3f}"


def test_name(name: str) -> str:
    """A statistic's test by the name that people know."""
    return TESTS.get(name, name)


def size(value_bytes: int) -> str:
    """Bytes in binary units."""
    scaled, unit = float(value_bytes), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):  # noqa: B007 - the unit that was reached is used below
        if scaled < _KIB:
            break
        scaled /= _KIB
    return f"{value_bytes:,} B" if unit == "B" else f"{scaled:,.1f} {unit}"


def short(identifier: UUID | str) -> Markup:
    """The telling end of a UUIDv7 (its beginning is a time) or the beginning of a digest."""
    text = str(identifier)
    shown = f"{text[:_DIGEST_HEAD]}…" if len(text) > _DIGEST_HEAD else text
    if _UUID.fullmatch(text):
        shown = f"…{text[-_ID_TAIL:]}"
    return Markup('<code class="id" title="{}">{}</code>').format(text, shown)


def pretty(value: Any) -> Markup:
    """JSON for reading."""
    return escape(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True))


def feature(name: str) -> str:
    """A watched feature as users call it: `segment:region`, `confidence where region=north`."""
    found, where, segment = name.partition(" where ")
    if found.startswith("segment:"):
        return f"mix of {found.removeprefix('segment:')}"
    return f"{name_of(found)}{where}{segment.replace('=', ' is ')}"


def words(name: str) -> str:
    """`min_holdout_rows` or `alert.raised` as words."""
    return name.replace("_", " ").replace("-", " ").replace(".", " ")


def sentence(detail: str) -> str:
    """With a capital letter, unless it begins with the name of an action (`model:create`)."""
    return detail if ":" in detail.partition(" ")[0] else detail[:1].upper() + detail[1:]
