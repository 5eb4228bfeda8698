#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# The first program of a kernel that `lkm kernel install` laid out; docs/install.md says what it does.
/bin/busybox mkdir -p /proc /sys /dev /run /root /bin /sbin /etc
/bin/busybox --install -s /bin
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null || mdev -s

# To the kernel log, as an error where it is one: those are shown on a quiet console, too.
say() { echo "<6>lkm: $*" >/dev/kmsg 2>/dev/null; }
fail() { echo "<3>lkm: $*" >/dev/kmsg 2>/dev/null || echo "lkm: $*"; }

root= type= flags= init= mode=ro delay=10
for word in $(cat /proc/cmdline); do
	case $word in
	root=*) root=${word#root=} ;;
	rootfstype=*) type=${word#rootfstype=} ;;
	rootflags=*) flags=${word#rootflags=} ;;
	rootdelay=*) delay=${word#rootdelay=} ;;
	init=*) init=${word#init=} ;;
	ro | rw) mode=$word ;;
	esac
done

# What was asked for by name, then what the devices that are there ask for.
while read -r name; do
	modprobe -q "$name" && say "loaded $name" || fail "$name cannot be loaded"
done </etc/lkm-modules
load_drivers() {
	[ -d /lib/modules ] || return 0
	find /sys/devices -name modalias | while read -r file; do cat "$file"; done 2>/dev/null |
		sort -u | while read -r alias; do modprobe -q -b "$alias"; done
}
load_drivers
cut -d' ' -f1 /proc/modules >/etc/lkm-loaded 2>/dev/null || : >/etc/lkm-loaded

rescue() {
	fail "$*: a shell; leave it to try again"
	setsid sh -c 'exec sh </dev/console >/dev/console 2>&1' || sh
}

# Without a root device this is all there is.
if [ -z "$root" ]; then
	[ -n "$init" ] || { rescue "no root= on the command line"; init=/bin/sh; }
	exec "$init"
fi

find_device() {
	case $root in
	UUID=* | LABEL=*) findfs "$root" 2>/dev/null ;;
	PARTUUID=*)
		for about in /sys/class/block/*/uevent; do
			grep -qi "^PARTUUID=${root#PARTUUID=}\$" "$about" 2>/dev/null || continue
			about=${about%/uevent}
			echo "/dev/${about##*/}"
		done
		;;
	/dev/*) [ -b "$root" ] && echo "$root" ;;
	*) echo "$root" ;; # a tag of virtiofs or 9p
	esac
}

# mount itself tries what /proc/filesystems has, which modules that are not loaded are not in.
mount_root() {
	if [ -n "$type" ]; then
		modprobe -q "fs-$type" || modprobe -q "$type"
	elif mount -o "$mode${flags:+,$flags}" "$device" /root 2>/dev/null; then
		return 0
	fi
	for one in ${type:-ext4 xfs btrfs f2fs erofs squashfs isofs vfat}; do
		[ -n "$type" ] || modprobe -q "$one" || continue
		mount -o "$mode${flags:+,$flags}" -t "$one" "$device" /root && return 0
	done
	return 1
}

while :; do
	tries=$((delay * 5)) device=
	while [ -z "$device" ] && [ $tries -ge 0 ]; do
		device=$(find_device)
		[ -n "$device" ] && break
		load_drivers # a disk comes after its controller
		sleep 0.2 2>/dev/null || sleep 1
		tries=$((tries - 1))
	done
	if [ -n "$device" ]; then
		mount_root && break
		rescue "$root cannot be mounted"
	else
		rescue "$root is not there"
	fi
done

for place in proc sys dev; do
	mount -o move "/$place" "/root/$place" || umount -l "/$place"
done
exec switch_root /root "${init:-/sbin/init}"
