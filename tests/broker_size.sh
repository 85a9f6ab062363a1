#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the broker's size in lines of code (neither blank nor comment alone) and fails above the
# limit: it is the trusted base. usage: broker_size.sh SOURCE_DIR [LIMIT]
#
# Not counted is what puts nothing into the program: the headers of the invariants, which the model
# and the fuzzers check, and the names of the defects that the model seeds.
set -eu
source_dir=$1
limit=${2:-1500}
cd "$source_dir/vmm/broker"
if grep -q 'core/invariants.*\.h"' ./*.cc ./*.h; then
  echo "the program includes the invariants: count them" >&2
  exit 1
fi
total=0
for file in $(find . -name '*.h' -o -name '*.cc' | LC_ALL=C sort); do
  case $file in ./core/invariants*.h | ./core/mutation.h) continue ;; esac
  lines=$(grep -cvE '^[[:space:]]*(//|$)' "$file" || true)
  printf '%6d  %s\n' "$lines" "${file#./}"
  total=$((total + lines))
done
printf '%6d  lines of code in vmm/broker, of at most %d\n' "$total" "$limit"
[ "$total" -le "$limit" ]
