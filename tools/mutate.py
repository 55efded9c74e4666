"""Break exported functions on purpose, one place at a time, and see whether a notebook turns red.

    python tools/mutate.py [-n 30] [--seed 0] [--workers 2]

A mutant swaps a sign or an operator, negates a comparison, flips a truth value or changes a constant, in a
function that a notebook exports (drawing functions, `show_…` and `draw_…`, are left out: only an eye can test them). The notebook
that defines it is run first, then the others, until one fails. Survivors are printed; a few are not faults at all
(a bound that is never reached), the rest are tests to write.
"""
import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

from nbdev.config import get_config
from tqdm import tqdm

ROOT = Path(__file__).parents[1]
SWAPS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.MatMult: ast.Mult, ast.Pow: ast.Mult,
         ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And}


class Mutant(NamedTuple):
    "A change to one expression of one exported cell."
    notebook: Path
    cell: int
    start: int
    end: int
    old: str
    new: str

    def __str__(self): return f'{self.notebook.name}[{self.cell}]: {self.old}  →  {self.new}'


def mutated(node):
    "The node with one thing changed, or None where there is nothing to change."
    new = deepcopy(node)
    if isinstance(node, (ast.BinOp, ast.BoolOp)) and type(node.op) in SWAPS: new.op = SWAPS[type(node.op)]()
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS: new.ops[0] = SWAPS[type(node.ops[0])]()
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)): new = node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool): new.value = not node.value
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)): new.value = 1 - node.value if node.value in (0, 1) else 2*node.value + 1
    else: return None
    return new


def within(function):
    "The nodes of a function that matter: not its annotations, nor the words of its messages."
    skip = {id(n) for f in ast.walk(function) if isinstance(f, (ast.JoinedStr, ast.Raise)) for n in ast.walk(f)}
    skip |= {id(n) for f in ast.walk(function) for part in (getattr(f, 'annotation', None), getattr(f, 'returns', None)) if part for n in ast.walk(part)}
    return [node for node in ast.walk(function) if id(node) not in skip]


def mutants(notebook):
    "Every mutant of the functions and methods that a notebook exports."
    for i, cell in enumerate(json.loads(notebook.read_text('utf-8'))['cells']):
        source = ''.join(cell['source'])
        if cell['cell_type'] != 'code' or not source.startswith('#| export'): continue
        starts = [0]
        for line in source.encode().splitlines(True): starts.append(starts[-1] + len(line))
        for function in ast.walk(ast.parse(source)):
            if not isinstance(function, ast.FunctionDef) or function.name.startswith(('show_', 'draw_')): continue
            for node in within(function):
                if (new := mutated(node)) is None: continue
                start, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
                yield Mutant(notebook, i, start, end, source.encode()[start:end].decode(), f'({ast.unparse(new)})')


def apply(mutant, folder):
    "Write the mutant into the copy of the project in `folder`, and export it."
    path = folder/mutant.notebook.relative_to(ROOT)
    nb = json.loads(path.read_text('utf-8'))
    source = ''.join(nb['cells'][mutant.cell]['source']).encode()
    nb['cells'][mutant.cell]['source'] = (source[:mutant.start] + mutant.new.encode() + source[mutant.end:]).decode().splitlines(True)
    path.write_text(json.dumps(nb), 'utf-8')


def killer(mutant, notebooks):
    "The name of the first notebook that fails on a mutant; None if it survives them all."
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        shutil.copytree(ROOT, folder, dirs_exist_ok=True, symlinks=True, ignore=shutil.ignore_patterns('.git', '.venv', '_docs', '_proc', 'katex', '__pycache__', '*.egg-info', 'build', 'dist'))
        env = os.environ | {'PYTHONPATH': str(folder)}
        nbdev = lambda *args: subprocess.run(args, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300).returncode
        apply(mutant, folder)
        if nbdev('nbdev_export'): return 'export'
        for notebook in sorted(notebooks, key=lambda path: path != mutant.notebook):
            try: failed = nbdev('nbdev_test', '--path', str(notebook.relative_to(ROOT)), '--n_workers', '0')
            except subprocess.TimeoutExpired: failed = True
            if failed: return notebook.name
    return None


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('-n', type=int, default=30, help='mutants to try')
    parser.add_argument('--seed', type=int, default=0, help='of their choice')
    parser.add_argument('--workers', type=int, default=2, help='notebooks to run at once')
    args = parser.parse_args()
    notebooks = sorted(path for path in get_config().nbs_path.rglob('*.ipynb') if not any(part.startswith(('_', '.')) for part in path.parts[-2:]))
    every = [mutant for path in notebooks for mutant in mutants(path)]
    if subprocess.run(['nbdev_test'], cwd=ROOT).returncode: sys.exit('The notebooks must be green before they are broken on purpose.')
    chosen = random.Random(args.seed).sample(every, min(args.n, len(every)))
    with ThreadPoolExecutor(args.workers) as pool: fates = list(tqdm(pool.map(lambda mutant: killer(mutant, notebooks), chosen), total=len(chosen), disable=None))
    for mutant, fate in zip(chosen, fates): print(f'{f"red in {fate}" if fate else "SURVIVED":30} {mutant}')
    print(f'{sum(map(bool, fates))} of {len(chosen)} mutants (of {len(every)} possible) turned a notebook red')
    sys.exit(sum(map(bool, fates)) < .9*len(chosen))
