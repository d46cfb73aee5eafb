"""What avahi announces is where the endpoint is by default, in the form that avahi and OPC 10000-12 ask for."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from edge_agent.sinks.opcua.options import OpcUaOptions

FILE = Path(__file__).parents[2] / "systemd" / "edge-agent.avahi.service"
ORDER = ["type", "subtype", "domain-name", "host-name", "port", "txt-record"]
"""Of a service's parts: avahi-service.dtd."""
CAPABILITIES = {"DA", "HD", "AC", "HE", "DI"}
"""Those of OPC 10000-12, Annex D, that a server like this one can have."""


@pytest.fixture
def group() -> ET.Element:
    return ET.fromstring(FILE.read_bytes())  # noqa: S314 - our own file


def test_it_has_the_parts_that_avahi_knows_in_their_order(group: ET.Element) -> None:
    assert group.tag == "service-group"
    assert [part.tag for part in group] == ["name", "service"]
    tags = [part.tag for part in group[1]]
    assert tags == sorted(tags, key=ORDER.index)
    assert tags.count("type") == tags.count("port") == 1


def test_its_name_is_another_on_every_host_and_short_enough(group: ET.Element) -> None:
    name = group.find("name")
    assert name is not None
    assert name.get("replace-wildcards") == "yes"
    assert "%h" in (name.text or "")
    assert len((name.text or "").replace("%h", "")) < 63 - 20  # a DNS label; host names of some length fit in


def test_it_announces_the_endpoint(group: ET.Element) -> None:
    service = group[1]
    assert service.findtext("type") == "_opcua-tcp._tcp"
    assert service.findtext("port") == str(OpcUaOptions().port)


def test_its_texts_are_those_of_the_specification(group: ET.Element) -> None:
    texts = [record.text or "" for record in group[1].findall("txt-record")]
    assert len(texts) == 2
    path, caps = texts
    assert re.fullmatch(r"path=/[\w/]*", path)
    assert caps.startswith("caps=")
    told = caps.removeprefix("caps=").split(",")
    assert len(told) == len(set(told)) < 10
    assert set(told) <= CAPABILITIES
