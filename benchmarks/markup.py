"""Elements of a page. The standard library's serializer escapes every text and attribute."""

from xml.etree.ElementTree import Element, tostring

__all__ = ["Element", "document", "element"]


def element(tag: str, *content: str | Element, **attributes: str | float) -> Element:
    """An element with texts and elements in it.

    attributes: ``class_`` stands for ``class``, and each other ``_`` for ``-``.
    """
    names = {name.rstrip("_").replace("_", "-"): f"{value}" for name, value in attributes.items()}
    made = Element(tag, names)
    for part in content:
        if isinstance(part, Element):
            made.append(part)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + part
        else:
            made.text = (made.text or "") + part
    return made


def document(html: Element) -> str:
    """A page as text."""
    return "<!doctype html>\n" + tostring(html, encoding="unicode", method="html") + "\n"
