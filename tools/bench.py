"""Time the book's code by turns with what one would use instead, and store the times.

    python tools/bench.py [--quick] [--out nbs/speed.json]

Everything of a table is timed in turn, in an order that is dealt anew every round, so that a slow moment of the
machine falls on all alike; ratios are taken within a round. nbs/33_speed.ipynb explains and shows the
results. `--quick` does a little of everything, and stores only if told where. Needs fastai and scikit-learn.
"""
import argparse
import ast
import cProfile
import datetime
import gc
import importlib.metadata
import io
import json
import os
import platform
import pstats
import random
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from fastai.callback.core import Callback, CancelValidException
from fastai.callback.progress import ProgressCallback
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader as FastaiDataLoader
from fastai.learner import Learner
from fastai.optimizer import SGD
from fastai.torch_core import default_device
from PIL import Image
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from tables import as_text, processor
from threadpoolctl import threadpool_limits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

from mnist_nbdev import data, linear, train
from mnist_nbdev.linear import bce_loss, init_linear, mnist_loss
from mnist_nbdev.predict import load_model, predict
from mnist_nbdev.prepare import to_mnist
from mnist_nbdev.train import batches, train_epoch, validate
from mnist_nbdev.uploads import enlarge

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT/'nbs'/'33_speed.ipynb'


def from_notebook(*names):
    "What the tutorial defines and explains, from the cells that define it."
    found = dict(vars(linear) | vars(train))
    for cell in json.loads(NOTEBOOK.read_text(encoding='utf-8'))['cells']:
        source = ''.join(cell['source'])
        if cell['cell_type'] == 'code' and any(f'{kind} {name}(' in source for kind in ('class', 'def') for name in names):
            tree = ast.parse(source)
            tree.body = [node for node in tree.body if getattr(node, 'name', None) in names]
            exec(compile(ast.Module(tree.body, []), str(NOTEBOOK), 'exec'), found)
    return [found[name] for name in names]


def by_turns(what, rounds, makers):
    "Milliseconds of what each maker makes, by name, a number for each round; making is not timed, and a first round is not counted."
    times, rng = {name: [] for name in makers}, random.Random(0)
    gc.disable()
    try:
        for _ in tqdm(range(rounds + 1), what):
            gc.collect()
            for name in rng.sample(list(makers), len(makers)):
                run = makers[name]()
                start = time.perf_counter()
                run()
                times[name].append(1e3*(time.perf_counter() - start))
    finally: gc.enable()
    return {name: [round(ms, 4) for ms in all_ms[1:]] for name, all_ms in times.items()}


def ratio(a, b):
    "The quartiles of a ratio that is taken within each round."
    return [round(q, 4) for q in np.percentile(np.divide(a, b), (25, 50, 75)).tolist()]


# An epoch of the documented recipe

class NoValidation(Callback):
    "Leave the validation out: the other loops of the table have none."
    def before_validate(self): raise CancelValidException


def copied():
    "An `nn.Linear` with the recipe's initial parameters."
    layer = nn.Linear(784, 1)
    with torch.no_grad():
        for p, ours in zip(layer.parameters(), init_linear()): p.copy_(ours.reshape(p.shape))
    return layer


def learner(pairs):
    learn = Learner(DataLoaders(FastaiDataLoader(pairs, bs=256), FastaiDataLoader(pairs[:256], bs=256)), copied(), loss_func=mnist_loss, opt_func=SGD, cbs=NoValidation())
    learn.remove_cb(ProgressCallback)
    learn.logger = lambda row: None
    return learn


def epochs(s):
    "Makers of (model, function that trains it for an epoch); the floor has no model."
    pairs, tensors = list(zip(s.train_x, s.train_y)), TensorDataset(s.train_x, s.train_y)
    in_order = lambda: batches(s.train_x, s.train_y, 256)

    def floor():
        w = init_linear().w
        def products():
            for xb, yb in in_order(): xb @ w; xb.T @ yb
        return None, products

    def loop(make_model, make_batches):
        def make():
            model = make_model()
            return model, lambda: train_epoch(model, make_batches(), 1.)
        return make

    def fastai():
        learn = learner(pairs)
        return learn.model, lambda: learn.fit(1, lr=1.)

    return {'the two products': floor,
            'by hand': loop(init_linear, in_order),
            'autograd': loop(copied, in_order),
            'DataLoader of a list of pairs': loop(copied, lambda: DataLoader(pairs, batch_size=256)),
            'DataLoader of a TensorDataset': loop(copied, lambda: DataLoader(tensors, batch_size=256)),
            'fastai Learner': fastai}


