#!/usr/bin/env bash
# A system of its own over this one's files: whatever is written there is gone with it. Runs in new namespaces, as their first process.
#   boot-system.sh FOLDER systemd|none PATH...      PATH: further directories that the system can read
set -euo pipefail
folder=$1 init=$2
shift 2

mount --make-rprivate /
mount -t tmpfs tmpfs "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
root=$folder/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$root"
for path in "$@"; do
  mkdir -p "$root$path"
  mount --bind "$path" "$root$path"
  mount -o remount,bind,ro "$root$path"
done

mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm"
mount -t tmpfs tmpfs "$root/dev/shm"
ip link set lo up

# The files of the machine itself are out of reach from here on.
enter() {
  cd "$root"
  mkdir -p run/outside
  pivot_root . run/outside
  umount -l /run/outside
  cd /
}

if [ "$init" = none ]; then
  enter
  exec sleep infinity
fi

# Control groups as this machine has them, one hierarchy or many.
groups=$root/sys/fs/cgroup
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
  mount -t cgroup2 cgroup2 "$groups"
else
  mount -t tmpfs tmpfs "$groups"
  mkdir "$groups/systemd"
  mount -t cgroup -o none,name=systemd cgroup "$groups/systemd"
  for controller in cpu memory devices pids; do
    mkdir "$groups/$controller"
    mount -t cgroup -o "$controller" cgroup "$groups/$controller" || rmdir "$groups/$controller"
  done
fi

# Only the service under test is started: nothing that belongs to the machine.
units=$root/etc/systemd/system
mkdir -p "$units"
printf '[Unit]\nDescription=Nothing\n' >"$units/test.target"
for wants in sysinit sockets timers local-fs; do
  for unit in "$root/lib/systemd/system/$wants.target.wants"/*; do ln -sf /dev/null "$units/${unit##*/}"; done
done
for unit in systemd-journald.socket systemd-journald-dev-log.socket tmp.mount dev-hugepages.mount dev-mqueue.mount; do
  ln -sf /dev/null "$units/$unit"
done
enter
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=test.target --log-target=console --show-status=no
