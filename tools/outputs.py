"""Run every notebook and fail if a stored output is not what the code gives today.

    python tools/outputs.py [--update] [--slow] [NOTEBOOK ...]

`--update` stores the fresh outputs instead, pictures in 256 colours: to the eye the same, in a third of the bytes. A cell that says `#| varies` (it prints timings) is run and not compared.
One that says `#| slow` is left out, as nbdev_test does, unless `--slow` is given; then, too, it is run and not compared.
"""
import argparse
import base64
import io
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import numpy as np
from execnb.nbio import read_nb, write_nb
from nbclient import NotebookClient
from nbdev.clean import clean_nb
from nbdev.config import get_config
from PIL import Image
from tqdm import tqdm


def run(path, slow=False):
    "The notebook as it comes out of a fresh kernel, cleaned; raises if a cell fails."
    nb = nbformat.read(path, 4)
    for cell in nb.cells:
        if says(cell, 'slow') and not slow: cell.source = ''
    NotebookClient(nb, timeout=1200, kernel_name='python3', coalesce_streams=True, extra_arguments=['--IPKernelApp.log_level=40'], resources={'metadata': {'path': str(path.parent)}}).execute()
    return cleaned(nb)


def cleaned(nb):
    "A notebook as nbdev_clean leaves it."
    nb = nbformat.from_dict(nb)
    clean_nb(nb, clean_ids=True)
    return nb


def image(png): return Image.open(io.BytesIO(base64.b64decode(png))).convert('RGB')


def shrunk(png):
    "A picture in a palette of 256 colours, if that is smaller."
    buffer = io.BytesIO()
    image(png).quantize(dither=Image.Dither.NONE).save(buffer, 'PNG', optimize=True)
    small = base64.b64encode(buffer.getvalue()).decode() + '\n'
    return small if len(small) < len(png) else png


def same_picture(a, b, block=16):
    "Whether two PNGs look alike: equal size, and in no block of pixels more than a trace of difference."
    a, b = (np.asarray(image(shrunk(png)), float) for png in (a, b))
    if a.shape != b.shape: return False
    rows, cols = (range(0, n, block) for n in a.shape[:2])
    return np.add.reduceat(np.add.reduceat(abs(a - b).mean(2), rows), cols, axis=1).max() < 4*block**2


def same(a, b):
    "Whether two outputs of a cell are the same."
    if a.keys() != b.keys() or a.get('output_type') != b.get('output_type'): return False
    if 'data' not in a: return all(a[key] == b[key] for key in ('text', 'evalue') if key in a)
    a, b = a['data'], b['data']
    return a.keys() == b.keys() and all(same_picture(a[mime], b[mime]) if mime == 'image/png' else a[mime] == b[mime] for mime in a)


def says(cell, what): return re.search(rf'^#\|\s*{what}\s*$', cell.source, re.M)


def varies(cell): return says(cell, 'varies') or says(cell, 'slow')


def stale_cells(stored, fresh):
    "The numbers of the cells whose stored outputs are not the fresh ones."
    return [i for i, (a, b) in enumerate(zip(stored.cells, fresh.cells, strict=True)) if a.cell_type == 'code' and not varies(a)
            and not (len(a.outputs) == len(b.outputs) and all(map(same, a.outputs, b.outputs)))]


def missing_outputs(nb): return [i for i, cell in enumerate(nb.cells) if cell.cell_type == 'code' and varies(cell) and not cell.outputs]


def check(path, update, slow=False):
    "The cells of one notebook that are out of date; with `update`, after storing the fresh outputs."
    fresh, stored = run(path, slow), cleaned(nbformat.read(path, 4))
    stale = stale_cells(stored, fresh) + missing_outputs(stored)
    if update:
        nb = read_nb(path)
        for i in stale + [i for i, cell in enumerate(stored.cells) if slow and says(cell, 'slow')]: nb.cells[i].outputs = fresh.cells[i].outputs
        for cell in nb.cells:
            for output in cell.get('outputs', []):
                if 'image/png' in output.get('data', {}): output['data']['image/png'] = shrunk(''.join(output['data']['image/png']))
        write_nb(nb, path)
    return stale


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('notebooks', nargs='*', type=Path, help='the default is all of them')
    parser.add_argument('--update', action='store_true', help='store the fresh outputs of stale cells')
    parser.add_argument('--slow', action='store_true', help='run the slow cells, too; with --update, store what they give')
    args = parser.parse_args()
    paths = [p.resolve() for p in args.notebooks] or sorted(p for p in get_config().nbs_path.rglob('*.ipynb') if not any(part.startswith(('_', '.')) for part in p.parts[-2:]))
    with ThreadPoolExecutor(1 if args.slow else 2) as pool:  # slow cells are timed, and want the machine for themselves
        results = dict(zip(paths, tqdm(pool.map(lambda path: check(path, args.update, args.slow), paths), total=len(paths), disable=None)))
    for path, stale in results.items(): print(f'{path.name}: {f"stale outputs in cells {stale}" if stale else "fresh"}')
    sys.exit(any(results.values()) and not args.update)
