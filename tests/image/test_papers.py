"""What is handed out beside the image: the manifest for Raspberry Pi Imager, and the list of parts."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import jsonschema
import pytest
from manifest import manifest
from parts_list import bill_of_materials

IMAGE = Path(__file__).resolve().parents[2] / "image"
# What Raspberry Pi Imager reads, in our words: its doc/json-schema/os-list-schema.json and doc/schema-notes.md, and
# what its models take (hwlistmodel.cpp, oslistparser.cpp). What it does not know, it passes over in silence.
TEXT, BYTES = {"type": "string", "minLength": 1}, {"type": "integer", "exclusiveMinimum": 0}
SUM = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
TAGS = {"type": "array", "items": {"enum": ["pi5-64bit", "pi4-64bit", "pi3-64bit"]}, "minItems": 1, "uniqueItems": True}
SYSTEM = {
    "type": "object",
    "required": [
        *("name", "description", "icon", "url", "extract_size", "extract_sha256", "image_download_size"),
        *("release_date", "devices", "init_format"),
    ],
    "properties": {
        "name": TEXT,
        "description": TEXT,
        "icon": {"type": "string", "pattern": "^icons/|^https://"},
        "url": {"type": "string", "pattern": "^(https|file)://."},
        "extract_size": BYTES,
        "extract_sha256": SUM,
        "image_download_size": BYTES,
        "image_download_sha256": SUM,
        "release_date": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"},
        "init_format": {"enum": ["none", "systemd", "cloudinit", "cloudinit-rpi", "rpi-preseed"]},
        "devices": TAGS,
        "architecture": {"enum": ["armhf", "armv8"]},
    },
    "additionalProperties": False,
}
DEVICE = {
    "type": "object",
    "required": ["name", "tags", "icon", "description", "matching_type"],
    "properties": {
        "name": TEXT,
        "tags": TAGS,
        "icon": {"type": "string"},
        "description": TEXT,
        "matching_type": {"enum": ["exclusive", "inclusive"]},
    },
    "additionalProperties": False,
}
LIST = {
    "type": "object",
    "required": ["imager", "os_list"],  # without devices Imager shows no system at all
    "properties": {
        "imager": {
            "type": "object",
            "required": ["devices"],
            "properties": {"devices": {"type": "array", "items": DEVICE, "minItems": 1}},
            "additionalProperties": False,
        },
        "os_list": {"type": "array", "items": SYSTEM, "minItems": 1},
    },
    "additionalProperties": False,
}

STATUS = """Package: libfoo1
Status: install ok installed
Architecture: arm64
Source: foo (1.2-3)
Version: 1:1.2-3+b1
Description: a library
 with more of it

Package: gone
Status: deinstall ok config-files
Architecture: arm64
Version: 1

Package: bar
Status: install ok installed
Architecture: all
Version: 2
"""


def test_imager_is_told_what_to_ask(tmp_path: Path) -> None:
    image, packed = tmp_path / "image", tmp_path / "image.xz"
    image.write_bytes(b"image")
    packed.write_bytes(b"packed")
    found = manifest(
        image=image, packed=packed, version="1.2.3", time=1_800_000_000, url="https://example.com/image.xz"
    )
    (system,) = found["os_list"]
    jsonschema.validate(found, LIST)
    assert (system["init_format"], system["release_date"]) == ("cloudinit", "2027-01-15")
    assert system["extract_sha256"] == hashlib.sha256(b"image").hexdigest()
    assert (system["extract_size"], system["image_download_size"]) == (5, 6)
    tags = [tag for device in found["imager"]["devices"] for tag in device["tags"]]
    assert system["devices"] == tags


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "var/lib/dpkg/status": STATUS,
        "usr/share/doc/libfoo1/copyright": "Format: https://...\n\nFiles: *\nLicense: MIT\n\nLicense: GPL-2+\n text\n",
        "usr/share/doc/bar/copyright": "On Debian the licence is in /usr/share/common-licenses/GPL-3.\n",
        "opt/edge-agent/releases/1/lib/python3.13/site-packages/Own_Thing-1.dist-info/METADATA": (
            "Metadata-Version: 2.4\nName: Own_Thing\nVersion: 1\nLicense-Expression: Apache-2.0\n"
        ),
        "opt/edge-agent/releases/1/lib/python3.13/site-packages/other-2.dist-info/METADATA": (
            "Metadata-Version: 2.1\nName: other\nVersion: 2\nClassifier: License :: OSI Approved :: MIT License\n"
        ),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_every_part_has_a_version_and_a_licence(root: Path) -> None:
    found = bill_of_materials(root, version="1.0.0", time=1_800_000_000)
    parts = {
        part["name"]: (part["version"], [one["license"]["name"] for one in part["licenses"]])
        for part in found["components"]
    }
    assert parts == {
        "bar": ("2", ["GPL-3"]),
        "libfoo1": ("1:1.2-3+b1", ["GPL-2+", "MIT"]),
        "own-thing": ("1", ["Apache-2.0"]),
        "other": ("2", ["MIT License"]),
    }
    assert "pkg:deb/debian/libfoo1@1%3A1.2-3%2Bb1?arch=arm64&distro=debian-13" in json.dumps(found)


def test_the_same_parts_give_the_same_list(root: Path) -> None:
    first, second = (bill_of_materials(root, version="1.0.0", time=1_800_000_000) for _ in range(2))
    assert first == second
    assert first["metadata"]["timestamp"] == "2027-01-15T08:00:00Z"


def test_the_list_of_packages_is_in_order() -> None:
    lines = [line for line in (IMAGE / "packages.txt").read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == len(set(lines))
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", line) for line in lines)
    assert {"busybox", "overlayroot", "raspi-firmware", "python3", "cloud-init"} <= set(lines)
    assert not {"linux-image-arm64", "gcc", "python3-pip"} & set(lines)


def test_the_text_on_the_card_is_for_every_pc() -> None:
    text = (IMAGE / "firmware/edge-agent/README.txt").read_bytes()
    assert text.count(b"\r\n") == text.count(b"\n") > 20
    assert all(len(line) <= 78 for line in text.decode("ascii").splitlines())


def test_pictures_that_the_readme_shows_are_there_and_say_what_they_show() -> None:
    shown = re.findall(r"!\[(.+)\]\((pictures/.+?)\)", (IMAGE / "README.md").read_text())
    assert {name for _, name in shown} == {f"pictures/{file.name}" for file in (IMAGE / "pictures").iterdir()}
    for _, name in shown:
        picture = (IMAGE / name).read_text()
        assert re.search(r"<title[^>]*>\S", picture), f"{name} has no title for those who cannot see it"
        assert re.search(r"<desc[^>]*>\S", picture), f"{name} has no description"
