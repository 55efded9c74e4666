"""Train every rung of the ladder, and store how each did in nbs/ladder.json, which the page of that name shows.

    python tools/build_ladder.py [--rungs NAME ...] [--seeds 20]   train all of them, or some; about six minutes on one quiet core
    python tools/build_ladder.py --check [--rungs NAME ...]        train again, and fail where the table says otherwise
    python tools/build_ladder.py --times                           measure the times again, and nothing else: about a minute
    python tools/build_ladder.py --choose                          try settings by cross-validation on the training images: five minutes

One thread and fixed seeds: the same machine and versions give the same answers to every image. Elsewhere sums are rounded
differently, which the training of networks amplifies, so there --check compares means.
"""
import argparse
import json
import platform
import sys
import time
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np
import sklearn
import torch
from safetensors.numpy import save
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC
from tables import as_text, processor
from threadpoolctl import threadpool_limits
from torch import nn
from tqdm import tqdm

from mnist_nbdev import nets
from mnist_nbdev.baseline import l1, l2, mean_digits, nearest_mean
from mnist_nbdev.data import load_sample
from mnist_nbdev.linear import Linear, bce_loss
from mnist_nbdev.train import fit

TABLE = Path(__file__).parents[1]/'nbs'/'ladder.json'

# ---- the rungs: each takes data and a seed, and gives a function from images to "is a three" and the arrays that it needs for that


def nearest(distance):
    "The nearer of two mean digits."
    def train(data, seed):
        means = mean_digits(data.train_x, data.train_y)
        return lambda x: nearest_mean(x, *means, distance)[:, 0] > .5, dict(zip(('mean3', 'mean7'), means))
    return train


def fitted(make=lambda seed: None, **how):
    "A model trained by `fit`."
    def train(data, seed):
        torch.manual_seed(seed)  # of the layers of PyTorch
        model, _ = fit(data, seed=seed, model=make(seed), progress=False, **how)
        arrays = model.state_dict() if isinstance(model, nn.Module) else model._asdict()
        return lambda x: model(x)[:, 0] > 0, {name: t for name, t in arrays.items() if t.is_floating_point()}  # not the counters of batches
    return train


def estimated(model, *attributes):
    "A model of scikit-learn, in double precision."
    def train(data, seed):
        model.fit(data.train_x.double().numpy(), data.train_y[:, 0].numpy())
        return lambda x: torch.from_numpy(model.predict(x.double().numpy()) > .5), {name: np.asarray(getattr(model, name)) for name in attributes}
    return train


def falling(peak): return lambda share: peak*(1 - share)  # the learning rate, to nothing in a straight line


def zeros(seed): return Linear(torch.zeros(784, 1), torch.zeros(1))


def small_cnn(size):
    "The convolutional network of the book, with half as many filters, a single logit, and no perceptron at the end."
    return nn.Sequential(nn.Unflatten(1, (1, 28, 28)), *nets.conv_block(1, 8, 5), *nets.conv_block(8, 16, size), *nets.conv_block(16, 32, size), nn.Flatten(), nn.Linear(288, 1))


def ridge(alpha): return estimated(RidgeClassifier(alpha=alpha), 'coef_', 'intercept_')
def logistic(C): return estimated(LogisticRegression(C=C, max_iter=1000), 'coef_', 'intercept_')
def svm(C): return estimated(SVC(C=C), 'support_vectors_', 'dual_coef_', 'intercept_', '_gamma')
def mlp(bs, lr): return fitted(nets.init_mlp, epochs=20, lr=falling(lr), bs=bs, loss=bce_loss, shuffle=True)
def cnn(size, bs, lr): return fitted(lambda seed: small_cnn(size), epochs=3, lr=falling(lr), bs=bs, loss=bce_loss, shuffle=True)


class Rung(NamedTuple):
    train: Callable  # of data and a seed
    random: bool  # whether the seed changes anything


CANDIDATES = {
    'ridge': {f'alpha {alpha}': ridge(alpha) for alpha in (.1, 1, 10, 100, 1000)},
    'logistic': {f'C {C}': logistic(C) for C in (.01, .1, 1, 10)},
    'MLP': {f'batches of {bs}, rate {lr}': mlp(bs, lr) for bs, lr in ((64, .3), (64, 1.), (16, .1), (16, .3), (16, 1.))},
    'SVM': {f'C {C}': svm(C) for C in (1, 5, 20)},
    'CNN': {f'filters of {size}, batches of {bs}, rate {lr}': cnn(size, bs, lr) for size, bs, lr in ((3, 64, .1), (3, 16, .1), (5, 64, .1), (5, 16, .03), (5, 16, .1), (5, 16, .3))},
}
USED = {'ridge': 'alpha 10', 'logistic': 'C 0.1', 'MLP': 'batches of 16, rate 0.3', 'SVM': 'C 5', 'CNN': 'filters of 5, batches of 16, rate 0.1'}  # why: see the page
RUNGS = {
    'L1 mean': Rung(nearest(l1), False),
    'L2 mean': Rung(nearest(l2), False),
    'recipe': Rung(fitted(), True),
    'shuffled': Rung(fitted(shuffle=True), True),
    'nn.Linear': Rung(fitted(lambda seed: nn.Linear(784, 1), epochs=20), True),
    'cross-entropy': Rung(fitted(zeros, loss=bce_loss, shuffle=True), True),
    **{name: Rung(CANDIDATES[name][what], name in ('MLP', 'CNN')) for name, what in USED.items()},
}

# ---- what is measured


@torch.no_grad()
def wrong(is_three, data):
    "The numbers of the validation images that are judged wrongly."
    return torch.nonzero(is_three(data.valid_x) != (data.valid_y[:, 0] == 1))[:, 0].tolist()


