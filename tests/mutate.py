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
from pathlib import Path

from nbdev.export import nb_export
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT/'nbs').glob('*.ipynb'))
LEFT_OUT = shutil.ignore_patterns('.*', 'katex', '__pycache__', '_proc', '_docs')
TRIED = 5  # notebooks that import a module, at most
PAIRS = {
    ast.Add: ast.Sub, ast.Mult: ast.Div, ast.Lt: ast.GtE, ast.Gt: ast.LtE,
    ast.Eq: ast.NotEq, ast.In: ast.NotIn, ast.And: ast.Or,
}
SWAPS = PAIRS | {b: a for a, b in PAIRS.items()}
SWAPS |= {ast.MatMult: ast.Mult, ast.Pow: ast.Mult, ast.USub: ast.UAdd}


def mutate(node):
    "Change one thing about a node; False where there is nothing to change."
    op, value = getattr(node, 'op', None), getattr(node, 'value', None)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        node.ops = [SWAPS[type(node.ops[0])](), *node.ops[1:]]
    elif type(op) in SWAPS:
        node.op = SWAPS[type(op)]()
    elif isinstance(op, ast.Not):
        node.operand = ast.UnaryOp(op, node.operand)
    elif isinstance(node, ast.Constant) and isinstance(value, bool):
        node.value = not value
    elif isinstance(node, ast.Constant) and isinstance(value, (int, float)):
        node.value = 1 - value if value in (0, 1) else 2*value + 1
    else:
        return False
    return True


def nodes_of(cell):
    "The nodes of a cell's functions that matter: no annotations, no words of messages."
    skip, found = set(), []
    for node in ast.walk(cell):
        words = isinstance(node, (ast.JoinedStr, ast.Raise))
        notes = getattr(node, 'annotation', None), getattr(node, 'returns', None)
        for part in [node] if words else filter(None, notes):
            skip |= {*ast.walk(part)}
        if isinstance(node, ast.FunctionDef):
            if not node.name.startswith(('show_', 'draw_')): found += ast.walk(node)
    return [node for node in dict.fromkeys(found) if node not in skip]


def sources(notebook):
    cells = json.loads(notebook.read_text('utf-8'))['cells']
    return [''.join(c['source']) if c['cell_type'] == 'code' else '' for c in cells]


def mutants(notebook):
    "Every mutant of what a notebook exports: the cell, what is changed, the new cell."
    for i, source in enumerate(sources(notebook)):
        if not re.search(r'^#\|\s*exports?\b', source, re.M): continue
        cell = ast.parse(source)
        directives = re.findall(r'^#\|.*\n', source, re.M)
        for node in nodes_of(cell):
            before, old = vars(node).copy(), ast.unparse(node)
            if mutate(node):
                words = f'{notebook.name}[{i}]: {old}  →  {ast.unparse(node)}'
                yield notebook, i, words, ''.join(directives) + ast.unparse(cell)
                vars(node).update(before)


def readers(notebook):
    "The notebooks that import what this one exports, nearest first."
    found = re.search(r'^#\|\s*default_exp\s+(\w+)', '\n'.join(sources(notebook)), re.M)
    wanted = re.compile(rf'mnist_nbdev(\.| import.*\b){found[1]}\b')
    here = NOTEBOOKS.index(notebook)
    near = sorted(NOTEBOOKS, key=lambda path: abs(NOTEBOOKS.index(path) - here))
    return [path for path in near[1:] if wanted.search('\n'.join(sources(path)))]


def killer(mutant, tests):
    "The name of the first notebook or test that fails on a mutant; None if none does."
    notebook, i, _, source = mutant
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)/'copy'
        shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
        path = folder/'nbs'/notebook.name
        nb = json.loads(path.read_text('utf-8'))
        nb['cells'][i]['source'] = source
        path.write_text(json.dumps(nb), 'utf-8')
        nb_export(path, lib_path=folder/'mnist_nbdev')
        for path in [notebook, *readers(notebook)[:TRIED]]:
            command = f'nbdev_test --n_workers 0 --path nbs/{path.name}'
            if fails(command, folder): return path.name
        for name in tests:
            if fails(f'pytest -x -q tests/{name}', folder): return name


def fails(command, folder):
    "Whether a command fails, or takes far too long."
    env = os.environ | {'PYTHONPATH': str(folder), 'OMP_NUM_THREADS': '1'}
    options = dict(cwd=folder, env=env, timeout=200, capture_output=True)
    try:
        return subprocess.run(command.split(), **options).returncode
    except subprocess.TimeoutExpired:
        return True


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
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
        print(f'{f"red in {fate}" if fate else "SURVIVED":30} {mutant[2]}')
    killed = sum(map(bool, fates))
    print(f'{killed} of {len(chosen)} mutants, of {len(every)} possible, were killed')
    sys.exit(killed < .9*len(chosen))
