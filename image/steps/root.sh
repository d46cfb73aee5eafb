# The image's root while it is made: /build/root. Part of the steps that work on it.
# shellcheck shell=bash

root=/build/root

unpack() {
  rm -rf "$root"
  mkdir -p "$root"
  tar --extract --file "$1" --directory "$root" --numeric-owner --xattrs --xattrs-include='*'
}

# pack TAR: with names sorted and no time after the build's, so that the same files give the same bytes.
pack() {
  tar --create --file "$1.new" --directory "$root" --sort=name --numeric-owner --xattrs --xattrs-include='*' \
    --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime \
    --mtime="@$SOURCE_DATE_EPOCH" --clamp-mtime .
  mv "$1.new" "$1"
}

# lay_over PATH: this folder of overlay/, its files readable for everybody and root's.
lay_over() {
  mkdir -p "$root/$1"
  tar --create --directory "/source/image/overlay/$1" --exclude=__pycache__ --owner=0 --group=0 --mode='u=rwX,go=rX' . |
    tar --extract --directory "$root/$1" --no-overwrite-dir
}

# run_inside COMMAND...: in the image's root. The network's names are found as in the builder.
run_inside() (
  trap 'umount --recursive "$root/run" "$root/dev" "$root/sys" "$root/proc"' EXIT
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  mount --make-rslave "$root/sys" && mount --make-rslave "$root/dev"
  mkdir -p "$root/run/lock" "$root/run/systemd/resolve"
  if [[ -L $root/etc/resolv.conf ]]; then
    cp /etc/resolv.conf "$root/run/systemd/resolve/stub-resolv.conf"
  else
    cp /etc/resolv.conf "$root/etc/resolv.conf"
  fi
  chroot "$root" "$@"
)