def judge(name, seeds, data):
    "How often a rung is wrong for each seed, on which images for seed 0, and what it must store."
    runs = tqdm(range(seeds if RUNGS[name].random else 1), name, disable=None)
    trained = [RUNGS[name].train(data, seed) for seed in runs]
    mistakes = [wrong(is_three, data) for is_three, _ in trained]
    arrays = {key: np.ascontiguousarray(array) for key, array in trained[0][1].items()}
    return {'numbers': sum(a.size for a in arrays.values()), 'bytes': len(save(arrays)), 'errors': [len(m) for m in mistakes], 'wrong': mistakes[0]}


def seconds(train, data):
    start = time.perf_counter()
    train(data, 0)
    return time.perf_counter() - start


def timed(name, data, spend=2.):
    "How long a rung trains, as a multiple of the whole documented recipe, by turns: the quartiles of three runs or more; and the recipe in seconds."
    pairs = []
    while len(pairs) < 3 or (np.sum(pairs) < spend and len(pairs) < 15): pairs.append([seconds(RUNGS[which].train, data) for which in ('recipe', name)])
    base, own = np.transpose(pairs)
    return [float(f'{v:.3g}') for v in np.percentile(own/base, (25, 50, 75))], np.median(base)


def measure_times(table, names, data):
    "Put fresh times into a table."
    seconds(RUNGS['recipe'].train, data)  # the first run of anything is slow
    measured = {name: timed(name, data) for name in tqdm(names, 'times', disable=None)}
    for name, (ratio, _) in measured.items(): table['rungs'][name]['time'] = ratio
    table['recipe_seconds'] = float(f'{np.median([base for _, base in measured.values()]):.2g}')


def folds(data, n=3):
    "The training images without a third of them, to be judged on that third; for each third."
    parts = torch.randperm(len(data.train_x), generator=torch.Generator().manual_seed(0)).tensor_split(n)
    for i, out in enumerate(parts):
        rest = torch.cat([*parts[:i], *parts[i + 1:]])
        yield data._replace(train_x=data.train_x[rest], train_y=data.train_y[rest], valid_x=data.train_x[out], valid_y=data.train_y[out])


def choose(data):
    "Errors of each candidate on all training images, each judged by the run that did not see it (cross-validation)."
    return {name: {what: sum(len(wrong(train(held, 0)[0], held)) for held in folds(data)) for what, train in tqdm(tries.items(), name, disable=None)} for name, tries in CANDIDATES.items()}


def machine():
    "Where and with what it was measured."
    return {'cpu': processor(), 'instructions': torch.backends.cpu.get_cpu_capability(), 'threads': 1, 'python': platform.python_version(),
            **{m.__name__: m.__version__ for m in (torch, np, sklearn)}}

# ---- the table


def differs(old, new, exact):
    "What a fresh run of a rung says against the stored one; empty if nothing. Means may differ by three standard errors where rounding does."
    if new['numbers'] != old['numbers'] and exact: return f'{new["numbers"]:,} numbers instead of {old["numbers"]:,}'
    before, after = (np.array(run['errors'], float) for run in (old, new))
    before = before[:len(after)]
    if exact: return '' if (before == after).all() and new['wrong'] == old['wrong'] else f'errors {new["errors"]} instead of {old["errors"]}, or of other images'
    allowed = 3*np.sqrt((before.var() + after.var() + 1)/len(after))  # one image may always fall on the other side
    return '' if abs(before.mean() - after.mean()) <= allowed else f'{after.mean():.1f} errors on average instead of {before.mean():.1f}'


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rungs', nargs='+', choices=list(RUNGS), default=list(RUNGS), metavar='NAME', help=', '.join(RUNGS))
    parser.add_argument('--seeds', type=int, default=20, help='runs of what is random')
    parser.add_argument('--check', action='store_true', help='compare with the table, and change nothing')
    parser.add_argument('--times', action='store_true', help='only measure times')
    parser.add_argument('--choose', action='store_true', help='only try the candidates')
    args = parser.parse_args()
    torch.set_num_threads(1); threadpool_limits(1)  # PyTorch's, and those of what scikit-learn calls
    data = load_sample()
    table = json.loads(TABLE.read_text()) if TABLE.exists() else {'rungs': {}}
    if args.check:
        exact = machine() == table['machine']
        print('compared image by image' if exact else 'another machine or other versions than the table\'s: means are compared')
        found = {name: differs(table['rungs'][name], judge(name, args.seeds, data), exact) for name in args.rungs}
        for name, difference in found.items(): print(f'{name}: {difference or "agrees"}')
        sys.exit(any(found.values()))
    if machine() != table.get('machine', machine()) and (args.times or args.choose or set(args.rungs) < set(RUNGS)): parser.error("the table is another machine's or of other versions: train all rungs again first")
    if args.choose: table['choices'] = choose(data)
    elif not args.times: table['rungs'] |= {name: table['rungs'].get(name, {}) | judge(name, args.seeds, data) for name in args.rungs}
    if not args.choose: measure_times(table, args.rungs, data)
    rungs = {name: table['rungs'][name] for name in RUNGS if name in table['rungs']}
    TABLE.write_text(as_text({'machine': machine(), 'recipe_seconds': table.get('recipe_seconds'), 'choices': table.get('choices'), 'used': USED, 'rungs': rungs}) + '\n')
    for name, rung in rungs.items(): print(f'{name}: {np.mean(rung["errors"]):.1f} errors, {rung["numbers"]:,} numbers, {rung["bytes"]:,} bytes, time {rung.get("time")}')
