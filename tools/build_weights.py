"""Train the shipped linear models and write mnist_nbdev/assets/{linear,recipe}.safetensors.

    python tools/build_weights.py [--check]

`recipe` is the documented one of nbs/04_train.ipynb. `linear` is the same model with its three repairs (shuffled, from zero, cross-entropy), trained
for pictures as people send them: on four copies of each image, three in ten mildly distorted (nbs/11_distort.ipynb), and with a smaller step at the end.

Training runs in double precision and is rounded to single at the end, so that the last bits, in which
machines differ, are gone. `--check` compares instead of writing: `recipe` to the byte, `linear`, whose distorted images
are made in single precision, to within 0.001.
"""
import argparse

import torch
from safetensors.torch import load, save

from mnist_nbdev.data import ASSETS, Digits, load_sample
from mnist_nbdev.linear import Linear, bce_loss, init_linear
from mnist_nbdev.distort import augment
from mnist_nbdev.train import fit


def double(tensors): return [t.double() for t in tensors]


def train_recipe():
    "The documented recipe."
    return fit(Digits(*double(load_sample())), model=Linear(*double(init_linear(seed=0))))


def train_linear(copies=4):
    "The line that `predict` uses."
    data, generator = load_sample(), torch.Generator().manual_seed(0)
    x = torch.cat([augment(data.train_x, generator, clean=.7, strength=.3) for _ in range(copies)])
    distorted = Digits(*double([x, data.train_y.repeat(copies, 1), data.valid_x, data.valid_y]))
    model, _ = fit(distorted, epochs=25, lr=1., model=Linear(*double([torch.zeros(784, 1), torch.zeros(1)])), loss=bce_loss, shuffle=True)
    return fit(distorted, epochs=5, lr=.2, model=model, loss=bce_loss, shuffle=True)


def same(name, old, new):
    "Whether two files hold the same weights, as far as they can."
    if name == 'recipe': return old == new
    old, new = load(old), load(new)
    return old.keys() == new.keys() and all(torch.allclose(old[key], new[key], atol=1e-3) for key in new)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true', help='compare with the committed weights instead of writing them')
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name, train in (('recipe', train_recipe), ('linear', train_linear)):
        model, history = train()
        path, built = ASSETS/f'{name}.safetensors', save({key: t.float() for key, t in model._asdict().items()})
        if args.check and not same(name, path.read_bytes(), built): raise SystemExit(f'{path.name} is not what training gives')
        if not args.check: path.write_bytes(built)
        print(f'{path.name}: {len(built):,} bytes, {history.valid_errors[-1]} errors of 2,038')
