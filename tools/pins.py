"""Keep every place that names a version in step with constraints.txt, settings.ini.

    python tools/pins.py            rewrite the files that repeat one
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
HEAD = ('# Every version that setup.sh, CI and the Space install. '
        'Written by tools/pins.py --freeze.\n')
NOTE = ('# For the Hugging Face Space, which installs this before it has the '
        'repository, and brings gradio itself. Written by tools/pins.py.\n')
NOT_OURS = ('mnist_nbdev', 'pip', 'setuptools', 'wheel', 'uv')


def freeze():
    "What is installed here, without local build tags (torch's +cpu) or addresses."
    found = list(distributions())
    versions = {d.metadata['Name']: d.version.partition('+')[0] for d in found}
    names = sorted((name for name in versions if name not in NOT_OURS), key=str.lower)
    return HEAD + ''.join(f'{name}=={versions[name]}\n' for name in names)


def name_of(requirement):
    return re.match(r'[\w.-]+', requirement)[0].lower().replace('_', '-')


def replaced(path, pattern, new, text=None):
    "A file's text, or another, with the one match of a pattern replaced."
    text = text or (ROOT/path).read_text('utf-8')
    text, n = re.subn(pattern, lambda _: new, text, flags=re.S | re.M)
    if n != 1: raise SystemExit(f'{path} has {n} places like {pattern}, not 1')
    return text


def derived(pins):
    "Each file that repeats a pin → its text as it should be."
    pinned = {name_of(pin): pin for pin in pins}
    cfg = get_config()
    wanted = shlex.split(cfg.requirements)
    runtime = [pinned[name_of(requirement)] for requirement in wanted]
    listed = ''.join(f'    "{pin}",\n' for pin in pins)
    gradio = pinned['gradio'].partition('==')[2]
    above = f'3.{int(cfg.max_python.removeprefix("3.")) + 1}'
    project = replaced(
        'pyproject.toml', r'^constraint-dependencies = \[.*?^\]',
        f'constraint-dependencies = [\n{listed}]')
    return {
        'requirements.txt': NOTE + '\n'.join(runtime) + '\n',
        'pyproject.toml': replaced(
            'pyproject.toml', r'^requires-python = .*?$',
            f'requires-python = ">={cfg.min_python},<{above}"', project),
        'README.md': replaced(
            'README.md', r'^sdk_version: .*?$', f'sdk_version: {gradio}'),
        'CITATION.cff': replaced(
            'CITATION.cff', r'^version: .*?$', f'version: {cfg.version}'),
    }


if __name__ == '__main__':
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--freeze', action='store_true')
    parser.add_argument('--check', action='store_true')
    args = parser.parse_args()
    if args.freeze: (ROOT/'constraints.txt').write_text(freeze(), 'utf-8')
    lines = (ROOT/'constraints.txt').read_text('utf-8').splitlines()
    texts = derived([line for line in lines if line and not line.startswith('#')])
    stale = [path for path in texts if (ROOT/path).read_text('utf-8') != texts[path]]
    if args.check and stale:
        raise SystemExit(f'{", ".join(stale)}: run python tools/pins.py')
    for path in stale: (ROOT/path).write_text(texts[path], 'utf-8')
