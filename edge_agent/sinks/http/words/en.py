"""The texts in English."""

from __future__ import annotations

from ....errors import Failure
from ....model import MachineState, Quality
from .en_about import ABOUT
from .en_machine import MACHINE
from .texts import FrameWords, Words

EN = Words(
    language="en",
    frame=FrameWords(
        skip="Skip to the content",
        navigation="Pages",
        machines="Machines",
        agent="Agent",
        setup="Set up",
        sign_of_admin="You may change things",
        stale="The agent does not answer. What you see may be old.",
        for_machines="For machines",
        copy="Copy",
        copied="Copied",
        version="Version",
    ),
    states={
        MachineState.OFF: "switched off or not connected",
        MachineState.CONNECTING: "connecting",
        MachineState.FAULT: "fault",
        MachineState.READY: "ready",
        MachineState.DONE: "done",
        MachineState.STARTING: "starting",
        MachineState.PRINTING: "printing",
        MachineState.PAUSING: "pausing",
        MachineState.PAUSED: "paused",
        MachineState.RESUMING: "resuming",
        MachineState.FINISHING: "finishing",
        MachineState.CANCELLING: "cancelling",
    },
    qualities={
        Quality.WAITING: "waiting for its first answer",
        Quality.NO_COMMUNICATION: "does not answer",
        Quality.ACCESS_DENIED: "access denied",
        Quality.GOOD: "good",
        Quality.UNCERTAIN: "the last one, no longer fresh",
        Quality.NOT_CONNECTED: "printer not connected",
        Quality.NO_DATA: "not told",
    },
    title="{reachable} of {machines} machines - edge-agent on {host}",
    reachable="{reachable} of {machines} machines answer",
    as_of="as of {time}",
    no_machines="No machine is configured yet.",
    shown_of="{shown} of {machines} machines shown",
    none_found="No machine is like that now.",
    show="Show",
    groups={
        "all": "all",
        "attention": "what needs attention",
        "working": "what is working",
        "ready": "what is ready",
        "off": "what is off",
    },
    search="Name, place or file",
    apply="Filter",
    show_all="Show all",
    trouble="Something needs attention",
    open_to_all="Everybody who reaches the OPC UA port reads everything, without password and encryption.",
    remedies={
        Failure.SILENT: "{host} gives no answer: check that the computer at the printer is on and in the same network.",
        Failure.REFUSED: "{host} is there, but nothing listens at this port: start OctoPrint there, or correct the "
        "address.",
        Failure.NO_WAY: "The network has no way to {host}: check cable, WLAN and address.",
        Failure.UNKNOWN_NAME: "Nobody in the network knows the name {host}: check it, or use the address in numbers.",
        Failure.CLOSED: "{host} ended the connection before it answered: it may be restarting, so wait a minute.",
        Failure.BUSY: "{host} asks to be asked less often: wait, or set a longer poll_interval_s for this machine.",
        Failure.STARTING: "OctoPrint on {host} is still starting: wait a minute.",
        Failure.PROXY: "The web server of {host} answers, OctoPrint behind it does not: wait a minute, then restart "
        "OctoPrint.",
        Failure.SERVER_FAULT: "OctoPrint on {host} has an error of its own: look at its octoprint.log.",
        Failure.WRONG_KEY: "OctoPrint on {host} does not know the API key: get a new one under Set up.",
        Failure.NO_PERMISSION: "The API key's user on {host} may not read the status: grant it STATUS in OctoPrint's "
        "access control.",
        Failure.DEACTIVATED_USER: "The API key's user on {host} is switched off: activate it in OctoPrint's access "
        "control.",
        Failure.WRONG_TARGET: "What answers at {host} is not OctoPrint: correct the address under Set up.",
        Failure.REDIRECTED: "{host} sends the agent to another address: enter that one under Set up.",
        Failure.UNTRUSTED: "The certificate of {host} is not trusted: set tls.fingerprint or tls.ca_file for this "
        "machine.",
        Failure.NO_TLS: "{host} does not speak https: write http:// in the address.",
        Failure.UNEXPECTED_ANSWER: "{host} answers what no known OctoPrint does: check the proxies in between, then "
        "update the agent.",
        Failure.BUG: "The agent stumbled over the answer of {host}: its log has the details, please report it.",
    },
    progress="Progress",
    left="{time} left",
    ends_at="ends at {time}",
    off="off",
    curve="{heater}, last {minutes} min: {low} to {high} °C",
    last_state="last known: {state}",
    began="began at {time}",
    since="since {time}",
    last_seen="last answer: {time}",
    never_seen="It has not answered since the agent started.",
    old_values="No fresh answer: these values are old.",
    more="Connect an MES: endpoint, certificate and users",
    yes="yes",
    no="no",
    decimal=".",
    machine=MACHINE,
    about=ABOUT,
    days="{days} d {hours} h",
    hours="{hours} h {minutes} min",
    minutes="{minutes} min",
    under_a_minute="less than a minute",
)
