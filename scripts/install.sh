#!/usr/bin/env bash
# Usage: sudo ./install.sh [OPTION...]    installs edge-agent, or brings the installed one to this version
#
#   --config FILE   takes this config.json, and the key files beside it, if there is none yet; it is checked first
#   --offline DIR   takes the wheels from this folder
#   --version X     takes this version: of several in the folder, or one that was installed before
#   --no-start      installs, but does not start or restart anything; systemd need not run (in an image that is made)
#   --dry-run       checks everything that can be checked, says what it would do, and changes nothing
#   --uninstall     removes the agent; config.json, keys, passwords and the journal stay
#   --purge         with --uninstall: removes these as well
#
# For Raspberry Pi OS (64-bit) and Debian 12 and 13. From a release archive it needs no network; from a checkout it
# makes the wheels first. It never asks, and never overwrites a configuration. Run it again whenever it was interrupted.
# Every error has a number, which is also the exit code: docs/install.md tells what to do.
#
# The parts are in install/: what has to be true (checks), where a release comes from (release), config.json
# (configuration), what is put in place and started (activation).
set -eEuo pipefail
export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
umask 022

opt=/opt/edge-agent
etc=/etc/edge-agent
state=/var/lib/edge-agent
command=/usr/local/bin/edge-agent
unit=/etc/systemd/system/edge-agent.service
drop_in=$unit.d/10-systemd-254.conf
sysusers=/usr/lib/sysusers.d/edge-agent.conf
avahi=/etc/avahi/services/edge-agent.service
service=edge-agent.service

say() { printf 'edge-agent: %s\n' "$*"; }

# fail NUMBER TEXT: the text says what failed, why and what to do.
fail() {
  trap - ERR
  printf 'edge-agent: error %s: %s\n' "$1" "$2" >&2
  exit "$1"
}

# change WORDS COMMAND...: everything that touches this computer goes through here; --dry-run only says it.
change() {
  local words=$1
  shift
  if [[ $dry_run ]]; then
    say "would $words"
  else
    "$@"
  fi
}

read_options() {
  config='' offline='' wanted_version='' start=yes dry_run='' uninstall='' purge=''
  while (($#)); do
    case $1 in
      --config | --offline | --version)
        [[ ${2:-} ]] || fail 2 "$1 needs a value; see --help"
        case $1 in
          --config) config=$2 ;;
          --offline) offline=$2 ;;
          --version) wanted_version=$2 ;;
        esac
        shift
        ;;
      --no-start) start='' ;;
      --dry-run) dry_run=yes ;;
      --uninstall) uninstall=yes ;;
      --purge) purge=yes ;;
      -h | --help)
        sed -n '2,/^set/p' "${BASH_SOURCE[0]}" | sed -n 's/^# \{0,1\}//p'
        exit 0
        ;;
      *) fail 2 "there is no option $1; see --help" ;;
    esac
    shift
  done
  [[ ! $purge || $uninstall ]] || fail 2 '--purge deletes configuration and journal: it stands beside --uninstall only'
}

load_parts() {
  here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
  [[ -d $here/install ]] || fail 20 "$here holds no folder install; unpack the whole release archive"
  # shellcheck source=scripts/install/checks.sh
  . "$here/install/checks.sh"
  # shellcheck source=scripts/install/release.sh
  . "$here/install/release.sh"
  # shellcheck source=scripts/install/configuration.sh
  . "$here/install/configuration.sh"
  # shellcheck source=scripts/install/activation.sh
  . "$here/install/activation.sh"
}

install_all() {
  check_system
  check_python
  check_config_early
  provide_release
  if is_settled; then
    activate "$release" # heals what somebody has deleted; as a rule there is nothing to do
    if [[ ! $changed ]]; then
      say "edge-agent $version is installed and runs; nothing to do"
      return
    fi
  fi
  check_config
  built='' # from here on nothing is taken back: a release that fails gives way to the one before
  activate "$release"
  take_config
  if [[ $dry_run ]]; then
    say "would $([[ $start ]] && echo 'start the agent, and wait until it is ready' || echo 'not start it')"
    return
  elif [[ $start ]]; then
    start_release
    say "edge-agent $version is ready"
  else
    say "edge-agent $version is installed, and was not started: sudo systemctl restart edge-agent"
  fi
  [[ ! -f $release/ready ]] || remove_others
  say_what_next
}

say_what_next() {
  local port=4840 page=8080
  if [[ -f $etc/config.json ]]; then
    port=$(config='' asked opcua_port)
    page=$(config='' asked http_port)
  fi
  say "endpoint:   opc.tcp://$(uname -n):$port"
  [[ ! $page ]] || say "page:       http://$(uname -n):$page/"
  if [[ -f $etc/config.json ]]; then
    say "printers:   $etc/config.json; to check it, and ask each printer: sudo edge-agent check --probe"
  else
    say "printers:   put your config.json into $etc ($etc/config.json.example shows one), then:"
    say '            sudo edge-agent check --probe && sudo systemctl restart edge-agent'
  fi
  say 'passwords:  sudo edge-agent credentials'
  say 'its state:  systemctl status edge-agent'
  say "to remove:  sudo $opt/current/share/edge-agent/install.sh --uninstall"
}

uninstall_all() {
  if [[ -e $unit ]]; then
    change 'stop the agent' systemctl --quiet disable --now $service
    change "remove $unit" rm -f $unit $drop_in
    change 'tell systemd' systemctl daemon-reload
    change 'forget its failures' systemctl reset-failed $service 2>/dev/null || true
  fi
  [[ ! -d $unit.d ]] || change "remove $unit.d, if it is empty" rmdir --ignore-fail-on-non-empty $unit.d
  change "remove $avahi and $sysusers" rm -f $avahi $sysusers
  [[ $(readlink $command || true) != $opt/* ]] || change "remove $command" rm -f $command
  if [[ $purge ]]; then
    change "remove $etc, $state and $unit.d" rm -rf $etc $state $unit.d
    ! id edge-agent >/dev/null 2>&1 || change 'remove the user edge-agent' userdel edge-agent
  fi
  change "remove $opt" rm -rf $opt # last: it may hold this script
  if [[ $dry_run ]]; then
    return
  elif [[ $purge ]]; then
    say 'removed, with its configuration, passwords and journal'
  else
    say "removed; $etc and $state stay (--purge removes them)"
  fi
}

# shellcheck disable=SC2317,SC2329 # called by the trap
clean_up() {
  rm -rf "$work"
  if [[ $built ]]; then
    rm -rf "$built"
    rmdir --ignore-fail-on-non-empty "$opt/releases" "$opt" || true
  fi
}

main() {
  built='' changed='' mine=()
  read_options "$@"
  ((EUID == 0)) || fail 10 'this needs root; run: sudo ./install.sh'
  load_parts
  check_package
  work=$(mktemp -d)
  trap clean_up EXIT
  trap 'fail 90 "this failed: ${words:-$BASH_COMMAND}; see above. Run install.sh again: it goes on where it stopped"' ERR
  exec 9>/run/lock/edge-agent-install.lock
  # Whatever an interrupted run has started holds this as well, until it ends.
  flock --timeout 60 9 || fail 18 'another install.sh is at work; wait for it'
  if [[ $uninstall ]]; then
    uninstall_all
  else
    install_all
  fi
}

main "$@"
exit # what follows in a file that was replaced meanwhile is not read
