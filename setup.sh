#!/usr/bin/env bash
# Set up .venv with the pinned versions, then run a command in it:
#
#   ./setup.sh python app.py      launch the demo
#   ./setup.sh nbdev_test         run every notebook as a test
#   source setup.sh               leave the environment active in this shell
#
# It takes a Python of the range that settings.ini states (min_python to max_python). It does
# nothing when .venv is up to date, and may be interrupted and run again.

_mnist_say() { echo "setup.sh: $*" >&2; }

_mnist_python() {  # the first Python in the range
    local python oldest newest
    oldest=$(sed -n 's/^min_python = 3\.//p' settings.ini)
    newest=$(sed -n 's/^max_python = 3\.//p' settings.ini)
    for python in "${PYTHON:-python3}" $(seq -f python3.%g "$newest" -1 "$oldest") python; do
        "$python" -c "import sys; sys.exit(not (3, $oldest) <= sys.version_info[:2] <= (3, $newest))" 2>/dev/null &&
            { echo "$python"; return; }
    done
    _mnist_say "No Python 3.$oldest to 3.$newest was found. Install one, or name it: PYTHON=/path/to/python3 ./setup.sh"
    return 1
}

_mnist_packages() {  # with uv, which takes a fifth of the time, or with pip where uv cannot
    local what=(-c constraints.txt -e '.[app,cluster,fastai,dev]') pip=(.venv/bin/python -m pip --disable-pip-version-check)
    command -v uv >/dev/null || "${pip[@]}" install --quiet uv
    [ -z "${PIP_FIND_LINKS:-}" ] || export UV_FIND_LINKS="${UV_FIND_LINKS:-$PIP_FIND_LINKS}"
    PATH="$PATH:$PWD/.venv/bin" uv pip install $1 --python .venv/bin/python "${what[@]}" && return
    .venv/bin/python -m ensurepip >/dev/null 2>&1  # an environment that uv made has no pip
    _mnist_say "uv could not; pip tries."
    "${pip[@]}" install $1 "${what[@]}"
}

_mnist_install() {  # in a subshell, in the project's folder
    local python machine wanted clear=--clear quiet=--quiet
    python=$(_mnist_python) || return 1
    machine="$PWD $("$python" -VV)"
    wanted=$(cat settings.ini setup.py pyproject.toml constraints.txt | cksum)
    if [ -x .venv/bin/python ] && [ "$(head -n 1 .venv/setup-stamp 2>/dev/null)" = "$machine" ]; then
        [ "$(tail -n 1 .venv/setup-stamp)" = "$wanted" ] && return 0
        clear=  # finished once on this machine: bring it up to date
    fi

    rm -f .venv/setup-stamp  # its absence says "unfinished"
    [ -t 2 ] && quiet=
    _mnist_say "Setting up .venv with $("$python" -V). The first time takes a few minutes."
    if { command -v uv >/dev/null && uv venv --quiet ${clear:---allow-existing} --python "$python" .venv; } ||
        "$python" -m venv $clear .venv
    then _mnist_packages $quiet
    else false
    fi || { _mnist_say "The installation failed; the lines above say why. Mend that and run setup.sh again."; return 1; }
    printf '%s\n%s\n' "$machine" "$wanted" > .venv/setup-stamp
    _mnist_say "Ready."
}

_mnist_here=$(CDPATH= cd -- "$(dirname -- "${BASH_SOURCE[0]:-$0}")" && pwd)
if [ "${BASH_SOURCE[0]:-$0}" = "$0" ] && [ -z "${ZSH_EVAL_CONTEXT:-}" ]; then  # executed
    (cd "$_mnist_here" && _mnist_install) || exit 1
    export PATH="$_mnist_here/.venv/bin:$PATH" VIRTUAL_ENV="$_mnist_here/.venv"
    # these two run as many processes as there are cores, and one thread is enough for each
    case ${1:-} in nbdev_test | pytest) export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" ;; esac
    exec "${@:-true}"
else  # sourced
    (cd "$_mnist_here" && _mnist_install) && . "$_mnist_here/.venv/bin/activate"
fi
