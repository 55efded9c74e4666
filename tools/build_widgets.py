"""Write the data of the pages that learn, nbs/widgets/*.{json,bin}, from the assets.

    python tools/build_widgets.py [--check]

linear.json    the 785 numbers of the linear model that ships
network.bin    the numbers of the network that ships, float32, deflated
digits.bin     threes and sevens, 784 bytes each, deflated: first the training images,
               then those held back; digits.json has their labels
drawings.json  100 drawings as strokes of a pen, in pixels of a pad of 140: validation
               digits, traced along the middle of their ink
"""
import json
import zlib
from pathlib import Path

import numpy as np
import torch
from made import parser, write
from skimage.measure import approximate_polygon
from skimage.morphology import skeletonize
from torch.nn.functional import interpolate

from mnist_nbdev.data import load_sample
from mnist_nbdev.ship import load_model

HERE = Path(__file__).resolve().parents[1]/'nbs'/'widgets'
TRAIN, VALID, DRAWINGS = 800, 200, 100


def as_json(value):
    "JSON in bytes, without spaces."
    return (json.dumps(value, separators=(',', ':')) + '\n').encode()


def linear():
    "The weights, each with the fewest digits that single precision needs."
    w, b = (param.flatten().numpy() for param in load_model('linear'))
    shortest = [float(str(weight)) for weight in w]
    return {'linear.json': as_json({'w': shortest, 'b': float(str(b[0]))})}


def network():
    "The network's numbers in order, each normalisation folded into its filters."
    net, parts = load_model('cnn'), []
    for conv, norm in ((net[1], net[2]), (net[5], net[6]), (net[9], net[10])):
        scale = norm.weight/(norm.running_var + norm.eps).sqrt()
        shift = norm.bias - scale*norm.running_mean
        parts += [conv.weight*scale[:, None, None, None], shift]
    for line in (net[14], net[16]): parts += [line.weight, line.bias]
    numbers = torch.cat([part.detach().flatten() for part in parts])
    return {'network.bin': zlib.compress(numbers.numpy().astype('<f4').tobytes(), 9)}


def digits(s):
    "The first of a shuffle of the training images, and of the validation images."
    generator = torch.Generator().manual_seed(0)
    train = torch.randperm(len(s.train_x), generator=generator)[:TRAIN]
    valid = torch.randperm(len(s.valid_x), generator=generator)[:VALID]
    images = torch.cat([s.train_x[train], s.valid_x[valid]])
    labels = torch.cat([s.train_y[train], s.valid_y[valid]])[:, 0]
    pixels = (255*images).round().byte().numpy()
    text = ''.join('3' if y else '7' for y in labels)
    return {'digits.bin': zlib.compress(pixels.tobytes(), 9),
            'digits.json': as_json({'labels': text, 'train': TRAIN})}


def neighbours(point, left):
    "The points of a skeleton beside one."
    row, col = point
    around = [(row + dr, col + dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1)]
    return [q for q in around if q in left and q != point]


def straightest(path, ahead):
    "The next point with which a path turns as little as possible."
    heading = np.subtract(path[-1], path[max(0, len(path) - 8)])

    def straight(q):
        step = np.subtract(q, path[-1])
        return step @ heading/np.linalg.norm(step)
    return max(sorted(ahead), key=straight)


def trace(image):
    "The strokes that draw a digit of 28x28, along its skeleton."
    ink = torch.as_tensor(image).double().reshape(1, 1, 28, 28)
    large = interpolate(ink, size=(140, 140), mode='bicubic')[0, 0].numpy()
    left = {tuple(p) for p in np.argwhere(skeletonize(large > .50001))}
    strokes = []
    while left:
        ends = [p for p in left if len(neighbours(p, left)) == 1]
        path = [min(ends or left)]
        left.discard(path[0])
        while ahead := neighbours(path[-1], left):
            path.append(straightest(path, ahead))
            left.discard(path[-1])
        if len(path) > 6 or not strokes and not left:  # what is shorter is a spur
            strokes.append(approximate_polygon(np.array(path), 1)[:, ::-1])
    return strokes


def drawings(s):
    "Threes and sevens by turns, each moved, and drawn with one of several pens."
    rng, result = np.random.default_rng(0), []
    rows = [rng.permutation(np.flatnonzero(s.valid_y[:, 0] == y))[:DRAWINGS//2]
            for y in (1, 0)]
    for i in np.stack(rows, 1).ravel():
        scale, shift = rng.uniform(.6, 1.1), rng.uniform(-15, 15, 2)
        moved = [((stroke - 70)*scale + 70 + shift).clip(4, 135).round().astype(int)
                 for stroke in trace(s.valid_x[i])]
        result.append({'digit': 3 if s.valid_y[i] else 7, 'row': int(i),
                       'strokes': [stroke.tolist() for stroke in moved],
                       'radius': float(rng.choice([3.5, 5.5, 8]))})
    return {'drawings.json': as_json(result)}


def files():
    "Every file, and its bytes."
    s = load_sample()
    made = linear() | network() | digits(s) | drawings(s)
    return [(HERE/name, data) for name, data in made.items()]


def same(a, b):
    "Whether two files hold the same; deflated bytes may differ."
    if a[:1] == b'x': a, b = zlib.decompress(a), zlib.decompress(b)
    return a == b


if __name__ == '__main__':
    usage = parser(__doc__)
    usage.add_argument('--check', action='store_true', help='compare only')
    write(files(), usage.parse_args().check, same)
