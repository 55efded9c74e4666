"""Run every notebook and fail if a stored output is not what the code gives today.

    python tools/outputs.py [--update] [--slow] [NOTEBOOK ...]

`--update` stores the fresh outputs instead, with pictures in 256 colours: they look the
same, and take a third of the bytes. A cell that says `#| varies` (it prints timings) is
run and not compared. One that says `#| slow` is left out, as nbdev_test does, unless
`--slow` is given; then, too, it is run and not compared.

What the outputs were made from is noted in `outputs.json`. The test of all outputs runs
the notebooks where the note no longer holds.
"""
import base64
import io
import json
import operator
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from hashlib import sha256
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import nbformat
import numpy as np
from execnb.nbio import read_nb, write_nb
from execnb.shell import CaptureShell
from fastcore.xtras import working_directory
from made import parser
from nbdev.clean import clean_nb
from PIL import Image
from tqdm import tqdm

ROOT = Path(__file__).parents[1]
NOTES = ROOT/'tools'/'outputs.json'
MADE_FROM = (  # beside the notebook
    'mnist_nbdev/*.py', 'mnist_nbdev/assets/*', 'nbs/widgets/*',
    'mnist_nbdev/book.mplstyle', 'app.py', 'constraints.txt')


def says(cell, what): return re.search(rf'^#\|\s*{what}\s*$', cell.source, re.M)


def cleaned(nb):
    "A notebook as nbdev_clean leaves it."
    nb = nbformat.reads(json.dumps(nb), 4)  # makes one text of a list of lines
    clean_nb(nb, clean_ids=True)
    return nb


def run(path, slow=False, stop=True):
    "The notebook as nbdev_test runs it, cleaned; where it fails it stops and raises."
    nb = read_nb(path)
    for cell in nb.cells:
        if cell.cell_type == 'code': cell.outputs = []
    shell = CaptureShell(path, mpl_format='png')
    left_out = [cell for cell in nb.cells if says(cell, 'eval: false')
                or says(cell, 'slow') and not slow]
    with working_directory(path.parent):
        shell.run_all(nb, exc_stop=stop, preproc=lambda cell: cell in left_out)
    shell.user_ns.clear()  # gigabytes, where many notebooks run in a process
    for cell in nb.cells:  # pictures stand last, as in Jupyter
        cell.get('outputs', []).sort(key=lambda o: o['output_type'] == 'display_data')
    return cleaned(nb)


def image(png): return Image.open(io.BytesIO(base64.b64decode(png))).convert('RGB')


def shrunk(png):
    "A picture in a palette of 256 colours, if that is smaller."
    buffer = io.BytesIO()
    image(png).quantize(dither=Image.Dither.NONE).save(buffer, 'PNG', optimize=True)
    small = base64.b64encode(buffer.getvalue()).decode() + '\n'
    return small if len(small) < len(png) else png


def same_picture(a, b, block=16):
    "Whether two PNGs look alike in every block, where an edge may be a pixel away."
    a, b = (np.asarray(image(shrunk(png)), float) for png in (a, b))
    if a.shape != b.shape: return False
    moves = product((-1, 0, 1), repeat=2)
    moved = [abs(a - np.roll(b, move, (0, 1))).mean(2) for move in moves]
    difference = np.min(moved, 0)
    rows, cols = (range(0, n, block) for n in difference.shape)
    in_blocks = np.add.reduceat(np.add.reduceat(difference, rows), cols, axis=1)
    return in_blocks.max() < 2*block**2


def same(a, b):
    "Whether two outputs of a cell are the same."
    if a.keys() != b.keys() or a['output_type'] != b['output_type']: return False
    if 'data' not in a:
        return all(a[key] == b[key] for key in ('text', 'evalue') if key in a)
    a, b = a['data'], b['data']
    if a.keys() != b.keys(): return False
    compare = {'image/png': same_picture}
    return all(compare.get(mime, operator.eq)(a[mime], b[mime]) for mime in a)


def stale_cells(stored, fresh):
    "The numbers of the cells whose stored outputs are not the fresh ones."
    stale = []
    for i, (a, b) in enumerate(zip(stored.cells, fresh.cells, strict=True)):
        if a.cell_type != 'code': continue
        if says(a, 'slow'): fine = True  # it may write a file and show nothing
        elif says(a, 'varies'): fine = bool(a.outputs)
        elif len(a.outputs) != len(b.outputs): fine = False
        else: fine = all(map(same, a.outputs, b.outputs))
        if not fine: stale.append(i)
    return stale


def store(path, fresh, which):
    "Put fresh outputs of some cells into a notebook, and shrink its pictures."
    nb = read_nb(path)
    for cell, fresh_cell in ((nb.cells[i], fresh.cells[i]) for i in which):
        cell.outputs = fresh_cell.outputs
        for data in (output.get('data', {}) for output in cell.outputs):
            if 'image/png' in data: data['image/png'] = shrunk(data['image/png'])
    write_nb(nb, path)
    nbformat.write(nbformat.read(path, 4), path)  # as Jupyter saves it


def check(path, update, slow=False):
    "The cells of one notebook that are out of date; `update` stores fresh outputs."
    fresh, stored = run(path, slow), cleaned(nbformat.read(path, 4))
    stale = stale_cells(stored, fresh)
    ran = [i for i, cell in enumerate(stored.cells) if slow and says(cell, 'slow')]
    if update: store(path, fresh, stale + ran)
    return stale


@cache
def sources():
    "A digest of all that any notebook may use: the package, its data, versions."
    files = sorted(file for part in MADE_FROM for file in ROOT.glob(part))
    return b''.join(sha256(file.read_bytes()).digest() for file in files)


def fingerprint(path):
    "A digest of a notebook's code and outputs, and of what they are made from."
    cells = [c for c in cleaned(read_nb(path)).cells if c.cell_type == 'code']
    mine = json.dumps([[c.source, c.outputs] for c in cells]).encode()
    return sha256(sources() + mine).hexdigest()


def is_noted(path):
    "Whether the stored outputs were once seen to be fresh, and nothing changed since."
    return json.loads(NOTES.read_text('utf-8')).get(path.stem) == fingerprint(path)


if __name__ == '__main__':
    usage = parser(__doc__)
    usage.add_argument('notebooks', nargs='*', type=Path, help='default: all of them')
    usage.add_argument('--update', action='store_true', help='store fresh outputs')
    usage.add_argument('--slow', action='store_true', help='run the slow cells, too')
    args = usage.parse_args()
    paths = [p.resolve() for p in args.notebooks] or sorted(ROOT.glob('nbs/*.ipynb'))
    workers = 1 if args.slow else 2  # slow cells are timed, and want the machine alone
    alone = dict(mp_context=get_context('spawn'), max_tasks_per_child=1)
    with ProcessPoolExecutor(workers, **alone) as pool:
        job = partial(check, update=args.update, slow=args.slow)
        checked = pool.map(job, paths)
        results = dict(zip(paths, tqdm(checked, total=len(paths), disable=None)))
    fresh = {p.stem: fingerprint(p) for p in paths if args.update or not results[p]}
    notes = json.loads(NOTES.read_text('utf-8')) | fresh
    NOTES.write_text(json.dumps(notes, indent=1, sort_keys=True) + '\n', 'utf-8')
    for path, stale in results.items():
        print(f'{path.name}: {f"stale outputs in cells {stale}" if stale else "fresh"}')
    sys.exit(any(results.values()) and not args.update)
