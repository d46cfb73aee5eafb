# What is put in place around a release, and how it comes to run. Part of ../install.sh.
# shellcheck shell=bash disable=SC2154,SC2034 # the names it shares are set and used there

# place FILE TARGET MODE OWNER: whole or not at all.
# shellcheck disable=SC2317 # called through change
place() {
  local group=root
  [[ $2 != "$etc"/* ]] || group=edge-agent
  install -m "$3" -o "$4" -g "$group" "$1" "$2.new"
  mv -fT "$2.new" "$2"
}

# put FILE TARGET [MODE]: a file of ours, so it is brought to this release's state.
put() {
  if [[ -f $1 ]] && ! cmp -s "$1" "$2"; then
    changed=yes
    change "write $2" place "$1" "$2" "${3:-644}" root
  fi
}

# point TARGET LINK: it leads to the old or to the new at every moment.
point() {
  ln -sfn "$1" "$2.new"
  mv -fT "$2.new" "$2"
}

# activate RELEASE: everything outside of it is as it wants it. What is in place is left alone.
activate() {
  local share=$1/share/edge-agent/systemd before
  [[ -d $share ]] || share=$systemd # --dry-run
  before=$(readlink "$opt/current" || true)
  put "$share/edge-agent.sysusers" "$sysusers"
  id edge-agent >/dev/null 2>&1 || change 'make the user edge-agent' systemd-sysusers "${sysusers##*/}"
  [[ -d $etc ]] || change "make $etc" install -d -m 770 -o root -g edge-agent "$etc"
  # As versions before made it; the guide of the status page writes there. Another mode is somebody's wish.
  [[ $(stat -c '%U:%G %a' "$etc" 2>/dev/null) != 'root:edge-agent 750' ]] ||
    change "let the agent write to $etc" chmod 770 "$etc"
  [[ -d $state ]] || change "make $state" install -d -m 700 -o edge-agent -g edge-agent "$state"
  put "$share/config.json.example" "$etc/config.json.example" 640
  put "$share/edge-agent.service" "$unit"
  put_drop_in "$share"
  put_avahi "$share" "$before/share/edge-agent/systemd"
  if [[ $before != "$1" ]]; then
    changed=yes
    [[ ! -f $before/ready ]] || change "keep ${before##*/} as the way back" point "$before" "$opt/previous"
    change "switch to ${1##*/}" point "$1" "$opt/current"
  fi
  if [[ $(readlink "$command" || true) != "$opt/current/bin/edge-agent" ]]; then
    change "make $command" point "$opt/current/bin/edge-agent" "$command"
  fi
  if [[ -d /run/systemd/system ]] &&
    [[ $changed || $(systemctl show --property=NeedDaemonReload --value "$service") == yes ]]; then
    change 'tell systemd' systemctl daemon-reload
  fi
  systemctl --quiet is-enabled "$service" 2>/dev/null ||
    change 'have it start with the computer' systemctl --quiet enable "$service"
}

# What systemd 254 and newer can do in addition; an older one complains of it.
put_drop_in() {
  local systemd_version
  systemd_version=$(systemctl --version | awk 'NR == 1 { print $2 }')
  if ((systemd_version >= 254)); then
    [[ -d ${drop_in%/*} ]] || change "make ${drop_in%/*}" mkdir -p "${drop_in%/*}"
    put "$1/edge-agent.systemd-254.conf" "$drop_in"
  fi
}

# Where avahi is, it announces the endpoint. A file that somebody has changed (another port) stays.
put_avahi() {
  local name=edge-agent.avahi.service
  if [[ -d ${avahi%/*} ]] && { [[ ! -e $avahi ]] || cmp -s "$2/$name" "$avahi"; }; then
    put "$1/$name" "$avahi"
  fi
}

# It is the current release, was ready once, runs, and no configuration is to be taken.
is_settled() {
  [[ ! $config && -f $release/ready && $(readlink "$opt/current" || true) == "$release" ]] &&
    [[ $(running_release) == "$release" || ! $start ]]
}

running_release() {
  local pid program
  pid=$(systemctl show --property=MainPID --value "$service")
  program=$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | head -n 1) || true
  printf '%s' "${program%/bin/*}"
}

# It told systemd that it is ready, and two seconds later it is still the same process.
reaches_ready() {
  local pid
  systemctl reset-failed "$service" 2>/dev/null || true
  timeout 300 systemctl restart "$service" 2>"$work/start" || return 1
  pid=$(systemctl show --property=MainPID --value "$service")
  sleep 2
  [[ $(systemctl is-active "$service") == active && $(systemctl show --property=MainPID --value "$service") == "$pid" ]]
}

start_release() {
  local previous began
  previous=$(readlink "$opt/previous" || true)
  began=$(date '+%F %T')
  say "starting edge-agent $version"
  if reaches_ready; then
    touch "$release/ready"
    return
  fi
  show_why "$began"
  if [[ $previous == "$release" || ! -f $previous/complete ]]; then
    fail 41 "edge-agent $version is installed, but does not get ready: the reasons stand above. When they are gone: \
sudo systemctl restart edge-agent"
  fi
  say "edge-agent $version does not get ready; going back to ${previous##*/}"
  began=$(date '+%F %T')
  activate "$previous"
  if reaches_ready; then
    rm -rf "$release"
    fail 40 "edge-agent $version does not get ready: the reasons stand above. ${previous##*/} runs again"
  fi
  show_why "$began"
  fail 42 "neither edge-agent $version nor ${previous##*/}, which ran before, gets ready: the reasons stand above; see \
systemctl status edge-agent"
}

# show_why TIME: what systemctl and the agent have said since.
show_why() {
  {
    cat "$work/start"
    journalctl --unit "$service" --no-pager --output cat --since "$1" --lines 20
  } 2>/dev/null | sed 's/^/    /' >&2 || true
}

remove_others() {
  local candidate previous
  previous=$(readlink "$opt/previous" || true)
  for candidate in "$opt"/releases/*; do
    [[ $candidate == "$release" || $candidate == "$previous" || ! -d $candidate ]] || rm -rf "$candidate"
  done
}
