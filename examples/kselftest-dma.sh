#!/bin/sh
# SPDX-License-Identifier: MIT
# A kselftest, or a LAVA test, of a driver: traces what a command does and prints KTAP.
#
#   kselftest-dma.sh COMMAND…            trace the command on this machine (as root)
#   kselftest-dma.sh --trace FILE        judge a trace that is there
#
# DMATOP names the program, TRACEFS the tracer's directory.
set -u
dmatop=${DMATOP:-dmatop}
tracefs=${TRACEFS:-/sys/kernel/tracing}

if [ "${1:-}" = --trace ]; then
  trace=${2:?--trace wants a file}
else
  [ $# -gt 0 ] || { echo "Bail out! no command"; exit 2; }
  if [ ! -w "$tracefs/events/dma/enable" ]; then
    printf 'KTAP version 1\n1..1\nok 1 dma # SKIP no dma events in %s\n' "$tracefs"
    exit 4
  fi
  trace=$(mktemp)
  trap 'echo 0 >"$tracefs/events/dma/enable"; rm -f "$trace"' EXIT
  echo >"$tracefs/trace"
  echo 1 >"$tracefs/events/dma/enable"
  "$@" >&2
  echo 0 >"$tracefs/events/dma/enable"
  cp "$tracefs/trace" "$trace"
fi
"$dmatop" lint -q --format ktap --ignore TRC "$trace"
