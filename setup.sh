#!/usr/bin/env bash
# Set up .venv with the pinned versions, then run a command in it:
#
#   ./setup.sh python app.py      launch the demo
#   ./setup.sh nbdev_test         run every notebook as a test
#   source setup.sh               leave the environment active in this shell
#
# It needs Python 3.11 or newer, and uses uv where uv is installed. It does nothing when .venv is up to date,
# and may be interrupted and run again.

_mnist_say() { echo "setup.sh: $*" >&2; }

_mnist_python() {  # the first Python that is new enough
    local python
    for python in "${PYTHON:-python3}" python3.13 python3.12 python3.11 python; do
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$python"; return; }
    done
    _mnist_say "No Python 3.11 or newer was found. Install one, or name it: PYTHON=/path/to/python3 ./setup.sh"
    return 1
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
    if command -v uv >/dev/null; then
        _mnist_say "Setting up .venv with uv and $("$python" -V). The first time takes a few minutes."
        [ -z "${PIP_FIND_LINKS:-}" ] || export UV_FIND_LINKS="${UV_FIND_LINKS:-$PIP_FIND_LINKS}"
        uv venv --quiet ${clear:---allow-existing} --python "$python" .venv &&
            uv pip install $quiet --python .venv/bin/python --constraints constraints.txt --editable '.[app,fastai,dev]'
    else
        _mnist_say "Setting up .venv with pip and $("$python" -V). The first time takes a few minutes."
        "$python" -m venv $clear .venv &&
            .venv/bin/python -m pip install $quiet --disable-pip-version-check --constraint constraints.txt --editable '.[app,fastai,dev]'
    fi || { _mnist_say "The installation failed; the lines above say why. Mend that and run setup.sh again."; return 1; }
    [ ! -e .git ] || git config --local include.path ../.gitconfig || true  # merges of notebooks by nbdev
    printf '%s\n%s\n' "$machine" "$wanted" > .venv/setup-stamp
    _mnist_say "Ready."
}

_mnist_here=$(CDPATH= cd -- "$(dirname -- "${BASH_SOURCE[0]:-$0}")" && pwd)
if [ "${BASH_SOURCE[0]:-$0}" = "$0" ] && [ -z "${ZSH_EVAL_CONTEXT:-}" ]; then  # executed
    (cd "$_mnist_here" && _mnist_install) || exit 1
    export PATH="$_mnist_here/.venv/bin:$PATH" VIRTUAL_ENV="$_mnist_here/.venv"
    exec "${@:-true}"
else  # sourced
    (cd "$_mnist_here" && _mnist_install) && . "$_mnist_here/.venv/bin/activate"
fi