def check_same(makers):
    "Fail unless every loop ends with the same parameters."
    ended = []
    for make in makers.values():
        model, run = make()
        run()
        if model is not None: ended.append(torch.cat([p.detach().flatten() for p in (model.parameters() if isinstance(model, nn.Module) else model)]))
    for other in ended[1:]: torch.testing.assert_close(other, ended[0], rtol=0, atol=1e-4)


def calls(run):
    "How many functions Python calls while it runs, those written in C included."
    profile = cProfile.Profile()
    profile.runcall(run)
    return pstats.Stats(profile).total_calls


# The order of the images

def orders(s, deal):
    "Makers of an epoch by hand in three orders."
    def epoch(make_batches):
        def make():
            model = init_linear()
            return lambda: train_epoch(model, make_batches(), 1.)
        return make
    generator, hands = torch.Generator().manual_seed(0), deal(s.train_x, s.train_y, 256)
    return {'in order': epoch(lambda: batches(s.train_x, s.train_y, 256)),
            'dealt': epoch(lambda: hands),
            'shuffled anew': epoch(lambda: batches(s.train_x, s.train_y, 256, generator))}


# The time to 98.4%

TARGET = 32  # errors of 2,038
SGD_BEST = dict(loss='log_loss', learning_rate='constant', eta0=.1, average=True, alpha=1e-5, max_iter=4, tol=None)  # the fastest that we found


def fit_sklearn(estimator, s): return estimator.fit(s.train_x.numpy(), s.train_y.numpy().ravel())
def wrong(estimator, s): return int((estimator.predict(s.valid_x.numpy()) != s.valid_y.numpy().ravel()).sum())


def stop_early(s, quick):
    "For scikit-learn's benefit: the C and the fewest iterations with which LogisticRegression has no more errors than the target, by trial on the validation images."
    best = dict(C=.1, max_iter=100)
    for C in tqdm((.1, .3, 1.), 'stopping LogisticRegression early'):
        for max_iter in range(14 if quick else 8, best['max_iter']):
            if wrong(fit_sklearn(LogisticRegression(C=C, max_iter=max_iter), s), s) <= TARGET:
                best = dict(C=C, max_iter=max_iter)
                break
    return best


def contestants(s, ours, Centred, early):
    "Functions that train until the target is reached, by name: a seed to a fitted model."
    def shuffled(seed):
        model, generator = Centred(torch.zeros(784, 1), torch.zeros(1), s.train_x[::97].mean(0)), torch.Generator().manual_seed(seed)
        rates = (3*(1 - step/776) for step in range(776))
        for _ in range(8): train_epoch(model, batches(s.train_x, s.train_y, 128, generator), rates, bce_loss)
        return model
    return {'ours': lambda seed: ours(s.train_x, s.train_y, seed=seed),
            'ours, shuffled anew': shuffled,
            'LogisticRegression': lambda seed: fit_sklearn(LogisticRegression(C=.1), s),
            'LogisticRegression, stopped early': lambda seed: fit_sklearn(LogisticRegression(**early), s),
            'RidgeClassifier': lambda seed: fit_sklearn(RidgeClassifier(), s),
            'SGDClassifier': lambda seed: fit_sklearn(SGDClassifier(random_state=seed, **SGD_BEST), s)}


def variants(s, ours):
    "Ours, with and without its parts; each seed first puts the images in an order of its own, and with that into other hands."
    def variant(**changes):
        def run(seed):
            order = torch.randperm(len(s.train_x), generator=torch.Generator().manual_seed(seed))
            return ours(s.train_x[order], s.train_y[order], seed=seed, **changes)
        return run
    constant = dict(lr=lambda t: 1.5)  # as far in all as 3 falling to 0
    return {'ours': variant(), 'ours, constant rate': variant(**constant), 'ours, not centred': variant(centre=False), 'ours, neither': variant(centre=False, **constant)}


