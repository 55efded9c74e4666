"""Write the data of the pages that learn, nbs/widgets/*.{json,bin}, from the package's assets.

    python tools/build_widgets.py [--check]

linear.json    the 785 numbers of the line that ships
digits.bin     real threes and sevens, 784 bytes each, deflated; digits.json tells which they are: first the training images, then those held back
drawings.json  100 drawings as strokes of a pen, in pixels of a pad of 140: validation digits, traced along the middle of their ink
"""
import argparse
import json
import zlib
from pathlib import Path

import numpy as np
import torch
from skimage.measure import approximate_polygon
from skimage.morphology import skeletonize

from mnist_nbdev.data import load_sample
from mnist_nbdev.predict import load_model

HERE = Path(__file__).resolve().parents[1]/'nbs'/'widgets'
TRAIN, VALID, DRAWINGS = 800, 200, 100


def write_json(value): return (json.dumps(value, separators=(',', ':')) + '\n').encode()


def linear():
    "The weights, each with the fewest digits that single precision needs."
    shortest = lambda t: [float(str(np.float32(v))) for v in t.flatten()]
    model = load_model('linear')
    return {'linear.json': write_json({'w': shortest(model.w), 'b': shortest(model.b)[0]})}


def digits(s):
    "The first of a shuffle, seed 0, of the training images, and of the validation images."
    generator = torch.Generator().manual_seed(0)
    train, valid = (torch.randperm(len(x), generator=generator)[:n] for x, n in ((s.train_x, TRAIN), (s.valid_x, VALID)))
    images = torch.cat([s.train_x[train], s.valid_x[valid]])
    labels = torch.cat([s.train_y[train], s.valid_y[valid]])[:, 0]
    return {'digits.bin': zlib.compress((255*images).round().byte().numpy().tobytes(), 9),
            'digits.json': write_json({'labels': ''.join('3' if y else '7' for y in labels), 'train': TRAIN})}


def trace(image):
    "The strokes that draw a digit of 28x28: along its skeleton, each as far as it leads, turning as little as possible."
    large = torch.nn.functional.interpolate(torch.as_tensor(image).double().reshape(1, 1, 28, 28), size=(140, 140), mode='bicubic')[0, 0].numpy()
    left = {tuple(p) for p in np.argwhere(skeletonize(large > .50001))}
    near = lambda p: [q for dr in (-1, 0, 1) for dc in (-1, 0, 1) if (q := (p[0] + dr, p[1] + dc)) in left and q != p]
    strokes = []
    while left:
        ends = [p for p in left if len(near(p)) == 1] or left
        path = [min(ends)]
        left.discard(path[0])
        while ahead := near(path[-1]):
            heading = np.subtract(path[-1], path[max(0, len(path) - 8)])
            path.append(max(sorted(ahead), key=lambda q: np.subtract(q, path[-1]) @ heading/np.linalg.norm(np.subtract(q, path[-1]))))
            left.discard(path[-1])
        if len(path) > 6 or not strokes and not left: strokes.append(approximate_polygon(np.array(path), 1)[:, ::-1])
    return strokes


def drawings(s):
    "Fifty threes and fifty sevens, by turns, each moved, and drawn with one of several pens."
    rng, result = np.random.default_rng(0), []
    rows = np.stack([rng.permutation(np.flatnonzero(s.valid_y[:, 0] == y))[:DRAWINGS//2] for y in (1, 0)], 1).ravel()
    for i in rows:
        scale, shift = rng.uniform(.6, 1.1), rng.uniform(-15, 15, 2)
        strokes = [np.clip((stroke - 70)*scale + 70 + shift, 4, 135).round().astype(int).tolist() for stroke in trace(s.valid_x[i])]
        result.append({'digit': 3 if s.valid_y[i] else 7, 'row': int(i), 'strokes': strokes, 'radius': float(rng.choice([3.5, 5.5, 8]))})
    return {'drawings.json': write_json(result)}


def files():
    "Every file, by name, as bytes."
    s = load_sample()
    return linear() | digits(s) | drawings(s)


def differences():
    "Complain of each committed file that is not what the package gives; deflated bytes may differ where what they hold does not."
    plain = lambda name, data: zlib.decompress(data) if name.endswith('.bin') else data
    return [f'{name} is not what tools/build_widgets.py writes' for name, data in files().items() if plain(name, (HERE/name).read_bytes()) != plain(name, data)]


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true', help='compare with the committed files instead of writing them')
    if parser.parse_args().check:
        if found := differences(): raise SystemExit('\n'.join(found))
    else:
        for name, data in files().items():
            (HERE/name).write_bytes(data)
            print(f'{name}: {len(data):,} bytes')
