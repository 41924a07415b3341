"""An executed notebook as one page that asks nothing of the network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup

from pipelines.publish.site import TEMPLATES

PAGE = Path(__file__).parent
LEFT_OUT = {"injected-parameters", "setup"}


def write(notebook: Any, name: str, folder: Path) -> Path:
    """Write `folder/NAME.html` from an executed notebook (nbformat node); returns its path."""
    environment = Environment(
        loader=FileSystemLoader([PAGE, TEMPLATES]),
        autoescape=select_autoescape(["html", "j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = [part for cell in notebook.cells for part in rendered(cell)]
    text = environment.get_template("notebook.html.j2").render(title=title(notebook, name), parts=parts)
    path = folder / f"{name}.html"
    fresh = path.with_suffix(".incoming")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
    return path


def title(notebook: Any, name: str) -> str:
    """The notebook's first heading."""
    for cell in notebook.cells:
        found = re.search(r"^# (.+)$", cell.source, re.M) if cell.cell_type == "markdown" else None
        if found:
            return found[1]
    return name.replace("_", " ")


def rendered(cell: Any) -> list[dict[str, Any]]:
    """A cell as parts of the page: kind (text, code, output, words) and what stands in it."""
    import mistune

    if cell.cell_type == "markdown":
        return [{"kind": "text", "html": Markup(mistune.html(cell.source))}]  # noqa: S704 - our own notebook
    if cell.cell_type != "code":
        return []
    parts: list[dict[str, Any]] = []
    if cell.source.strip() and not LEFT_OUT & set(cell.metadata.get("tags", [])):
        parts.append({"kind": "code", "text": cell.source})
    for output in cell.outputs:
        data = output.get("data", {})
        shown = data.get("text/html") or data.get("image/svg+xml")
        if shown is not None:
            parts.append({"kind": "output", "html": Markup("".join(shown))})  # noqa: S704 - made by our own code
        elif "text/plain" in data:
            parts.append({"kind": "words", "text": data["text/plain"]})
        elif output.output_type == "stream" and output.name == "stdout":
            parts.append({"kind": "words", "text": output.text})
    return parts
