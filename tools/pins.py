"""Keep every place that names a version in step with constraints.txt, settings.ini.

    python tools/pins.py            rewrite the files that repeat one
    python tools/pins.py --check    fail if one of them is out of step
    python tools/pins.py --freeze   first pin what is installed in this environment
"""
import re
import shlex
from importlib.metadata import distributions
from pathlib import Path

from made import parser, replaced, write
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


def derived(pins):
    "Each file that repeats a pin or a setting, and its text as it should be."
    pinned = {name_of(pin): pin for pin in pins}
    cfg = get_config()
    runtime = [pinned[name_of(word)] for word in shlex.split(cfg.requirements)]
    yield ROOT/'requirements.txt', NOTE + '\n'.join(runtime) + '\n'
    listed = ''.join(f'    "{pin}",\n' for pin in pins)
    above = f'3.{int(cfg.max_python.removeprefix("3.")) + 1}'
    path = ROOT/'pyproject.toml'
    text = replaced(path, r'^(constraint-\w+ =) \[[^]]*\]', rf'\1 [\n{listed}]')
    python = f'">={cfg.min_python},<{above}"'
    yield path, replaced(path, '^(requires-python =) .*', rf'\1 {python}', text)
    gradio = pinned['gradio'].partition('==')[2]
    for path, key, value in ((ROOT/'README.md', 'sdk_version', gradio),
                             (ROOT/'CITATION.cff', 'version', cfg.version)):
        yield path, replaced(path, f'^{key}: .*', f'{key}: {value}')


if __name__ == '__main__':
    usage = parser(__doc__)
    usage.add_argument('--freeze', action='store_true', help='pin what is installed')
    usage.add_argument('--check', action='store_true', help='compare only')
    args = usage.parse_args()
    constraints = ROOT/'constraints.txt'
    if args.freeze: constraints.write_text(freeze(), 'utf-8')
    lines = constraints.read_text('utf-8').splitlines()
    texts = derived([line for line in lines if not line.startswith('#')])
    write(((path, text.encode()) for path, text in texts), args.check)
