"""From a file to a frozen `Config`, or to all of its problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..model import DEFAULT_STATE_TABLE, Machine
from ..poller import Polling
from ..sinks.http.options import HttpOptions
from ..sinks.opcua.options import OpcUaOptions
from ..sources.octoprint import OctoPrintOptions
from . import ids, jsonc
from .aggregator import KIND, Draft, is_ours, read_machine
from .entries import SettingsEntry
from .fields import collect, show
from .options import Config, MachineConfig
from .problem import ConfigFileError, JsonPath, Problem, in_file_order
from .report import Report
from .secrets import Secrets, credentials_directory
from .settings import read_http, read_opcua, read_polling, read_states


def load(path: Path, *, state_dir: Path, remember: bool) -> Config:
    """Read the configuration.

    Args:
        path: config.json; secrets and certificates are relative to its folder.
        state_dir: where machine ids are remembered; it need not exist.
        remember: write new machine ids there (``run`` and ``migrate --write`` do, ``check`` does not).

    Raises:
        ConfigFileError: at least one error; it holds all errors and warnings.
    """
    report = Report(str(path), read_document(path))
    report.watched_files.append(path)
    folder = path.absolute().parent
    secrets = Secrets(report, folder, credentials_directory())
    report.duplicate_keys()
    settings, drafts = _read(report, secrets, folder)
    opcua = read_opcua(report, settings.opcua, drafts, secrets)
    http = read_http(report, settings.http, opcua, secrets)
    polling = read_polling(report, settings.polling)
    _refuse_twins(report, drafts)
    _stop_if_failed(report)
    machines = _with_ids(report, drafts, state_dir, remember=remember)
    return Config(
        machines=machines,
        opcua=opcua,
        http=http,
        polling=polling,
        states=read_states(settings.states),
        warnings=in_file_order(report.problems),
        watched_files=tuple(dict.fromkeys(report.watched_files)),
    )


def load_or_wait(path: Path, *, state_dir: Path) -> Config:
    """Read the configuration at the start; where there is none yet, the agent runs without machines until it comes.

    Raises:
        ConfigFileError: there is a file, and it cannot be used.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return _none_yet(path)
    except OSError:
        pass  # load() knows the words for it
    return load(path, state_dir=state_dir, remember=True)


def _none_yet(path: Path) -> Config:
    return Config(
        machines=(),
        opcua=OpcUaOptions(),
        http=HttpOptions(),
        polling=Polling(),
        states=DEFAULT_STATE_TABLE,
        watched_files=(path,),
        missing=True,
    )


def read_document(path: Path) -> jsonc.Document:
    """Decode config.json.

    Raises:
        ConfigFileError: it is unreadable or not JSON.
    """
    try:
        return jsonc.read(path)
    except jsonc.JsonError as error:
        raise ConfigFileError([Problem(file=str(path), text=error.text, position=error.position)], [path]) from None


def machine_values(value: object) -> list[tuple[JsonPath, object]] | None:
    """The machine objects of a file in any of its three forms, each with its place; ``None`` if it has none of them."""
    if isinstance(value, list):
        return [((index,), item) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return None
    if "machines" not in value and value.keys() & {"type", "url"}:
        return [((), value)]
    items = value.get("machines")
    return [(("machines", index), item) for index, item in enumerate(items)] if isinstance(items, list) else None


def _read(report: Report, secrets: Secrets, folder: Path) -> tuple[SettingsEntry, list[Draft]]:
    value = report.value
    settings = None
    if isinstance(value, dict) and ("machines" in value or not value.keys() & {"type", "url"}):
        settings = collect(report, value, SettingsEntry, (), also=("machines",))
    found = machine_values(value)
    if found is None:
        _refuse_form(report)
    elif not found:
        report.warning((), "has no machines; add one to machines")
    drafts = [
        draft
        for path, item in found or ()
        if is_ours(report, item, path) and (draft := read_machine(report, item, path, secrets, folder))
    ]
    return settings or SettingsEntry(), drafts


def _refuse_form(report: Report) -> None:
    value = report.value
    if not isinstance(value, dict):
        report.error((), f'expected a machine object, a list of them, or {{"machines": [...]}}, got {show(value)}')
    elif "machines" in value:
        report.error(("machines",), f"expected a list of machine objects, got {show(value['machines'])}")
    else:
        report.error((), 'has neither "machines" nor the keys of a machine; put your machines in "machines": [...]')


def _refuse_twins(report: Report, drafts: Sequence[Draft]) -> None:
    """A name, an address and an explicit id may stand in the file once."""
    _refuse_twin(report, drafts, "custom_name", lambda draft: draft.name)
    _refuse_twin(report, drafts, "url", lambda draft: draft.url.text if draft.url else None)
    _refuse_twin(report, drafts, "id", lambda draft: draft.id)


def _refuse_twin(report: Report, drafts: Sequence[Draft], key: str, read: Callable[[Draft], str | None]) -> None:
    first: dict[str, JsonPath] = {}
    for draft in drafts:
        path = (*draft.path, key)
        value = read(draft)
        if value is not None and (earlier := first.setdefault(value, path)) != path:
            report.error(path, f"{show(value)} stands also at {report.line(earlier)}; each machine needs its own")


def _stop_if_failed(report: Report) -> None:
    if report.failed:
        raise ConfigFileError(report.problems, dict.fromkeys(report.watched_files))


def _with_ids(report: Report, drafts: Sequence[Draft], state_dir: Path, *, remember: bool) -> tuple[MachineConfig, ...]:
    identities = [
        ids.Identity(id=draft.id, name=draft.name, url=draft.url.text, address=draft.url.address)
        for draft in drafts
        if draft.url
    ]
    file = ids.IdsFile(state_dir)
    try:
        found = ids.remembered(file, identities, remember=remember)
    except ids.IdTakenError as taken:
        owner = report.line((*drafts[taken.owner].path, "url"))
        path = (*drafts[taken.index].path, "id")
        report.error(path, f"this id belongs already to the machine at {owner}; choose another")
        found = []
    report.problems.extend(file.problems)
    _stop_if_failed(report)
    return tuple(_machine(report, draft, id_) for draft, id_ in zip(drafts, found, strict=True))


def _machine(report: Report, draft: Draft, id_: str) -> MachineConfig:
    """The finished machine of a draft in which nothing is wrong."""
    if draft.url is None or draft.key is None:
        raise AssertionError("a draft with something wrong in it was not reported")
    machine = Machine(
        id=id_,
        name=draft.name,
        address=draft.url.address,
        url=draft.url.text,
        kind=KIND,
        mes_ids=draft.mes_ids,
        identification=draft.identification,
    )
    return MachineConfig(
        machine=machine,
        source=OctoPrintOptions(url=draft.url.text, api_key=draft.key, tls=draft.tls),
        poll_interval_s=draft.poll_interval_s,
        dialect=draft.dialect,
        position=report.position(draft.path),
    )
