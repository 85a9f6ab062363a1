#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tests/e2e/initramfs_with.sh INITRAMFS OUT PROGRAM...: INITRAMFS and our own programs, each with its
# libraries and without its symbols. Libraries are where they are on the host, programs below
# /programs: the guest mounts file systems of its own on some places where builds happen. (The kernel
# unpacks archives that follow one another into the same root.)
set -euo pipefail
initramfs=$1 out=$2
shift 2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

for program; do
  install -D "$program" "$root/programs$program"
  strip "$root/programs$program"
  while read -r library; do
    [[ -e $root$library ]] || install -D "$library" "$root$library"
  done < <(ldd "$program" | grep -o '/[^ ]*')
done
(cd "$root" && find . -mindepth 1 | cpio --quiet -o -H newc -R 0:0 | gzip -1) | cat "$initramfs" - >"$out"