def count(name, run, s, seeds):
    "Errors on the validation images, for each seed if there is luck in it."
    lucky = name.startswith(('ours', 'SGD'))
    models = map(run, tqdm(range(seeds if lucky else 1), f'errors, {name}'))
    return [validate(model, s.valid_x, s.valid_y)[2] if isinstance(model, tuple) else wrong(model, s) for model in models]


def on_all_cores(train):
    "The same without a limit on threads."
    def run(seed):
        torch.set_num_threads(os.cpu_count())
        try:
            with threadpool_limits(os.cpu_count()): train(seed)
        finally: torch.set_num_threads(1)
    return run


def folds(s):
    "Five times: four fifths of the training images to learn from, and a fifth held out."
    for k in range(5):
        held_out = torch.arange(len(s.train_x))%5 == k
        yield s._replace(train_x=s.train_x[~held_out], train_y=s.train_y[~held_out], valid_x=s.train_x[held_out], valid_y=s.train_y[held_out])


def choose(s, ours, quick):
    "Loss and errors on held-out training images, of all five fifths, for settings of ours and of LogisticRegression; as many steps as on all images."
    rows, parts = [], list(folds(s))
    settings = [(bs, passes, lr) for bs in (64, 128, 256) for passes in (4, 6, 8, 12) for lr in (2., 3., 4., 6.)]
    for bs, passes, lr in tqdm(settings[::12] if quick else settings, 'choosing on held-out images'):
        steps = passes*-(-len(s.train_x)//bs)
        falling = lambda t: lr*(1 - t)
        judged = np.array([[validate(ours(p.train_x, p.train_y, bs, steps, falling, seed), p.valid_x, p.valid_y, loss=bce_loss) for p in parts]
                           for seed in range(1 if quick else 2)])
        rows.append({'bs': bs, 'passes': passes, 'lr': lr, 'steps': steps, 'loss': round(judged[..., 0].mean(), 5), 'errors': judged[..., 2].sum(1).mean()})
    for C in (.03, .1, .3, 1., 3.):
        fitted = [fit_sklearn(LogisticRegression(C=C, max_iter=1000), p) for p in parts]
        logits = [torch.tensor(model.decision_function(p.valid_x.numpy()), dtype=torch.float32)[:, None] for model, p in zip(fitted, parts)]
        losses = [bce_loss(z, p.valid_y).item() for z, p in zip(logits, parts)]
        rows.append({'C': C, 'loss': round(np.mean(losses), 5), 'errors': sum(wrong(model, p) for model, p in zip(fitted, parts))})
    return rows


# Loading, predicting, starting

def write_folder(folder, share):
    "The bundled images as PNG files in the layout of fastai's MNIST_SAMPLE; gives how many."
    n = 0
    for split in ('train', 'valid'):
        for digit in (3, 7):
            images = data.read_bundled_by_name(split, digit)
            path = folder/split/str(digit)
            path.mkdir(parents=True)
            for i, image in enumerate(tqdm(images[:int(len(images)*share)], f'writing {split}/{digit}')):
                Image.fromarray(image).save(path/f'{i:05}.png')
                n += 1
    return n


def encode(pixels, kind, **options):
    "A picture in a file's bytes."
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def photo(digit, height=3000, width=4000):
    "A digit as a camera of 12 megapixels would have it: warm paper, uneven light, grain; JPEG."
    page = np.full((height, width), .85, np.float32)
    page[900:2100, 1400:2600] -= .7*enlarge(digit, 1200)
    page = page[..., None]*np.float32([1, .98, .93])*np.linspace(1, .75, width, dtype=np.float32)[:, None]
    page += np.random.default_rng(0).normal(0, .02, page.shape).astype(np.float32)
    return encode((page.clip(0, 1)*255).astype(np.uint8), 'JPEG', quality=90)


def predictions(s):
    "Makers of predictions: of twenty files of 28x28 pixels, and of a photo."
    digits = s.valid_x[::100][:20].reshape(-1, 28, 28).numpy()
    pngs, large = [encode((255*digit).round().astype(np.uint8), 'PNG') for digit in digits], photo(digits[0])
    assert predict(pngs[0]).digit == predict(large).digit == 3
    each = lambda f: lambda: lambda: [f(png) for png in pngs]
    return {'prepare 20 PNGs of 28x28': each(to_mnist), 'predict them, linear': each(predict), 'predict them, cnn': each(lambda png: predict(png, 'cnn')),
            'predict one photo of 12 megapixels': lambda: lambda: predict(large)}


def batched(s):
    "Makers of the logits of 1,000 prepared images, so many at a time; milliseconds of a thousand are microseconds of one."
    def maker(model, size):
        def run():
            with torch.inference_mode():
                for xb in s.valid_x[:1000].split(size): model(xb)
        return lambda: run
    return {f'{name}, {size} at a time': maker(load_model(name), size) for name in ('linear', 'cnn') for size in (1, 8, 32, 128, 1000)}


PROGRAMS = {  # what a fresh Python runs, and is timed and weighed doing
    'nothing': 'pass',
    'import torch': 'import torch',
    'import mnist_nbdev.predict': 'import mnist_nbdev.predict',
    'predict(a small photo)': "from mnist_nbdev.predict import ASSETS, predict; predict(ASSETS/'example-3-photo-of-a-seven.jpg')",
    'load_sample()': 'from mnist_nbdev.data import load_sample; s = load_sample()',
    'fit(load_sample())': 'from mnist_nbdev.data import load_sample; from mnist_nbdev.train import fit; fit(load_sample())',
    'the same, shuffled': 'from mnist_nbdev.data import load_sample; from mnist_nbdev.train import fit; fit(load_sample(), shuffle=True)'}
WATCH = '''import resource, sys, time
start = time.perf_counter()
{}
print(1e3*(time.perf_counter() - start), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss*(1 if sys.platform == 'darwin' else 1024)/1e6)'''
# Linux counts into a process's peak what its parent held when it started it; so a small parent
LAUNCH = 'import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))'


def fresh(program):
    "Milliseconds and peak megabytes of a program in a process of its own."
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}
    done = subprocess.run([sys.executable, '-c', LAUNCH, sys.executable, '-c', WATCH.format(program)], env=env, check=True, capture_output=True, text=True)
    return [round(float(v), 2) for v in done.stdout.split()]


