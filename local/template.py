"""The template, as far as the stage must look into it: folders of code, paths, schedules."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

FUNCTION, LAYER = "AWS::Serverless::Function", "AWS::Serverless::LayerVersion"
MACHINE = "AWS::Serverless::StateMachine"
LARGEST_NUMBER = 2**31
SHORT_SCHEDULES = ("rate(1 minute)",)
LEFT_OUT = {"__pycache__", ".DS_Store"}


@dataclass(frozen=True)
class Artifact:
    """A function's or a layer's folder. A layer that SAM would build holds its packages under `python/`."""

    logical_id: str
    folder: Path
    is_layer: bool
    prefix: str

    def files(self) -> list[Path]:
        """What goes into it, in a stable order."""
        found = (path for path in self.folder.rglob("*") if path.is_file() and not LEFT_OUT & set(path.parts))
        return sorted(path for path in found if path.suffix != ".pyc")

    def zipped(self) -> bytes:
        """Its sources as a zip; third-party packages are those of the environment that runs the stage."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in self.files():
                archive.write(path, self.prefix + path.relative_to(self.folder).as_posix())
        return buffer.getvalue()


class Template:
    """infra/template.yaml."""

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        self.content: dict[str, Any] = yaml_parse(path.read_text())

    def artifacts(self) -> Iterator[Artifact]:
        """Every folder that becomes a function or a layer."""
        for logical_id, resource in self._resources(FUNCTION):
            yield Artifact(logical_id, self._resolved(resource["Properties"]["CodeUri"]), is_layer=False, prefix="")
        for logical_id, resource in self._resources(LAYER):
            prefix = "python/" if "BuildMethod" in resource.get("Metadata", {}) else ""
            folder = self._resolved(resource["Properties"]["ContentUri"])
            yield Artifact(logical_id, folder, is_layer=True, prefix=prefix)

    def routes(self) -> Iterator[tuple[str, str]]:
        """(route key, function) of every HTTP path; `$default` takes what no other does."""
        for logical_id, event in self._events("HttpApi"):
            method, path = event.get("Method"), event.get("Path")
            yield (f"{method.upper()} {path}" if method and path else "$default"), logical_id

    def functions_due_each_minute(self) -> list[str]:
        """Functions on a schedule that is too short to wait for its first turn."""
        events = self._events("ScheduleV2")
        return [logical_id for logical_id, event in events if event["ScheduleExpression"] in SHORT_SCHEDULES]

    def packaged(self, uris: Mapping[str, str]) -> dict[str, Any]:
        """The template with its folders replaced by where their zips are."""
        content: dict[str, Any] = deepcopy(self.content)
        for logical_id, uri in uris.items():
            properties = content["Resources"][logical_id]["Properties"]
            properties["CodeUri" if "CodeUri" in properties else "ContentUri"] = uri
        for resource in content["Resources"].values():
            if resource["Type"] == MACHINE:
                definition = self._resolved(resource["Properties"].pop("DefinitionUri")).read_text()
                resource["Properties"]["Definition"] = json.loads(definition)
        return content

    def refusal(self, parameter: str, value: str) -> str | None:
        """Why CloudFormation would not take a value for a parameter, None where it would."""
        declared = self.content["Parameters"][parameter]
        allowed = declared.get("AllowedValues")
        if allowed and value not in allowed:
            return f"must be one of {', '.join(allowed)}"
        if declared["Type"] != "Number":
            return None
        smallest, largest = declared.get("MinValue", 0), declared.get("MaxValue", LARGEST_NUMBER)
        try:
            is_right = smallest <= float(value) <= largest
        except ValueError:
            is_right = False
        return None if is_right else f"must be a number from {smallest} to {largest}"

    def _resources(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for logical_id, resource in self.content["Resources"].items():
            if resource["Type"] == kind:
                yield logical_id, resource

    def _events(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for logical_id, resource in self._resources(FUNCTION):
            for event in resource["Properties"].get("Events", {}).values():
                if event["Type"] == kind:
                    yield logical_id, event.get("Properties", {})

    def _resolved(self, uri: str) -> Path:
        return (self._folder / uri).resolve()
