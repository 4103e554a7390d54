"""Small changes of texts that people make and that should not change an answer. Seeded."""

import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

Change = Callable[[str, random.Random], str]
_LETTERS_PER_TYPO = 24
_KEPT_RATIO = 0.75


def typos(text: str, chance: random.Random) -> str:
    """One slip for every 24 characters begun: a letter left out, doubled, or swapped with the next.

    >>> typos("bp connect", random.Random(1))
    'bp ocnnect'
    """
    letters = list(text)
    for _ in range(-(-len(text) // _LETTERS_PER_TYPO)):
        places = [place for place, letter in enumerate(letters) if letter.isalpha()]
        if not places:
            break
        place = chance.choice(places)
        slip = chance.randrange(3)
        if slip == 0:
            del letters[place]
        elif slip == 1:
            letters.insert(place, letters[place])
        else:
            letters[place : place + 2] = reversed(letters[place : place + 2])
    return "".join(letters)


def casing(text: str, chance: random.Random) -> str:
    """The whole text in capitals, small letters or with capital first letters, not as it is.

    >>> casing("BP Connect", random.Random(1))
    'BP CONNECT'
    """
    others = [form for form in (text.upper(), text.lower(), text.title()) if form != text]
    return chance.choice(others) if others else text


def cut(text: str, chance: random.Random) -> str:
    """The first three quarters of the characters, as where a field is too short.

    >>> cut("bp connect", random.Random(1))
    'bp conn'
    """
    del chance
    return text[: max(1, int(len(text) * _KEPT_RATIO))]


CHANGES: Mapping[str, Change] = MappingProxyType({"typos": typos, "casing": casing, "cut": cut})


def changed(texts: Sequence[str], change: Change, *, seed: int) -> list[str]:
    """Each text changed, with chances of its own place: the same seed gives the same texts."""
    return [
        change(text, random.Random(f"{seed}:{place}"))  # noqa: S311 - to measure, not to protect
        for place, text in enumerate(texts)
    ]
