"""Train the shipped models and write mnist_nbdev/assets/{linear,recipe}.safetensors.

    python tools/build_weights.py [--check]

Training runs in double precision and is rounded to single at the end, so that the last bits, in which
machines differ, are gone and anyone gets the same bytes. `--check` compares instead of writing.
"""
import argparse

import torch
from safetensors.torch import save

from mnist_nbdev.data import ASSETS, Digits, load_sample
from mnist_nbdev.linear import Linear, bce_loss, init_linear
from mnist_nbdev.train import fit

RUNS = {  # see nbs/03_train.ipynb: the documented recipe, and the same with its three repairs
    'recipe': (init_linear(seed=0), {}),
    'linear': (Linear(torch.zeros(784, 1), torch.zeros(1)), dict(loss=bce_loss, shuffle=True)),
}


def train(model, options):
    "The bytes of a trained model."
    data = Digits(*(t.double() for t in load_sample()))
    model, history = fit(data, model=Linear(*(t.double() for t in model)), **options)
    return save({name: t.float() for name, t in model._asdict().items()}), history.valid_errors[-1]


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true', help='compare with the committed weights instead of writing them')
    args = parser.parse_args()
    for name, run in RUNS.items():
        path, (built, errors) = ASSETS/f'{name}.safetensors', train(*run)
        if args.check and path.read_bytes() != built: raise SystemExit(f'{path.name} is not what training gives')
        if not args.check: path.write_bytes(built)
        print(f'{path.name}: {len(built):,} bytes, {errors} errors of 2,038')
