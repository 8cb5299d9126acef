"""One self-contained HTML page: no request to anywhere, nothing from outside that is not escaped."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from io import StringIO
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reconciler.reports.facts import fingerprint_or_text
from reconciler.reports.html_view import SEVERITY_TONES, page
from reconciler.reports.printable import printable

if TYPE_CHECKING:
    from reconciler.model import Report


_FILES = PackageLoader("reconciler.reports", "templates")


def render(report: Report, *, colour: bool = False) -> str:
    """The report as HTML; `colour` is for terminals and changes nothing here."""
    del colour
    environment = _environment()
    style, script = _source(environment, "report.css"), _source(environment, "report.js")
    text = StringIO()
    for piece in environment.get_template("report.html.j2").generate(
        page=page(report),
        style=style,
        script=script,
        policy=f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'",
    ):
        text.write(piece)
    return text.getvalue()


@cache
def _environment() -> Environment:
    """Every value is printed without control characters first (`finalize`), then escaped (`autoescape`)."""
    environment = Environment(
        loader=_FILES,
        autoescape=True,
        finalize=_without_controls,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["tone"] = SEVERITY_TONES.__getitem__
    environment.filters["fingerprint"] = fingerprint_or_text
    return environment


def _without_controls(value: Any) -> Any:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _source(environment: Environment, name: str) -> Markup:
    """A file of ours that goes into the page as it is."""
    return Markup(_FILES.get_source(environment, name)[0])  # noqa: S704  # our own file, nothing from outside in it


def _hash(source: str) -> str:
    """What the page's content security policy allows to run: exactly this text."""
    return f"sha256-{b64encode(sha256(source.encode()).digest()).decode()}"
