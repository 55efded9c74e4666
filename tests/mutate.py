"""Break exported functions on purpose, in one place at a time: does a test turn red?

    python tests/mutate.py [-n 60] [--seed 0] [--workers 2] [--pytest 'test_damaged.py']

A mutant swaps an operator, negates a comparison, flips a truth value or changes a
constant (in `show_…` and `draw_…` only an eye would see it). First its own notebook is
run, then those that import its module, nearest first, then the tests of --pytest, until
one fails. Survivors are printed: a few are no faults, the rest are tests to write.
"""

import argparse
import ast
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

from nbdev.export import nb_export
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT/'nbs').glob('*.ipynb'))
PARTS = 'mnist_nbdev nbs tests tools settings.ini pyproject.toml app.py'.split()
LEFT_OUT = shutil.ignore_patterns('katex', '__pycache__', '_proc', '_docs')
TRIED = 5  # notebooks that import a module, at most
PAIRS = [
    (ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.Lt, ast.GtE), (ast.Gt, ast.LtE),
    (ast.Eq, ast.NotEq), (ast.In, ast.NotIn), (ast.And, ast.Or),
]
SWAPS = {**dict(PAIRS), **{b: a for a, b in PAIRS}}
SWAPS |= {ast.MatMult: ast.Mult, ast.Pow: ast.Mult}


class Mutant(NamedTuple):
    "A change to one expression of one exported cell."

    notebook: Path
    cell: int
    start: int  # of the expression in the cell, in bytes
    end: int
    old: str
    new: str

    def __str__(self):
        return f'{self.notebook.name}[{self.cell}]: {self.old}  →  {self.new}'


def mutated(node):
    "The node with one thing changed, or None where there is nothing to change."
    new = deepcopy(node)
    value = getattr(node, 'value', None)
    if isinstance(node, (ast.BinOp, ast.BoolOp)) and type(node.op) in SWAPS:
        new.op = SWAPS[type(node.op)]()
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        new.ops[0] = SWAPS[type(node.ops[0])]()
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)):
        new = node.operand
    elif isinstance(node, ast.Constant) and isinstance(value, bool):
        new.value = not value
    elif isinstance(node, ast.Constant) and isinstance(value, (int, float)):
        new.value = 1 - value if value in (0, 1) else 2*value + 1
    else:
        return None
    return new


def nodes_of(function):
    "The nodes of a function that matter: no annotations, no words of messages."
    skip = set()
    for node in ast.walk(function):
        words = isinstance(node, (ast.JoinedStr, ast.Raise))
        notes = getattr(node, 'annotation', None), getattr(node, 'returns', None)
        for part in [node] if words else filter(None, notes):
            skip |= {id(inner) for inner in ast.walk(part)}
    return [node for node in ast.walk(function) if id(node) not in skip]


def sources(notebook):
    cells = json.loads(notebook.read_text('utf-8'))['cells']
    return [''.join(c['source']) if c['cell_type'] == 'code' else '' for c in cells]


def mutants(notebook):
    "Every mutant of the functions and methods that a notebook exports."
    for i, source in enumerate(sources(notebook)):
        if not re.search(r'^#\|\s*exports?\b', source, re.M): continue
        starts = [0]
        for line in source.encode().splitlines(True):
            starts.append(starts[-1] + len(line))
        for function in ast.walk(ast.parse(source)):
            if not isinstance(function, ast.FunctionDef): continue
            if function.name.startswith(('show_', 'draw_')): continue
            for node in nodes_of(function):
                if new := mutated(node):
                    start = starts[node.lineno - 1] + node.col_offset
                    end = starts[node.end_lineno - 1] + node.end_col_offset
                    old = source.encode()[start:end].decode()
                    yield Mutant(notebook, i, start, end, old, f'({ast.unparse(new)})')


def apply(mutant, folder):
    "Write the mutant into a copy of the project, and export it."
    path = folder/'nbs'/mutant.notebook.name
    nb = json.loads(path.read_text('utf-8'))
    source = ''.join(nb['cells'][mutant.cell]['source']).encode()
    source = source[:mutant.start] + mutant.new.encode() + source[mutant.end:]
    nb['cells'][mutant.cell]['source'] = source.decode().splitlines(True)
    path.write_text(json.dumps(nb), 'utf-8')
    nb_export(path, lib_path=folder/'mnist_nbdev')


def readers(notebook):
    "The notebooks that import what this one exports, nearest first."
    found = re.search(r'^#\|\s*default_exp\s+(\w+)', '\n'.join(sources(notebook)), re.M)
    wanted = re.compile(rf'mnist_nbdev(\.| import.*\b){found[1]}\b')
    near = sorted(NOTEBOOKS, key=lambda path: abs(number(path) - number(notebook)))
    return [path for path in near if wanted.search('\n'.join(sources(path)))]


def number(path): return NOTEBOOKS.index(path)


def killer(mutant, tests):
    "The name of the first notebook or test that fails on a mutant; None if none does."
    with tempfile.TemporaryDirectory() as tmp:
        for part in PARTS:
            copy = shutil.copytree if (ROOT/part).is_dir() else shutil.copy
            more = {'ignore': LEFT_OUT} if (ROOT/part).is_dir() else {}
            copy(ROOT/part, Path(tmp)/part, **more)
        apply(mutant, Path(tmp))
        others = [path for path in readers(mutant.notebook) if path != mutant.notebook]
        runs = {
            path.name: ['nbdev_test', '--n_workers', '0', '--path', f'nbs/{path.name}']
            for path in [mutant.notebook, *others[:TRIED]]
        }
        for name in tests:
            runs[name] = ['pytest', '-x', '-q', f'tests/{name}']
        return next((name for name, words in runs.items() if fails(words, tmp)), None)


def fails(words, folder):
    "Whether a command fails, or takes far too long."
    env = os.environ | {'PYTHONPATH': str(folder), 'OMP_NUM_THREADS': '1'}
    options = dict(cwd=folder, env=env, timeout=200, capture_output=True)
    try:
        return subprocess.run(words, **options).returncode
    except subprocess.TimeoutExpired:
        return True


if __name__ == '__main__':
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('-n', type=int, default=60, help='mutants to try')
    parser.add_argument('--seed', type=int, default=0, help='of their choice')
    parser.add_argument('--workers', type=int, default=2, help='tried at once')
    parser.add_argument('--pytest', nargs='*', default=[], help='files of tests')
    args = parser.parse_args()
    if subprocess.run(['nbdev_test'], cwd=ROOT).returncode:
        sys.exit('The notebooks must be green before they are broken on purpose.')
    every = [mutant for path in NOTEBOOKS for mutant in mutants(path)]
    chosen = random.Random(args.seed).sample(every, min(args.n, len(every)))
    with ThreadPoolExecutor(args.workers) as pool:
        tried = pool.map(lambda mutant: killer(mutant, args.pytest), chosen)
        fates = list(tqdm(tried, total=len(chosen), disable=None))
    for mutant, fate in zip(chosen, fates, strict=True):
        print(f'{f"red in {fate}" if fate else "SURVIVED":30} {mutant}')
    killed = sum(map(bool, fates))
    print(f'{killed} of {len(chosen)} mutants, of {len(every)} possible, were killed')
    sys.exit(killed < .9*len(chosen))
