#!/bin/sh
# SPDX-License-Identifier: MIT
# Boots a kernel under an emulator with dma events traced from the start, and lints what it did.
#
#   boot-and-lint.sh BZIMAGE INITRAMFS [DEVICE…]
#
# The init of INITRAMFS runs the workload, then writes /sys/kernel/tracing/trace to /dev/ttyS1 and
# turns the machine off. DEVICE are words for the emulator: -device nvme,drive=d0,serial=1 …
# QEMU names the emulator, DMATOP the program, LINT has further options for lint.
set -eu
kernel=${1:?a kernel image}
initramfs=${2:?an initramfs}
shift 2
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

timeout "${TIMEOUT:-300}" "${QEMU:-qemu-system-x86_64}" \
  -m 512 -smp 2 -nographic -no-reboot -monitor none \
  -kernel "$kernel" -initrd "$initramfs" \
  -append "console=ttyS0 panic=-1 trace_event=dma:* trace_buf_size=64M ${APPEND:-}" \
  -serial "file:$directory/console.txt" -serial "file:$directory/trace.txt" "$@" ||
  echo "boot-and-lint: the emulator ended with status $?" >&2

if [ ! -s "$directory/trace.txt" ]; then
  echo "boot-and-lint: the machine wrote no trace; its console said last:" >&2
  tail -5 "$directory/console.txt" >&2 || true
  exit 2
fi
# The trace begins at boot: what was never mapped in it was never mapped.
# shellcheck disable=SC2086
"${DMATOP:-dmatop}" lint --complete --stdin-name "$(basename "$kernel")" ${LINT:-} - <"$directory/trace.txt"
