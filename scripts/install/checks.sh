# What has to be true before anything is done. Part of ../install.sh.
# shellcheck shell=bash disable=SC2154 # the names it shares are set there

needed_mib=200

# The package's files are dpkg's, and two agents cannot share one port. Its configuration alone is in nobody's way.
check_package() {
  case $(dpkg-query --show --showformat='${db:Status-Status}' edge-agent 2>/dev/null || true) in
    '' | not-installed | config-files) ;;
    *)
      fail 19 "edge-agent is installed as a Debian package, and stays so: a new version is a new .deb \
(sudo apt-get install ./edge-agent_*.deb). To change to install.sh, run first: sudo apt-get remove edge-agent; \
configuration, passwords and journal stay"
      ;;
  esac
}

check_system() {
  local system architecture
  # shellcheck source=/dev/null
  system=$(. /etc/os-release 2>/dev/null && printf '%s %s' "${ID:-}" "${VERSION_ID:-}") || true
  architecture=$(dpkg --print-architecture 2>/dev/null || uname -m)
  case $architecture in
    arm64 | amd64) ;;
    *)
      fail 12 "this system is $architecture, and some of the libraries exist for 64 bits only (arm64, amd64); on a \
Raspberry Pi 3, 4, 5 or Zero 2 W install Raspberry Pi OS (64-bit)"
      ;;
  esac
  case $system in
    'debian 12' | 'debian 13' | 'raspbian 12' | 'raspbian 13') ;;
    *) fail 11 "this is ${system:-an unknown system}; edge-agent is made for Raspberry Pi OS and Debian, 12 and 13" ;;
  esac
  [[ -d /run/systemd/system || (! $start && $(command -v systemctl)) ]] ||
    fail 14 'systemd does not run here, and it is what keeps the agent alive; use a system that was booted with it'
}

# Sets $python, the interpreter with its version in its name, and $tag, as in py311.
check_python() {
  local ask='import sys, venv, zipfile; print("py%d%d" % sys.version_info[:2] if sys.version_info >= (3, 11) else "")'
  python=$(readlink -f "$(command -v python3 || true)")
  [[ $python ]] || fail 13 'there is no python3; run: sudo apt-get install python3'
  tag=$("$python" -c "$ask" 2>/dev/null) ||
    fail 13 "$python has no venv; run: sudo apt-get install --reinstall python3 libpython3-stdlib python3-venv"
  [[ $tag ]] ||
    fail 13 "$python is $("$python" --version 2>&1), and 3.11 or newer is needed, as Debian 12 and 13 have it"
}

check_disk() {
  local place=$opt free
  while [[ ! -d $place ]]; do
    place=$(dirname "$place")
  done
  free=$(df --output=avail --block-size=1M "$place" | tail -n 1)
  ((free >= needed_mib)) ||
    fail 15 "$((free)) MB are free on the disk of $place, and $needed_mib are needed; make room, or take a larger card"
}

check_clock() {
  local released
  released=$(about_us | sed -n 's/^RELEASED = datetime(\([0-9]*\), \([0-9]*\), \([0-9]*\),.*/\1 \2 \3/p')
  # shellcheck disable=SC2086 # three numbers
  released=$(printf '%04d-%02d-%02d' $released)
  [[ ! $(date -u +%F) < $released ]] ||
    fail 16 "the clock says $(date -u +%F), which is before this version was made ($released), and certificates would \
be made with it. Connect the network and wait for the time, or set it: sudo timedatectl set-time 'YYYY-MM-DD HH:MM:SS'"
}

# check_ports PORT...: nobody else has them.
check_ports() {
  local port
  for port; do
    is_free "$port" ||
      fail 17 "port $port is taken by another program$(port_owner "$port"); stop that, or choose another port for the \
agent: opcua.port in config.json"
  done
}

# check_page_port PORT: the agent does without its page while another program has the port; a webcam's is a favourite.
check_page_port() {
  is_free "$1" ||
    say "warning: port $1 is taken by another program$(port_owner "$1"): there will be no status page until you choose \
another port, http.port in config.json"
}

is_free() {
  local try='import socket, sys; s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(("", int(sys.argv[1])))'
  if [[ ! -d /run/systemd/system ]] || systemctl --quiet is-active "$service"; then
    return 0 # this is an image, and here are another system's ports; or they are its own
  fi
  "$python" -c "$try" "$1" 2>/dev/null
}

port_owner() {
  ss --no-header --listening --tcp --processes "sport = :$1" 2>/dev/null |
    sed -n 's/.*users:(("\([^"]*\)".*/ (\1)/p' | head -n 1
}
