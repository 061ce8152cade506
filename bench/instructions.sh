#!/usr/bin/env bash
# bench/instructions.sh BUILD MEASURED: counts the instructions of small fixed runs with callgrind,
# compares them with bench/instructions.txt and fails when a run takes 3 % more. Unlike times, these
# figures hardly differ between two runs. Writes what it counted to the file MEASURED, in the form
# of instructions.txt.
set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
build=$1
measured=$2
allowed=3 # percent
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The figures are those of one compiler and one kind of processor.
this=$("${CXX:-g++}" -dumpfullversion -dumpversion | cut -d . -f 1)-$(uname -m)
theirs=$(sed -n 's/^# g++ //p' "$here/instructions.txt")

# count NAME COMMAND...: appends `NAME INSTRUCTIONS` to the file MEASURED.
count() {
    local name=$1
    shift
    if ! XDG_RUNTIME_DIR=$work valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        --fair-sched=yes --child-silent-after-fork=yes --log-file="$work/log" \
        "$@" >"$work/out" 2>&1; then
        echo "instructions: '$name' failed: $*" >&2
        cat "$work/out" "$work/log" >&2
        return 1
    fi
    printf '%-12s %s\n' "$name" "$(sed -n 's/.*Collected : //p' "$work/log")" | tee -a "$measured"
}

# A log of 20,000 lines in the form of dpkg's.
seq 20000 | awk '{
    split("status configure install upgrade", action)
    printf "2026-01-01 00:%02d:%02d %s package-%d amd64 1.0-%d\n",
        $1 / 60 % 60, $1 % 60, action[$1 % 4 + 1], $1 % 97, $1
}' >"$work/log.txt"

echo "# g++ $this" >"$measured"
for cell in st:500000 pl:200000 ring.1k:400000; do
    count "${cell%:*}" "$build/bin/skep_bench" --measure "${cell%:*}:skep:pool_of_one:${cell#*:}"
done
LOG=$work/log.txt count quickstart \
    "$build/bin/skep" run "$here/../configs/quickstart.toml" --control none --log-level error

if [[ $this != "$theirs" ]]; then
    echo "not compared: the committed figures are of g++ $theirs, and this is g++ $this"
    exit 0
fi
awk -v allowed="$allowed" '
    /^#/ { next }
    NR == FNR { committed[$1] = $2; next }
    !($1 in committed) {
        print "error: no figure is committed for " $1
        failed = failed " " $1
        next
    }
    {
        change = ($2 / committed[$1] - 1) * 100
        printf "%-12s committed %12d  measured %12d  %+.2f %%\n", $1, committed[$1], $2, change
        if ($2 * 100 > committed[$1] * (100 + allowed)) { failed = failed " " $1 }
        if ($2 * 100 < committed[$1] * (100 - allowed)) { better = better " " $1 }
    }
    END {
        if (better) { print "fewer than committed:" better }
        if (failed) { print "error: more than " allowed " % over the committed figures:" failed }
        exit failed != ""
    }' "$here/instructions.txt" "$measured" || status=$?
if [[ ${status:-0} != 0 ]]; then
    echo "If that is the price of something worth it, say so in the commit and update the figures:"
    echo "  cp $measured $here/instructions.txt"
    exit 1
fi
