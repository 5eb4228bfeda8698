#!/bin/sh
# SPDX-License-Identifier: MIT
# Writes what `lkm doctor --hardware --from FILE` reads: sh record.sh > FILE, on the machine it is about.
# Reads only; any user may run it, and any shell, busybox's too. What needs root is left out.
# A line each: "F path" and the file's lines after "|", "X path" and its bytes in hex, "L path target",
# "U path" for what this user may not read.
text() {
    for path; do
        [ -f "$path" ] || continue
        if [ -r "$path" ]; then echo "F $path"; sed 's/^/|/' "$path" 2>/dev/null; echo; else echo "U $path"; fi
    done
}
bytes() {
    for path; do
        [ -f "$path" ] || continue
        if [ -r "$path" ]; then echo "X $path"; od -An -v -tx1 "$path" | sed 's/^/|/'; else echo "U $path"; fi
    done
}
links() {
    for path; do
        [ -L "$path" ] && echo "L $path $(readlink "$path")"
    done
}
echo "lkm hardware 1"
text /proc/cpuinfo /proc/meminfo /proc/modules /proc/swaps /proc/self/mountinfo
text /proc/version /proc/sys/kernel/osrelease /proc/sys/kernel/arch /sys/kernel/security/lockdown /sys/hypervisor/type
text /sys/class/dmi/id/[a-z]*_[a-z]* /sys/firmware/efi/fw_platform_size /sys/firmware/acpi/pm_profile
text /sys/kernel/mm/transparent_hugepage/enabled /sys/devices/system/cpu/online /sys/devices/system/cpu/possible
text /sys/devices/system/cpu/cpu[0-9]*/topology/physical_package_id /sys/devices/system/cpu/cpu[0-9]*/topology/core_id
text /sys/devices/system/cpu/cpu[0-9]*/topology/thread_siblings_list
text /sys/devices/system/cpu/cpu0/cache/index*/[lst]*[lpe] /sys/devices/system/cpu/cpu0/cache/index*/shared_cpu_list
text /sys/devices/system/cpu/vulnerabilities/* /sys/devices/system/cpu/smt/control /sys/devices/system/node/node*/meminfo
text /sys/module/*/initstate
bytes /sys/firmware/efi/efivars/SecureBoot-* /sys/firmware/devicetree/base/model /sys/firmware/devicetree/base/compatible
for bus in /sys/bus/*; do
    case ${bus##*/} in memory | cpu | node | clock* | event_source | workqueue | memory_tiering) continue ;; esac
    links "$bus"/devices/* "$bus"/drivers/*/module
done
links /sys/class/dmi/id /sys/block/* /sys/block/*/slaves/*
links /sys/class/net/* /sys/class/input/* /sys/class/drm/* /sys/class/graphics/* /sys/class/sound/* /sys/class/tpm/*
links /sys/class/rtc/* /sys/class/watchdog/* /sys/class/nvme/* /sys/class/block/*
cd /sys/devices || exit
skip="-path ./system -o -path ./virtual/tty -o -path ./virtual/bdi -o -name loop[0-9]* -o -name ram[0-9]*"
# shellcheck disable=SC2086  # words for find
find . \( $skip \) -prune -o -type f \( \
    -name modalias -o -name vendor -o -name device -o -name class -o -name revision -o -name product \
    -o -name manufacturer -o -name idVendor -o -name idProduct -o -name bDeviceClass -o -name bInterfaceClass \
    -o -name model -o -name size -o -name ro -o -name removable -o -name rotational -o -name dev \
    -o -name partition -o -name address -o -name operstate -o -name name -o -name path -o -name id -o -name speed \
    \) -print | while read -r path; do text "/sys/devices/${path#./}"; done
# shellcheck disable=SC2086
find . \( $skip \) -prune -o -type l \( -name driver -o -name subsystem -o -name device -o -name physical_node \) -print |
    while read -r path; do links "/sys/devices/${path#./}"; done