def start_ups(rounds):
    "Milliseconds and peak megabytes of the programs, by turns; a first round fills the page cache and is not counted."
    seen = {name: [] for name in PROGRAMS}
    for _ in tqdm(range(rounds + 1), 'fresh processes'):
        for name, program in PROGRAMS.items(): seen[name].append(fresh(program))
    return ({name: [row[i] for row in rows[1:]] for name, rows in seen.items()} for i in (0, 1))


# Everything

def machine():
    "What it ran on."
    return {'cpu': processor(), 'cores': os.cpu_count(), 'system': platform.system(), 'threads': torch.get_num_threads()}


def bench(quick):
    "All tables; see the tutorial for what they say."
    n = lambda rounds: 2 if quick else rounds
    start_ms, peak_mb = start_ups(1 if quick else 3)
    s = data.load_sample()
    Centred, _, deal, ours = from_notebook('Centred', 'endless', 'deal', 'fast_fit')
    loops = epochs(s)
    check_same(loops)
    early = stop_early(s, quick)
    runs = contestants(s, ours, Centred, early)
    errors = {name: count(name, run, s, 3 if quick else 20) for name, run in {**variants(s, ours), **{name: run for name, run in runs.items() if name != 'ours'}}.items()}
    choice = choose(s, ours, quick)
    seeds = iter(range(10**9))
    times = {'epoch': by_turns('epoch', n(40), {name: lambda make=make: make()[1] for name, make in loops.items()}),
             'order': by_turns('order', n(20), orders(s, deal)),
             'accuracy': by_turns('time to 98.4%', n(15), {name: lambda run=run: lambda: run(next(seeds)%20) for name, run in runs.items()}),
             'all cores': by_turns('the same on all cores', n(5), {name: lambda run=run: lambda: on_all_cores(run)(next(seeds)%20) for name, run in runs.items()}),
             'predict': by_turns('predict', n(15), predictions(s)),
             'batched': by_turns('batched', n(7), batched(s))}
    with tempfile.TemporaryDirectory() as folder:
        files = write_folder(Path(folder), .05 if quick else 1)
        loads = {'load_sample()': lambda: data.load_sample, f'load_sample(folder of {files:,} PNGs)': lambda: lambda: data.load_sample(folder)}
        times['load'] = by_turns('load', n(5), loads)
    ratios = {what: {name: ratio(ms, next(iter(rows.values()))) for name, ms in rows.items()} for what, rows in times.items()}
    packages = ('torch', 'numpy', 'scikit-learn', 'fastai', 'pillow')
    return {'date': datetime.date.today().isoformat(), 'quick': quick, 'machine': machine(),
            'versions': {'python': platform.python_version(), **{name: importlib.metadata.version(name) for name in packages}},
            'goals': list(judge(times)), 'milliseconds': times, 'ratios': ratios,
            'start_ms': start_ms, 'peak_mb': peak_mb,
            'calls': {name: calls(make()[1]) for name, make in loops.items()},
            'errors': errors, 'stopped_early': early, 'choice': choice}


