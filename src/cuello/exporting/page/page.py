"""Writes the page: its text, style and scripts, the networks, and ONNX Runtime, in one file."""

import base64
import gzip
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from cuello.core.files import write_text
from cuello.core.version import VERSION
from cuello.exporting.page.facts import PageFacts
from cuello.exporting.page.fetch import PACKAGE
from cuello.exporting.page.fetch import VERSION as RUNTIME_VERSION
from cuello.exporting.page.runtime import runtime

PAGE = ("reading.js", "png.js", "zip.js", "words.js", "viewer.js", "codes.js", "main.js")
WORKER = ("reading.js", "png.js", "tiff.js", "restoring.js", "worker.js")


def write_page(path: Path, facts: PageFacts, models: Mapping[str, bytes], *, about: Sequence[tuple[str, str]]) -> None:
    """Write one HTML file that runs ``models``, whole or not at all.

    models: the bytes of ONNX files by what they are for: "image", "encoder", "decoder", "classifier". about: names and
    values that the page tells of the model. Raises CuelloError where ONNX Runtime's parts are missing.
    """
    from jinja2 import Environment
    from markupsafe import Markup

    parts = runtime()
    program, style = joined(PAGE), read("page.css")
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    text = page.from_string(read("page.html")).render(
        facts=facts,
        facts_text=Markup(facts.text),
        policy=policy(program, style),
        version=VERSION,
        style=Markup(style),
        program=Markup(program),
        work=Markup(joined(WORKER)),
        ort=Markup(as_script(as_classic(gzip.decompress(parts.program).decode()))),
        wasm=base64.b64encode(parts.wasm).decode(),
        models={name: base64.b64encode(gzip.compress(model, 9, mtime=0)).decode() for name, model in models.items()},
        about=about,
        licences=[(f"{PACKAGE} {RUNTIME_VERSION}", parts.license)],
    )
    write_text(path, text)


def read(name: str) -> str:
    return resources.files("cuello.exporting.page").joinpath(name).read_text("utf-8")


def joined(names: Sequence[str]) -> str:
    return as_script("\n".join(read(name) for name in names))


def as_script(text: str) -> str:
    """Let nothing in a program end the element that it stands in."""
    return text.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def as_classic(program: str) -> str:
    """Turn ONNX Runtime's module into a plain script that calls what it gives ``ort``.

    A worker that a file:// page makes cannot be a module; a plain one has its place under another name.

    >>> as_classic("var a=import.meta.url;export{a as env,b as Tensor};\\n//# sourceMappingURL=x.map")
    'const ort=(()=>{"use strict";var a=self.location.href;return{env:a,Tensor:b}})();'
    """
    before, _, names = program.rpartition("export{")
    pairs = (pair.split(" as ") for pair in names.partition("}")[0].split(","))
    given = ",".join(f"{outer}:{inner}" for inner, outer in pairs)
    body = before.replace("import.meta.url", "self.location.href")
    return f'const ort=(()=>{{"use strict";{body}return{{{given}}}}})();'


def policy(program: str, style: str) -> str:
    """Return the page's content security policy: this script and style, a worker made of the page, and nothing else."""
    return (
        f"default-src 'none'; script-src '{digest(program)}' blob: 'wasm-unsafe-eval'; worker-src blob:; "
        f"style-src '{digest(style)}'; connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
