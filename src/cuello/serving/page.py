"""The documentation as a page that needs nothing from elsewhere, made of the OpenAPI description."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, select_autoescape

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1rem; }
code, pre { font: 14px/1.45 ui-monospace, monospace; background: var(--soft); border-radius: 4px; }
code { padding: .1em .3em; }
pre { padding: .7rem; white-space: pre-wrap; overflow-wrap: anywhere; margin: .5rem 0; }
.way { font-size: .8em; margin-right: .5em; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: .4rem
.6rem .4rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; } td:first-child { white-space: nowrap; }
.scroll { overflow-x: auto; }
"""
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ info.title }} {{ info.version }}</title><style>{{ style }}</style>
<h1>{{ info.title }} <small>{{ info.version }}</small></h1><p>{{ info.description }}</p>
<p>For programs: <a href="/openapi.json">openapi.json</a></p>
{% for path, ways in paths.items() %}{% for way, one in ways.items() %}
<h2><code class="way">{{ way|upper }}</code><code>{{ path }}</code></h2><p><b>{{ one.summary }}.</b></p>
{% for part in (one.description or "").split("\\n\\n") if part %}
{% if part.startswith("    ") %}<pre>{{ part.strip() }}</pre>{% else %}<p>{{ part }}</p>{% endif %}{% endfor %}
{% set asked = (one.parameters or [])|selectattr("in", "equalto", "query")|list %}
{% if asked %}<h3>Settings</h3><div class="scroll"><table>
{% for one in asked %}<tr><td><code>?{{ one.name }}=</code></td><td>{{ one.description }}</td></tr>{% endfor %}
</table></div>{% endif %}
{% if one.responses|length > 1 %}<h3>Answers</h3><div class="scroll"><table>
{% for status, answer in one.responses.items() %}<tr><td><code>{{ status }}</code></td><td>{{ answer.description }}
{% set example = answer.get("content", {}).get("application/json", {}).get("example") %}
{% if example %}<pre>{{ example|shown }}</pre>{% endif %}</td></tr>{% endfor %}
</table></div>{% endif %}
{% endfor %}{% endfor %}</html>
"""


@cache
def template() -> Any:
    environment = Environment(autoescape=select_autoescape(default=True, default_for_string=True))
    environment.filters["shown"] = lambda example: json.dumps(example, ensure_ascii=False)
    return environment.from_string(PAGE)


def docs_page(described: Mapping[str, Any]) -> str:
    """Write the OpenAPI description of the service as a page."""
    return template().render(info=described["info"], paths=described["paths"], style=STYLE)
