"""Write how long each chapter takes: at its head, and in the list of nbs/index.ipynb.

    python tools/minutes.py [--check]

The rule stands in index.ipynb, in the cell that defines `minutes`.
"""
import argparse
import json
import re
from pathlib import Path

NBS = Path(__file__).resolve().parents[1]/'nbs'
INDEX = NBS/'index.ipynb'
HEAD = r'^(\*Chapter \d\d[^:]*:) .*? (You will be able to )'
LISTED = r'(\((\d\d_\w+\.ipynb)\)), \d+ minutes:'


def rule():
    "The function of index.ipynb that counts minutes."
    cells = (''.join(cell['source']) for cell in load(INDEX)['cells'])
    names = {}
    exec(next(source for source in cells if '\ndef minutes(' in source), names)
    return names['minutes']


def load(path): return json.loads(path.read_text('utf-8'))


def rewrite(path, pattern, new):
    "The text of a notebook with `new` for each match in its text cells."
    nb = load(path)
    for cell in nb['cells']:
        if cell['cell_type'] == 'markdown':
            text = re.sub(pattern, new, ''.join(cell['source']))
            cell['source'] = text.splitlines(keepends=True)
    return json.dumps(nb, indent=1, ensure_ascii=False) + '\n'


def fresh():
    "Each notebook, with its text as it should be."
    minutes = rule()
    for path in sorted(NBS.glob('[0-9]*.ipynb')):
        read, exercises = minutes(path)
        time = f'{read} minutes to read'
        if exercises: time += f', {exercises} for the exercises'
        yield path, rewrite(path, HEAD, rf'\1 {time}. \2')
    yield INDEX, rewrite(
        INDEX, LISTED, lambda m: f'{m[1]}, {minutes(NBS/m[2])[0]} minutes:')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true', help='fail if out of date')
    args = parser.parse_args()
    for path, text in fresh():
        if text == path.read_text('utf-8'): continue
        if args.check:
            raise SystemExit(f'{path.name}: run python tools/minutes.py')
        path.write_text(text, 'utf-8')
