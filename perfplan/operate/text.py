"""Text of a scenario in other languages: escaped here and nowhere else. One function per target language.

What a person named goes into generated files only through these functions; identifiers are made by `slug`.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal

LONGEST = 200  # of text in comments and annotations; longer text is cut, and says so


def slug(name: str) -> str:
    """An identifier of a-z, 0-9, - and _, different for different names; what had to be changed shows by a hash.

    >>> slug("order-mails"), slug("Order mails")
    ('order-mails', 'order-mails-915f76')
    """
    plain = re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-")[:40] or "x"
    plain = plain if not plain[0].isdigit() else f"x{plain}"
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"


def visible(text: str) -> str:
    r"""One line without anything that is not seen: control, format and surrogate characters as escapes; long text is cut.

    >>> visible("a\nb\u202e")
    'a\\nb\\u202e'
    """
    text = text.replace("\N{NO-BREAK SPACE}", " ")
    short = text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"
    return "".join(c if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn") else _escaped(c) for c in short)


def _escaped(c: str) -> str:
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(c) or (f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}")


def comment(text: str) -> str:
    """Text of a comment that ends with its line, in any of the languages (`#`, `;` or `//` stands before it)."""
    return visible(text)


def js(text: str) -> str:
    """A JavaScript string literal, also safe within a script element."""
    return json.dumps(visible(text), ensure_ascii=True).replace("</", "<\\/").replace("<!--", "\\u003c!--")


def yaml(text: str) -> str:
    r"""A YAML double-quoted scalar.

    >>> print(yaml('a "b" {{c}}'))
    "a \"b\" {{c}}"
    """
    return literal(visible(text))


def _yaml_char(c: str) -> str:
    return f"\\{c}" if c in '"\\' else c if " " <= c <= "~" else f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"


Tree = Mapping[str, "Tree"] | Sequence["Tree"] | str | float | int | bool | None
PLAIN = re.compile(r"(?!(?i:y|n|yes|no|on|off|true|false|null)$)[A-Za-z_][\w./-]*", re.ASCII)  # keys that need no quotes


def block(tree: Tree, indent: int = 0) -> str:
    r"""Maps, lists and values as block YAML; every text in quotes.

    >>> print(block({"a": [{"b": "x: y", "c": 1.5}, "z"], "d": {}}))
    a:
    - b: "x: y"
      c: 1.5
    - "z"
    d: {}
    """
    pad = " " * indent
    if isinstance(tree, Mapping) and tree:
        return "\n".join(f"{pad}{key if PLAIN.fullmatch(key) else literal(key)}:{_value(value, indent)}" for key, value in tree.items())
    if isinstance(tree, Sequence) and not isinstance(tree, str) and tree:
        return "\n".join(f"{pad}- {block(one, indent + 2).lstrip()}" for one in tree)
    return pad + _scalar(tree)


def _value(value: Tree, indent: int) -> str:
    if isinstance(value, Mapping) and value:
        return "\n" + block(value, indent + 2)
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return "\n" + block(value, indent)
    return " " + _scalar(value)


def _scalar(value: Tree) -> str:
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int | float):
        return decimal(value)
    return "{}" if isinstance(value, Mapping) else "[]"


def decimal(value: float) -> str:
    """A number in full decimals, as short as it is.

    >>> decimal(0.001), decimal(1e-9), decimal(30), decimal(14.4)
    ('0.001', '0.000000001', '30', '14.4')
    """
    text = format(Decimal(repr(float(value))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def literal(text: str) -> str:
    """A YAML double-quoted scalar of any length: queries, which are made of what has been made safe already."""
    return f'"{"".join(_yaml_char(c) for c in text)}"'


def template(text: str) -> str:
    """Text in a Prometheus annotation, where {{ }} would be a Go template."""
    return visible(text).replace("{{", "{ {").replace("}}", "} }")


def alert_name(name: str) -> str:
    """An alert's name in capitals; what had to be changed beyond case and spaces keeps the hash of its slug."""
    words = re.fullmatch(r"[a-z0-9]+(?: [a-z0-9]+)*", name)
    return "".join(part.capitalize() for part in (name.split() if words else re.split("[-_]", slug(name))))


def anchor(heading: str) -> str:
    """Where a heading of a Markdown file is linked to.

    >>> anchor("A partner hangs")
    'a-partner-hangs'
    """
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def mermaid(text: str) -> str:
    """Text in a quoted label of a Mermaid diagram.

    >>> mermaid('a "b" <c>')
    'a #quot;b#quot; #lt;c#gt;'
    """
    names = {'"': "#quot;", "<": "#lt;", ">": "#gt;", "#": "#35;", ";": "#59;", "`": "#96;", "&": "#amp;"}
    return "".join(names.get(c, c) for c in visible(text))


def markdown(text: str) -> str:
    r"""Text in Markdown that is only text.

    >>> markdown("a_b <c>")
    'a\\_b &lt;c&gt;'
    """
    plain = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#+!|~$=-])", r"\\\1", plain)
