# shellcheck shell=bash
# What the scripts share; sourced by each after `set -euo pipefail`. Messages go to standard error, except for what `say`, `title`,
# `run` and `check` print: that is a script's output.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
script=${0##*/}
# `su` leaves out where Debian keeps ip, and the folder rustup installs to.
PATH=$PATH:/usr/sbin:/sbin:$HOME/.cargo/bin

bold='' green='' red='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' dim=$'\e[2m' plain=$'\e[0m'
fi

# --- words ---------------------------------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*"; }

title() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }

warn() { printf '%s: %s\n' "$script" "$*" >&2; }

# die MESSAGE: ends the script, which cleans up.
die() {
    printf '%s%s: %s%s\n' "$red" "$script" "$*" "$plain" >&2
    exit 1
}

# misuse MESSAGE: the command line is wrong.
misuse() {
    warn "$*; see $script --help"
    exit 2
}

# quoted WORD…: the words as one would type them.
quoted() {
    local word words=()
    for word in "$@"; do
        case $word in
        '' | *[!A-Za-z0-9_./:=,@%+-]*) words+=("'${word//\'/\'\\\'\'}'") ;;
        *) words+=("$word") ;;
        esac
    done
    printf '%s' "${words[*]}"
}

# run CMD…: shows a command and runs it.
run() {
    printf '%s$ %s%s\n' "$dim" "$(quoted "$@")" "$plain"
    "$@"
}

# check WHAT CMD…: what the reader is meant to see must be so, or the script ends.
check() {
    local what=$1
    shift
    if "$@"; then
        printf '%s✓ %s%s\n' "$green" "$what" "$plain"
    else
        die "✗ expected, and not so: $what"
    fi
}

# --- time ----------------------------------------------------------------------------------------------------------------------

# wait_for SECONDS CMD…: runs a command until it succeeds; fails when the time is over.
wait_for() {
    local end=$((SECONDS + $1)) pause=0.05
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep "$pause"
    done
}

# --- cleaning up ---------------------------------------------------------------------------------------------------------------

cleanups=()

# at_end CMD…: runs a command when the script ends, however it ends; the last one first.
at_end() {
    cleanups+=("$(printf '%q ' "$@")")
}

