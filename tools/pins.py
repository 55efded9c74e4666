"""Keep every place that names a version in step with constraints.txt.

    python tools/pins.py            rewrite requirements.txt, pyproject.toml and the README's front matter
    python tools/pins.py --check    fail if one of them is out of step
    python tools/pins.py --freeze   first pin what is installed in this environment

"""
import argparse
import re
import shlex
from importlib.metadata import distributions
from pathlib import Path

from nbdev.config import get_config

ROOT = Path(__file__).parents[1]
HEAD = '# Every version that setup.sh, CI and the Space install. Written by tools/pins.py --freeze.\n'
NOT_OURS = ('mnist_nbdev', 'pip', 'setuptools', 'wheel', 'uv')


def freeze():
    "What is installed here, without local build tags (torch's +cpu) and without addresses."
    versions = {d.metadata['Name']: d.version.partition('+')[0] for d in distributions()}
    pins = [f'{name}=={version}\n' for name, version in sorted(versions.items(), key=lambda pin: pin[0].lower()) if name not in NOT_OURS]
    return HEAD + ''.join(pins)


def name_of(requirement): return re.match(r'[\w.-]+', requirement)[0].lower().replace('_', '-')


def replaced(path, pattern, new):
    "A file's text with the one match of a pattern replaced."
    text, n = re.subn(pattern, lambda _: new, (ROOT/path).read_text('utf-8'), flags=re.S | re.M)
    if n != 1: raise SystemExit(f'{path} has {n} places like {pattern}, not 1')
    return text


def derived(pins):
    "Each file that repeats a pin → its text as it should be."
    pinned = {name_of(pin): pin for pin in pins}
    runtime = [pinned[name_of(requirement)] for requirement in shlex.split(get_config().requirements)]
    note = '# For the Hugging Face Space, which installs this before it has the repository, and brings gradio itself. Written by tools/pins.py.\n'
    return {
        'requirements.txt': note + '\n'.join(runtime) + '\n',
        'pyproject.toml': replaced('pyproject.toml', r'^constraint-dependencies = \[.*?^\]', 'constraint-dependencies = [\n' + ''.join(f'    "{pin}",\n' for pin in pins) + ']'),
        'README.md': replaced('README.md', r'^sdk_version: .*?$', f'sdk_version: {pinned["gradio"].partition("==")[2]}'),
    }


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--freeze', action='store_true', help='write constraints.txt from this environment first')
    parser.add_argument('--check', action='store_true', help='change nothing; fail if something would change')
    args = parser.parse_args()
    if args.freeze: (ROOT/'constraints.txt').write_text(freeze(), 'utf-8')
    pins = [line for line in (ROOT/'constraints.txt').read_text('utf-8').splitlines() if line and not line.startswith('#')]
    stale = [path for path, text in derived(pins).items() if (ROOT/path).read_text('utf-8') != text]
    if args.check and stale: raise SystemExit(f'out of step with constraints.txt: {", ".join(stale)}; run python tools/pins.py')
    for path in stale: (ROOT/path).write_text(derived(pins)[path], 'utf-8')
