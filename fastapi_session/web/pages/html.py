"""The few pages of our own, plain enough for any application: a title, a sentence, a link. They load no script and no other file."""

from __future__ import annotations

from html import escape

from starlette.responses import HTMLResponse

NOT_KEPT = {"Cache-Control": "no-store"}
"""The header of a response that no cache keeps."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 15vh auto; padding: 0 1.5rem; }}
h1 {{ font-size: 1.5rem; }}
</style>
<main>
<h1>{title}</h1>
<p>{text}</p>
{link}</main>
</html>
"""


def page(
    title: str, text: str, *, status: int, link: tuple[str, str] | None = None, new_tab: bool = False
) -> HTMLResponse:
    """Return a page that no cache keeps. *link* is an address and its text; with *new_tab* it opens another tab."""
    target = ' target="_blank"' if new_tab else ""
    shown = "" if link is None else f'<p><a href="{escape(link[0])}"{target}>{escape(link[1])}</a></p>\n'
    content = _PAGE.format(title=escape(title), text=escape(text), link=shown)
    return HTMLResponse(content, status, headers={**NOT_KEPT, "Content-Security-Policy": _POLICY})