GOALS = (  # what should be true of a median ratio: table, what, over what, at least or at most
    ('epoch', 'by hand', 'the two products', 'at most', 1.35),
    ('epoch', 'fastai Learner', 'by hand', 'at least', 8),
    ('accuracy', 'ours', 'LogisticRegression', 'at most', 1))


def judge(times):
    "Each goal with the quartiles of its ratio, and whether the median meets it."
    for table, a, b, how, bound in GOALS:
        low, mid, high = ratio(times[table][a], times[table][b])
        yield {'table': table, 'what': a, 'over': b, 'goal': f'{how} {bound}', 'ratio': [low, mid, high], 'met': mid <= bound if how == 'at most' else mid >= bound}


def table(result):
    "The results as text: medians, and ratios to the first of each table with their quartiles."
    for what, times in result['milliseconds'].items():
        yield f'\n{what:42} {"median, ms":>12}   times the first (middle half)'
        for name, ms in times.items():
            low, mid, high = result['ratios'][what][name]
            yield f'  {name:40} {np.median(ms):12,.3f}   {mid:9,.2f} ({low:,.2f} to {high:,.2f})'
    yield f'\n{"a fresh Python that runs":42} {"median, ms":>12}   peak MB'
    for name, ms in result['start_ms'].items(): yield f'  {name:40} {np.median(ms):12,.0f}   {np.median(result["peak_mb"][name]):9,.0f}'
    yield '\nerrors of 2,038'
    for name, errors in result['errors'].items(): yield f'  {name:40} {np.mean(errors):12.1f}   at most {TARGET} in {np.sum(np.array(errors) <= TARGET)} of {len(errors)}'
    yield '\ngoals, of median ratios'
    for goal in result['goals']:
        low, mid, high = goal['ratio']
        yield f'  {goal["what"]} over {goal["over"]}, {goal["goal"]}: {mid:.2f} ({low:.2f} to {high:.2f}), {"met" if goal["met"] else "NOT MET"}'


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='a little of everything, in about a minute; stored only with --out')
    parser.add_argument('--out', type=Path, help=f'where to store the times; without --quick the default is {NOTEBOOK.with_suffix(".json").relative_to(ROOT)}')
    args = parser.parse_args()
    default_device(False)
    warnings.simplefilter('ignore', ConvergenceWarning)  # of what is stopped early on purpose
    torch.set_num_threads(1)
    start = time.perf_counter()
    with threadpool_limits(1): result = bench(args.quick)
    result['seconds'] = round(time.perf_counter() - start)
    print(*table(result), f'\n{result["seconds"]} seconds', sep='\n')
    out = args.out or (None if args.quick else NOTEBOOK.with_suffix('.json'))
    if out: out.write_text(as_text(result) + '\n', encoding='utf-8')
