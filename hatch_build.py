"""What a build does beside copying: it gets what exported pages need of ONNX Runtime, checked, from the npm package.

Where that is not possible the build goes on without, and `cuello export RUN page.html` says how to get it.
"""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE = Path("src/cuello/exporting/page")


class CustomBuildHook(BuildHookInterface):
    """Runs before files are gathered for a wheel, or for an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        spec = spec_from_file_location("fetch", Path(self.root) / PAGE / "fetch.py")
        assert spec is not None
        assert spec.loader is not None
        fetch = module_from_spec(spec)
        spec.loader.exec_module(fetch)
        folder = Path(self.root) / PAGE / "runtime"
        if fetch.is_complete(folder):
            return
        try:
            fetch.fetch(folder)
        except (fetch.FetchError, OSError) as error:
            self.app.display_warning(f"{error}. Exported pages need it; to get it later: {fetch.FETCH}")
