"""Judge `predict` on uploads of every kind, on digits from elsewhere and on what is no digit, and store which were wrong.

    python tools/evaluate.py [-n 100] [--out nbs/uploads.json]

The uploads are made from MNIST's validation images: see nbs/20_uploads.ipynb, which shows the results and
makes some of them again. Debian's package dataset-fashion-mnist and ../shared/data/hwd1000.zip are used where they are.
"""
import argparse
import gzip
import zipfile
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from tables import as_text
from tqdm import tqdm

from mnist_nbdev.data import load_mnist, load_sample
from mnist_nbdev.uploads import COLUMNS, KINDS, ask_all, bench, calibration, noise_and_shapes, tally

ROOT = Path(__file__).parents[1]


def elsewhere():
    "Sets of threes and sevens that are no made uploads: name, images, digits."
    sample, sklearn = load_sample(), load_digits()
    yield 'MNIST, validation', sample.valid_x.reshape(-1, 28, 28).numpy(), np.where(sample.valid_y.flatten(), 3, 7)
    ours = np.isin(sklearn.target, (3, 7))
    yield "scikit-learn's digits, 8x8", (sklearn.images[ours]/16).astype(np.float32), sklearn.target[ours]
    path = ROOT.parent/'shared'/'data'/'hwd1000.zip'
    if not path.exists(): return print(f'{path.name} is not here: left out')
    with zipfile.ZipFile(path) as files:
        names = [name for name in sorted(files.namelist()) if name.endswith('.png') and name.split('/')[1] in '37']
        yield 'HWD-1000, mouse and stylus', [files.read(name) for name in names], [int(name.split('/')[1]) for name in names]


def neither():
    "Sets of images that are neither a three nor a seven: name, images."
    mnist = load_mnist()
    yield "MNIST's other eight digits, validation", mnist.valid_x[~torch.isin(mnist.valid_y, torch.tensor([3, 7]))].reshape(-1, 28, 28).numpy()
    paths = sorted(Path('/usr/share').glob('**/fashion-mnist/t10k-images-idx3-ubyte.gz'))
    if paths: yield 'Fashion-MNIST', (np.frombuffer(gzip.decompress(paths[0].read_bytes()), np.uint8, offset=16)/255).astype(np.float32).reshape(-1, 28, 28)
    else: print('Fashion-MNIST is not here (apt-get install dataset-fashion-mnist): left out')
    yield 'noise and shapes', noise_and_shapes(1500, 0)


def judge(name, images, digits):
    "The counts for one set."
    noted = tally([ask_all(image) for image in tqdm(images, name, disable=None)], digits)
    return {'n': noted['n'], 'refused': len(noted['refused']), 'right': {column: noted['n'] - len(wrong) for column, wrong in noted['wrong'].items()}}


def evaluate(n):
    "Everything: of the made uploads which were wrong, of the other sets how many."
    sample = load_sample()
    judged = {kind: bench(kind, n, sample.valid_x.numpy(), sample.valid_y.numpy()) for kind in tqdm(KINDS, 'kinds', disable=None)}
    noted, p, three = zip(*judged.values())
    eces = {name: round(v, 4) for name, v in calibration(np.concatenate(p), np.concatenate(three)).items()}
    scope = {name: judge(name, images, [0]*len(images)) for name, images in neither()}
    return {'n': n, 'ece': eces, 'elsewhere': {name: judge(name, images, digits) for name, images, digits in elsewhere()},
            'scope': {name: {key: counts[key] for key in ('n', 'refused')} for name, counts in scope.items()}, 'kinds': dict(zip(judged, noted))}


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('-n', type=int, default=100, help='uploads of each kind')
    parser.add_argument('--out', type=Path, default=ROOT/'nbs'/'uploads.json')
    args = parser.parse_args()
    torch.set_num_threads(1)
    result = evaluate(args.n)
    args.out.write_text(as_text(result) + '\n')
    right = {name: 1 - np.mean([len(c['wrong'][name])/c['n'] for c in result['kinds'].values()]) for name in COLUMNS}
    print(f'{args.out.name}: mean over {len(KINDS)} kinds', {name: f'{v:.1%}' for name, v in right.items()}, result['scope'])
