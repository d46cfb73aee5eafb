# Where a release comes from, and how it is built: an environment of its own, never changed once it is complete. Part
# of ../install.sh.
# shellcheck shell=bash disable=SC2154,SC2034 # the names it shares are set and used there

# Sets $release and $version, and builds it if need be.
provide_release() {
  if [[ $wanted_version ]] && find_kept; then
    return
  fi
  find_source
  choose_version
  check_clock
  if [[ $dry_run && $checkout ]]; then
    release=$opt/releases/$version-$tag # which wheels a checkout makes is known when they are made
  else
    [[ ! $checkout ]] || make_wheels
    name_release
  fi
  if [[ ! -f $release/complete ]]; then
    check_disk
    change "build edge-agent $version in $release" build_release
  fi
}

# A version that was installed before needs no wheels.
find_kept() {
  local candidate
  release=''
  for candidate in "$opt/releases/$wanted_version-$tag" "$opt/releases/$wanted_version-$tag"-*; do
    if [[ -f $candidate/complete && (! $release || $candidate/complete -nt $release/complete) ]]; then
      release=$candidate version=$wanted_version
    fi
  done
  [[ $release ]]
}

# Sets $systemd, and $checkout or $wheels.
find_source() {
  wheels='' checkout='' systemd=$here/systemd
  if [[ -x $here/build-release ]]; then
    checkout=$(dirname "$here") systemd=$(dirname "$here")/systemd
  fi
  if [[ $offline ]]; then
    wheels=$(cd "$offline" 2>/dev/null && pwd) ||
      fail 20 "--offline: $offline is no folder; name the one that holds the wheels"
    [[ -f $wheels/SHA256SUMS || ! -f $wheels/wheels/SHA256SUMS ]] || wheels=$wheels/wheels
    checkout=''
  elif [[ ! $checkout ]]; then
    wheels=$here/wheels
  fi
  [[ -f $systemd/edge-agent.service ]] ||
    fail 20 "$systemd holds no edge-agent.service; unpack the whole release archive"
  [[ $checkout ]] || check_wheels
}

check_wheels() {
  [[ -f $wheels/SHA256SUMS ]] ||
    fail 20 "$wheels holds no wheels (no SHA256SUMS); unpack the whole release archive, or name \
another folder: --offline DIR"
  (cd "$wheels" && sha256sum --check --strict --quiet SHA256SUMS >/dev/null 2>&1) ||
    fail 21 "the wheels in $wheels are not as they were made (SHA256SUMS); copy or download them again"
}

# Sets $version, the newest there is or the wanted one, and $own_wheel.
choose_version() {
  if [[ $checkout ]]; then
    own_wheel='' version=$(about_us | sed -n 's/^__version__ = "\(.*\)"/\1/p')
    [[ ! $wanted_version || $wanted_version == "$version" ]] ||
      fail 22 "this is edge-agent $version, not $wanted_version; $(kept_words)"
  else
    own_wheel=$(find "$wheels" -name "edge_agent-${wanted_version:-*}-py3-none-any.whl" | sort -V | tail -n 1)
    [[ $own_wheel ]] || fail 22 "$wheels holds no edge-agent $wanted_version; $(kept_words)"
    version=${own_wheel##*/edge_agent-} version=${version%%-*}
  fi
}

kept_words() {
  local kept
  kept=$(find "$opt/releases" -mindepth 2 -maxdepth 2 -name complete -printf '%h\n' 2>/dev/null) || true
  printf 'installed before: %s' "$(sed 's|.*/||; s|-py.*||' <<<"${kept:-none}" | sort -u | paste -s -d ' ')"
}

# Our own __init__.py.
about_us() {
  local read='import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).read("edge_agent/__init__.py").decode())'
  if [[ $checkout ]]; then
    cat "$checkout/edge_agent/__init__.py"
  else
    "$python" -c "$read" "$own_wheel"
  fi
}

make_wheels() {
  wheels=$work/wheels
  say 'making the wheels of this checkout'
  EDGE_AGENT_CACHE=$work PYTHON=$python "$checkout/scripts/build-release" --wheels "$wheels" ||
    fail 23 'the wheels could not be made; the reason stands above. Without a network take a release archive'
  own_wheel=$(find "$wheels" -name 'edge_agent-*.whl')
}

# The folder is named for the version and Python's; another build of the same version gets a number.
name_release() {
  local number=2
  content=$(cat "$wheels/SHA256SUMS" "$systemd"/* "${BASH_SOURCE[0]%/*}"/*.sh "$here/install.sh" | sha256sum)
  release=$opt/releases/$version-$tag
  while [[ -f $release/complete && $(<"$release/complete") != "$content" ]]; do
    release=$opt/releases/$version-$tag-$((number++))
  done
}

# shellcheck disable=SC2317 # called through change
build_release() {
  local pip share=$release/share/edge-agent
  say "building edge-agent $version in $release"
  pip=$(find "$wheels" -name 'pip-*.whl')
  rm -rf "$release"
  mkdir -p "$opt/releases"
  built=$release
  "$python" -m venv --without-pip "$release"
  TMPDIR=$work "$release/bin/python3" "$pip/pip" install --quiet --no-index --find-links "$wheels" --no-cache-dir \
    --only-binary :all: --no-compile --disable-pip-version-check --root-user-action ignore "edge-agent==$version" ||
    fail 23 "the release could not be built from $wheels; the reason stands above. Archives hold wheels for Python \
3.11 and 3.13, as Debian 12 and 13 have them; this is $("$python" --version)"
  # The agent may not write here: without this, each start would compile everything, in half as much memory again.
  # Nobody edits it either: no start need look whether the sources are still the same.
  "$release/bin/python3" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$release/lib"
  mkdir -p "$share"
  cp -R "$systemd" "$share/systemd"
  cp -R "$here/install.sh" "$here/install" "$share"
  sync -f "$release"
  printf '%s\n' "$content" >"$release/complete" # written last: without it the folder does not count
}
