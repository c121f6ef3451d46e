"""The pages of the documentation, and the examples that stand on them."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {str(page.relative_to(ROOT)): page for page in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]}
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(?=[)#])")
TEXTS = {name: page.read_text("utf-8") for name, page in PAGES.items()}


def examples_of(name: str, language: str) -> list[str]:
    """Return the examples in *language* that stand on the page *name*, from top to bottom."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXTS[name], re.MULTILINE | re.DOTALL)


def files_of(name: str) -> dict[str, str]:
    """Return the files that the page *name* shows whole, each under its name."""
    titled = r'^```\w+ title="(.+?)"\n(.*?)^```'
    return dict(re.findall(titled, TEXTS[name], re.MULTILINE | re.DOTALL))


EXAMPLES = {name: "\n".join(found) for name in PAGES if (found := examples_of(name, "python"))}
"""The Python of each page, as the one file that a reader makes of it."""


def run_examples(name: str, *, instead: Mapping[str, str] = {}) -> ModuleType:
    """Run the Python of the page *name* as one module, in the current folder; *instead* of some text with another."""
    module = sys.modules["page"] = ModuleType("page")  # where dataclasses and Pydantic look names up
    text = EXAMPLES[name]
    for old, new in instead.items():
        assert old in text
        text = text.replace(old, new)
    exec(compile(text, name, "exec", dont_inherit=True), vars(module))
    return module
