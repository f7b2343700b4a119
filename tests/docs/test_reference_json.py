"""``docs/reference/json.rst`` documents exactly the keys and types that the verbs print.

``tests/cli/test_json_output.py`` compares the same schemas with the real output.
"""

from __future__ import annotations

import re
import sys
from typing import Any, Iterator

import pages
import support

from certhook import cli

sys.path.insert(0, str(support.ROOT / "tests" / "cli"))
import test_json_output as schemas

_SECTION = re.compile(r"^\.\. _json-([a-z-]+):\n", re.MULTILINE)
_ROW = re.compile(r"^   \* - ``([^`]+)``\n     - (.*(?:\n       .*)*)\n     - \S", re.MULTILINE)
_NAMES = {"str": "string", "int": "integer", "bool": "boolean"}


def documented() -> dict[str, dict[str, str]]:
    """Return the keys of each object of the page, with their types."""
    _, *parts = _SECTION.split((pages.DOCS / "reference" / "json.rst").read_text(encoding="utf-8"))
    return {
        name: {key: " ".join(kind.split()) for key, kind in _ROW.findall(text)}
        for name, text in zip(parts[::2], parts[1::2])
    }


OBJECTS = documented()
#: The objects that the schema of each verb, and nothing else, contains.
VERBS = {
    "status": schemas.STATUS,
    "demo": schemas.DEMO,
    "check": {**schemas.CHECK, "checks": [{**schemas.CHECK["checks"][0], "pem": "str"}]},
    "inspect": {"certhook": "str", "inspections": [schemas.INSPECTED_FILE]},
    "trust": {**schemas.TRUST, "certificates": [schemas.TRUSTED]},
    "list": schemas.LIST,
    "enable": schemas.ENABLE,
    "export": schemas.EXPORT,
    "diff": schemas.DIFF,
    "compile": schemas.COMPILE,
    "freezer": schemas.FREEZER,
    "audit": schemas.AUDIT,
    "inspected-server": schemas.INSPECTED_SERVER,
}


def compare(schema: dict[str, Any], name: str, seen: set[str]) -> Iterator[str]:
    """Yield the differences between *schema* and the object *name* of the page."""
    seen.add(name)
    rows = OBJECTS.get(name, {})
    expected = [key for key in schema if key != "?"]
    if list(rows) != expected:
        yield f"json-{name}: {sorted({*rows} ^ {*expected})} or their order"
    for key in rows.keys() & schema.keys():
        value, kind = schema[key], rows[key]
        inner = value[0] if isinstance(value, list) else value
        reference = re.fullmatch(r"(list of )?:ref:`[^<`]+ <json-([a-z-]+)>`( or null)?", kind)
        if isinstance(inner, str):
            plural = "s" if isinstance(value, list) else ""
            text = _NAMES[inner.rstrip("?")] + plural + " or null" * inner.endswith("?")
            if kind != ("list of " if plural else "") + text:
                yield f"json-{name}, {key}: {kind} instead of {text}"
        elif not reference or bool(reference[1]) != isinstance(value, list) or bool(reference[3]) != ("?" in inner):
            yield f"json-{name}, {key}: {kind}"
        else:
            yield from compare(inner, reference[2], seen)


def test_the_page_documents_exactly_the_keys_of_the_verbs_with_their_types() -> None:
    seen: set[str] = set()
    differences = [found for name, schema in VERBS.items() for found in compare(schema, name, seen)]
    assert differences == []
    assert seen == OBJECTS.keys()


def test_every_verb_with_the_option_json_is_documented() -> None:
    verbs = cli.build_parser("certhook")[1].choices
    with_json = {name for name, parser in verbs.items() if "--json" in parser._option_string_actions}
    assert with_json - {"freeze-bundle"} <= OBJECTS.keys() | {"env", "disable"}