clean_up() {
    local status=$? i
    # Once is enough, and another ctrl-C must not leave half of it.
    trap '' INT TERM HUP
    trap - EXIT
    for ((i = ${#cleanups[@]} - 1; i >= 0; i--)); do
        eval "${cleanups[i]}" || warn "cleaning up: '${cleanups[i]}' failed"
    done
    cleanups=()
    exit "$status"
}
trap clean_up EXIT
trap 'warn "line $LINENO: \"$BASH_COMMAND\" failed"' ERR
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# temp_dir: makes a folder that goes when the script ends, as $temp.
temp_dir() {
    temp=$(mktemp -d "${TMPDIR:-/tmp}/vpcd-$script.XXXXXX")
    at_end rm -rf "$temp"
}

# background LOG CMD…: starts a command that ends with the script, even if that is killed; its id is $started.
background() {
    local log=$1
    shift
    setpriv --pdeathsig TERM "$@" >"$log" 2>&1 </dev/null 9>&- &
    started=$!
    at_end end_process "$started"
}

# end_process PID: asks a child to end and waits until it has; after ten seconds it is made to.
end_process() {
    kill -TERM "$1" 2>/dev/null || return 0
    if ! wait_for 10 gone "$1"; then
        kill -KILL "$1" 2>/dev/null || true
    fi
    wait "$1" 2>/dev/null || true
}

# gone PID: whether a process has ended; a child that was not waited for is a zombie.
gone() {
    local stat
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
    [[ ${stat##*) } == Z* ]]
}

# --- what must be there --------------------------------------------------------------------------------------------------------

is_root() { [ "$(id -u)" = 0 ]; }

need_root() {
    is_root || die "needs root, for network namespaces and TUN devices: sudo ${script_path:-scripts/$script}"
}

need_tun() {
    [ -c /dev/net/tun ] || modprobe tun 2>/dev/null || true
    [ -c /dev/net/tun ] || die "there is no /dev/net/tun: load the module with 'modprobe tun', or in a container give it '--device /dev/net/tun'"
}

# need TOOL:PACKAGE[,PACKAGE]…: installs Debian's packages for the tools that are not there, and says so.
need() {
    local item packages=()
    for item in "$@"; do
        command -v "${item%%:*}" >/dev/null || packages+=("${item#*:}")
    done
    [ "${#packages[@]}" -gt 0 ] || return 0
    mapfile -t packages < <(printf '%s\n' "${packages[@]//,/$'\n'}" | sort -u)
    command -v apt-get >/dev/null || die "needs ${packages[*]} (Debian's names), and there is no apt-get here to install them with"
    is_root || die "needs the packages ${packages[*]}: sudo apt-get install ${packages[*]}"
    say "installing ${packages[*]} (apt-get)"
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -qq -y --no-install-recommends)
    # The list of packages of a fresh machine is empty or old.
    if ! "${install[@]}" "${packages[@]}" </dev/null >/dev/null 2>&1; then
        apt-get -o DPkg::Lock::Timeout=120 update -qq </dev/null >/dev/null || warn "apt-get update failed"
        "${install[@]}" "${packages[@]}" </dev/null >/dev/null || die "apt-get could not install ${packages[*]}; its words are above"
    fi
}

# need_rust: cargo and rustc, as new as Cargo.toml says, and a linker.
need_rust() {
    need cc:gcc,libc6-dev
    local wanted found home
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$repo/Cargo.toml")
    if ! command -v cargo >/dev/null && [ -n "${SUDO_USER:-}" ]; then
        home=$(getent passwd "$SUDO_USER" | cut -d: -f6)
        if [ -x "$home/.cargo/bin/cargo" ]; then
            # The toolchain of whoever called sudo; what root builds with it is theirs afterwards.
            export CARGO_HOME=$home/.cargo RUSTUP_HOME=$home/.rustup PATH="$PATH:$home/.cargo/bin"
            at_end chown -R --no-dereference "$SUDO_USER:" "$repo/target" "$CARGO_HOME"
        fi
    fi
    local how="install it with rustup (https://rustup.rs):
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal
or, where there is such a package: apt-get install rustup && rustup default stable"
    command -v cargo >/dev/null || die "needs Rust $wanted or later, and there is no cargo here; $how"
    found=$(rustc --version 2>/dev/null | cut -d' ' -f2) || true
    [ -n "$found" ] || die "needs Rust $wanted or later, and 'rustc --version' fails; $how"
    [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ] ||
        die "needs Rust $wanted or later, and $(command -v rustc) is $found; $how"
}

# build_release: vpcd and vpcctl, on PATH; those in $VPCD_BIN instead, if somebody has built them already.
build_release() {
    if [ -n "${VPCD_BIN:-}" ]; then
        PATH=$VPCD_BIN:$PATH
        return
    fi
    need_rust
    say "building vpcd and vpcctl (cargo build --release)"
    cargo build --locked --release --manifest-path "$repo/Cargo.toml" -p vpcd -p vpcctl
    PATH=$(target_dir)/release:$PATH
}

target_dir() {
    say "${CARGO_TARGET_DIR:-$repo/target}"
}

# --- the daemon ----------------------------------------------------------------------------------------------------------------

# await_daemon PID SOCKET LOG: waits until the network of a vpcd that was just started is in force.
await_daemon() {
    local pid=$1 socket=$2 log=$3
    if ! wait_for 30 ready_or_gone "$pid" "$socket" || gone "$pid"; then
        cat "$log" >&2
        die "vpcd did not start; its words are above"
    fi
}

ready_or_gone() {
    gone "$1" || vpcctl --socket "$2" wait --timeout 1
}
