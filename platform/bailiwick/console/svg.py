"""SVG as an element tree: escaped and well formed by construction, styled by classes only."""

from xml.etree import ElementTree as ET

from markupsafe import Markup

Element = ET.Element


def drawing(width: float, height: float, *, title: str, description: str, css: str) -> Element:
    """The root of a drawing that scales to its place; the texts are read to those who listen."""
    root = Element("svg", {"viewBox": f"0 0 {width:g} {height:g}", "class": css, "role": "img"})
    root.set("aria-label", f"{title}. {description}" if description else title)
    return root


def add(parent: Element, tag: str, text: str | None = None, **attributes: str | float) -> Element:
    """A child; `css` is its class, underscores become hyphens, numbers keep one decimal."""
    child = ET.SubElement(parent, tag)
    for name, value in attributes.items():
        written = f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
        child.set("class" if name == "css" else name.replace("_", "-"), written)
    child.text = text
    return child


def hint(parent: Element, text: str) -> Element:
    """What is shown while the pointer rests on the element."""
    return add(parent, "title", text)


def markup(root: Element) -> Markup:
    """The drawing for a page."""
    # Everything in the tree was escaped when it was serialised.
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704
