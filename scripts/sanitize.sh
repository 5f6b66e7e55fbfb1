#!/usr/bin/env bash
# Runs the core's tests under a sanitizer: sanitize.sh address | thread | realtime
#
# address   memory errors and leaks, in every crate without a C++ runtime of its own
# thread    data races between the engine's threads
# realtime  the pacer's tick allocates nothing, locks nothing and makes no call that can wait
#
# Works with a nightly toolchain, and with a stable one by RUSTC_BOOTSTRAP.
set -eu
cd "$(dirname "$0")/.."
kind=${1:-}
host=$(rustc -vV | sed -n 's/^host: //p')
rustc --version | grep -q nightly || export RUSTC_BOOTSTRAP=1
# Objects of their own: nothing that was built without the sanitizer may be linked in.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target/sanitize-$kind}
# The standard library in the toolchain is not built with the sanitizer; with its sources it could be.
std=()
[ -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ] && std=(-Zbuild-std)

run() {
  cargo test --target "$host" ${std[@]+"${std[@]}"} "$@"
}

case "$kind" in
  address)
    export RUSTFLAGS="-Zsanitizer=address -Cunsafe-allow-abi-mismatch=sanitizer"
    export ASAN_OPTIONS="detect_stack_use_after_return=1:strict_string_checks=1"
    run -p cadenza-proto -p cadenza-dave -p cadenza-audio --lib --tests
    run -p cadenza-engine --lib --test pacer --test loopback --test feed_files
    ;;
  thread)
    export RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer"
    # Without sources of the standard library its own synchronisation is not seen: only reports from our code count.
    export TSAN_OPTIONS="halt_on_error=1:suppressions=$PWD/scripts/tsan-suppressions.txt"
    run -p cadenza-engine --lib --test pacer --test loopback --test feed_files --test feed_isolation
    ;;
  realtime)
    export RUSTFLAGS="-Zsanitizer=realtime -Cunsafe-allow-abi-mismatch=sanitizer --cfg cadenza_rtsan"
    run -p cadenza-engine --test no_alloc --test pacer
    ;;
  *)
    echo "usage: scripts/sanitize.sh address | thread | realtime" >&2
    exit 2
    ;;
esac
