# config.json: checked by the release that will read it, and never overwritten. Part of ../install.sh.
# shellcheck shell=bash disable=SC2154,SC2034 # the names it shares are set and used there

# asked KEY: what the new release's report on the configuration that will be in force has there, one thing a line.
asked() {
  local pick='import json, sys; found = json.load(sys.stdin)[sys.argv[1]]
print(*found if isinstance(found, list) else [found or ""], sep="\n")'
  "$release/bin/edge-agent" check --json --config "${config:-$etc/config.json}" --state-dir "$state" |
    "$release/bin/python3" -c "$pick" "$1"
}

# What can be said before there is a release that understands config.json.
check_config_early() {
  if [[ $config ]]; then
    [[ -f $config && -r $config ]] || fail 30 "--config: $config is no file that can be read; name your config.json"
    config=$(readlink -f "$config")
  elif [[ ! -e $etc/config.json ]]; then
    check_ports 4840
    check_page_port 8080
  fi
}

check_config() {
  local as_user=() ports page file=${config:-$etc/config.json}
  [[ -e $file && -x $release/bin/edge-agent ]] || return 0 # with --dry-run there may be no release
  if [[ ! $config ]] && id edge-agent >/dev/null 2>&1; then
    as_user=(runuser -u edge-agent --) # it has to be able to read it
  fi
  "${as_user[@]}" "$release/bin/edge-agent" check --config "$file" --state-dir "$state" >"$work/check" 2>&1 || {
    cat "$work/check" >&2
    fail 30 "edge-agent $version cannot use $file: the reasons stand above. Correct it, and run this again; nothing \
was changed"
  }
  ports=$(asked ports)
  # shellcheck disable=SC2086 # several numbers
  check_ports $ports
  page=$(asked http_port)
  [[ ! $page ]] || check_page_port "$page"
  [[ ! $config ]] || plan_config
}

# Sets $mine: pairs of a file that --config leads to and where it goes. What is there already, and the same, stays.
plan_config() {
  local file target files
  [[ $config != "$etc/config.json" ]] || return 0
  files=$(asked files)
  while IFS= read -r file; do
    if [[ $file == "$config" ]]; then
      target=$etc/config.json
    elif [[ $file == "$(dirname "$config")"/* ]]; then
      target=$etc/${file#"$(dirname "$config")"/}
    else
      say "$file stays where it is; the user edge-agent has to be able to read it"
      continue
    fi
    if [[ ! -e $target ]]; then
      mine=("$file" "$target" "${mine[@]}") # config.json comes first, and so goes last: what it names is there by then
    elif ! cmp -s "$file" "$target"; then
      fail 31 "$target is there already, and another than $file; it is never overwritten. Move it away, \
or leave out --config"
    fi
  done <<<"$files"
}

take_config() {
  local index file target
  for ((index = 0; index < ${#mine[@]}; index += 2)); do
    file=${mine[index]} target=${mine[index + 1]}
    if [[ $target == "$etc/config.json" ]]; then
      change "write $target" place "$file" "$target" 640 root
    else
      change "write $target" place_secret "$file" "$target"
    fi
  done
}

# shellcheck disable=SC2317 # called through change
place_secret() {
  local folder
  folder=$(dirname "$2")
  # The agent can write there: whoever has broken into it must not have root follow a link of theirs.
  [[ ! -e $folder || $(readlink -f "$folder")/ == "$etc"/* ]] ||
    fail 31 "$folder leads elsewhere; look at where, and remove the link"
  install -d -m 750 -o root -g edge-agent "$folder"
  place "$1" "$2" 600 edge-agent
}
