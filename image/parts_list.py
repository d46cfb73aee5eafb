"""What the image is made of, with versions and licences: a CycloneDX 1.6 bill of materials.

    parts_list.py ROOT VERSION TIME TARGET

Debian's packages come from dpkg's own records, the agent's libraries from their metadata in its release.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

_NAMESPACE = uuid.UUID("0b0a6e0e-6c0f-4a35-8f0e-3f9c1f1d2a77")  # ours, drawn once
_LICENCE_LINE = re.compile(r"^License: *(\S.*?) *$", re.MULTILINE)
_COMMON_LICENCE = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9+])")
_LONGEST_NAME = 100  # some wheels have the whole text where its name belongs


def _paragraphs(status: Path) -> Iterator[Mapping[str, str]]:
    for text in status.read_text().split("\n\n"):
        if text.strip():
            yield dict(HeaderParser().parsestr(text).items())


def debian_parts(root: Path) -> list[dict[str, Any]]:
    """Every installed package, by name."""
    found = []
    for package in _paragraphs(root / "var/lib/dpkg/status"):
        if package["Status"].split()[-1] != "installed":
            continue
        name, version, architecture = package["Package"], package["Version"], package["Architecture"]
        source = package.get("Source", name).split()[0]
        where = f"pkg:deb/debian/{quote(name)}@{quote(version, safe='')}?arch={architecture}&distro=debian-13"
        found.append(
            {
                "type": "library",
                "bom-ref": where,
                "name": name,
                "version": version,
                "purl": where,
                "licenses": _licences(_debian_licences(root, name)),
                "properties": [{"name": "debian:source", "value": source}],
            }
        )
    return sorted(found, key=lambda part: str(part["name"]))


def _debian_licences(root: Path, package: str) -> list[str]:
    copyright_file = root / "usr/share/doc" / package / "copyright"
    try:
        text = copyright_file.read_text(errors="replace")
    except OSError:
        text = ""
    named = _LICENCE_LINE.findall(text) if "Format:" in text[:2000] else _COMMON_LICENCE.findall(text)
    return sorted(set(named)) or [f"as in /usr/share/doc/{package}/copyright"]


def python_parts(root: Path) -> list[dict[str, Any]]:
    """Every library in the agent's release, and the agent, by name."""
    found = {}
    for metadata in root.glob("opt/edge-agent/releases/*/lib/python3*/site-packages/*.dist-info/METADATA"):
        told = HeaderParser().parsestr(metadata.read_text())
        name, version = told["Name"].lower().replace("_", "-"), told["Version"]
        where = f"pkg:pypi/{quote(name)}@{quote(version)}"
        found[name] = {
            "type": "library",
            "bom-ref": where,
            "name": name,
            "version": version,
            "purl": where,
            "licenses": _licences(_python_licences(told)),
        }
    return [found[name] for name in sorted(found)]


def _python_licences(told: Any) -> list[str]:  # noqa: ANN401  # an email.message.Message, whose type says little more
    if told["License-Expression"]:
        return [told["License-Expression"]]
    if (licence := (told["License"] or "").strip()) and len(licence) <= _LONGEST_NAME and "\n" not in licence:
        return [licence]
    classifiers = [one for one in told.get_all("Classifier", []) if one.startswith("License ::")]
    return [one.rpartition(" :: ")[2] for one in classifiers]


def _licences(names: Sequence[str]) -> list[dict[str, Any]]:
    return [{"license": {"name": name}} for name in names]


def bill_of_materials(root: Path, *, version: str, time: int) -> dict[str, Any]:
    """The whole of it. The same root gives the same."""
    components = [*debian_parts(root), *python_parts(root)]
    told = json.dumps(components, sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{version} {told}')}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "operating-system", "name": "edge-agent image", "version": version},
        },
        "components": components,
    }


def main(arguments: Sequence[str]) -> int:
    """Write it."""
    root, version, time, target = arguments
    found = bill_of_materials(Path(root), version=version, time=int(time))
    Path(target).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    print(f"{len(found['components'])} parts")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
