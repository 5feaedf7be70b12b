"""Makes messages, their types and stubs from the .proto files while a wheel is built."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Messages(BuildHookInterface):  # type: ignore[type-arg]
    """Puts what is generated into the wheel; nothing of it stays in the tree."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generates; an editable install has the modules beside their package."""
        from grpc_tools import protoc

        root = Path(self.root)
        # Within a source distribution, and within the repository.
        places = [root / "proto", root.parent.parent / "proto"]
        proto = next((place for place in places if (place / "corridor" / "v1").is_dir()), None)
        if proto is None:
            raise FileNotFoundError(f"no .proto files in any of {places}")
        is_editable = version == "editable"
        self.made = None if is_editable else tempfile.mkdtemp()
        out = self.made or str(root / "src")
        files = sorted(str(path) for path in (proto / "corridor" / "v1").glob("*.proto"))
        kinds = ("python", "pyi", "grpc_python")
        options = [f"-I{proto}", *(f"--{kind}_out={out}" for kind in kinds)]
        if protoc.main(["protoc", *options, *files]) != 0:
            raise RuntimeError(f"no messages could be made from the files in {proto}")
        if not is_editable:
            build_data["force_include"][f"{out}/corridor/v1"] = "corridor/v1"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Removes what was generated."""
        if self.made is not None:
            shutil.rmtree(self.made)
