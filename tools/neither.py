"""Images that are no digit, for `tools/build_nets.py`: letters, scribbles, shapes, textures, silhouettes, cut-up digits.

They teach the networks that there is something else, and are used for nothing but that: scope is judged on other images, though
the noise and shapes among those are of like sorts.
"""
import math
from itertools import cycle, islice
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from tqdm import tqdm

from mnist_nbdev.prepare import centre_by_mass, crop_to_ink, scale_to

FONTS = sorted(p for p in Path(matplotlib.get_data_path(), 'fonts', 'ttf').glob('DejaVu*.ttf') if 'Display' not in p.name)
LETTERS = list('ABCDEFGHJKLMNPRTUVWXYabcdefhkmnprtuvwxyzäß&@#%$?!+=*<>ΔΘΛΞΠΣΦΨΩωπЖЮЯШЙФ')  # without those that look like digits


def canvas(draw, rng, size=112):
    "A picture that `draw` has drawn on, as floats."
    image = Image.new('L', (size, size))
    draw(ImageDraw.Draw(image), rng)
    return np.asarray(image, np.float32)/255


def letter(draw, rng):
    draw.text((56, 56), rng.choice(LETTERS), 255, ImageFont.truetype(str(FONTS[rng.integers(len(FONTS))]), 70), anchor='mm')


def scribble(draw, rng):
    "One to three Bézier curves or polygons."
    width, t = int(rng.integers(3, 16)), np.linspace(0, 1, 40)[:, None]
    for _ in range(rng.integers(1, 4)):
        n = rng.integers(3, 8)
        points = rng.uniform(12, 100, (n, 2))
        if rng.random() < .7: points = sum(math.comb(n - 1, i)*t**i*(1 - t)**(n - 1 - i)*points[i] for i in range(n))
        draw.line([tuple(p) for p in points], 255, width, joint='curve')


def shape(draw, rng):
    "One to three ellipses, rectangles, polygons, arcs and lines, filled or not."
    width, fill = int(rng.integers(3, 14)), 255*int(rng.random() < .5)
    for _ in range(rng.integers(1, 4)):
        (left, right), (top, bottom) = np.sort(rng.uniform(8, 104, (2, 2)))
        box, points = (left, top, right + 6, bottom + 6), [tuple(p) for p in rng.uniform(8, 104, (rng.integers(3, 7), 2))]
        (lambda: draw.ellipse(box, fill, 255, width), lambda: draw.rectangle(box, fill, 255, width), lambda: draw.polygon(points, fill, 255, width),
         lambda: draw.regular_polygon((56, 56, rng.uniform(20, 50)), int(rng.integers(3, 9)), rng.uniform(0, 90), fill, 255, width),
         lambda: draw.arc(box, *rng.uniform(0, 360, 2), 255, width), lambda: draw.line(points[:2], 255, width))[rng.integers(6)]()


def texture(rng, size=56):
    "Noise, fine or smooth, grey or black and white, or stripes."
    smooth = ndimage.gaussian_filter(rng.standard_normal((size, size)), rng.uniform(1, 8))
    smooth = (smooth - smooth.min())/np.ptp(smooth)
    y, x = np.mgrid[:size, :size]
    angle = rng.uniform(0, math.pi)
    stripes = .5 + .5*np.sin(rng.uniform(.1, 1.2)*(x*np.cos(angle) + y*np.sin(angle)))
    return (rng.random((28, 28)), rng.random((28, 28)) < rng.uniform(.03, .6), smooth, smooth > rng.uniform(.4, .7), stripes)[rng.integers(5)].astype(np.float32)


def silhouette(rng, size=64):
    "A filled outline, the same left and right, with a pattern in it."
    across, down = np.abs(np.linspace(-1, 1, size))[None], np.linspace(-1, 1, size)[:, None]
    outline = ndimage.gaussian_filter1d(rng.standard_normal(size), rng.uniform(2, 9))
    mask = across < np.clip(rng.uniform(.25, .7) + .35*outline/abs(outline).max(), .06, 1)[:, None]
    if rng.random() < .4: mask &= (across > rng.uniform(.03, .15)) | (down < rng.uniform(-.6, .3))  # legs
    if rng.random() < .3: mask = mask.T
    return mask*(1 - rng.uniform(0, .8)*np.asarray(Image.fromarray(texture(rng)).resize((size, size))))


def cut(rng, x, y):
    "Digits made into none: turned, mirrored, two beside or over each other."
    one = lambda *digits: x[rng.choice(np.flatnonzero(np.isin(y, digits)))]
    a, b = x[rng.integers(len(x), size=2)]
    gap = np.zeros((20, rng.integers(0, 4)), np.float32)
    return (lambda: np.rot90(one(2, 3, 4, 5, 7), 2*rng.integers(2) + 1), lambda: one(2, 3, 4, 7)[:, ::-1], lambda: np.concatenate([a[4:24, 4:24], gap, b[4:24, 4:24]], 1),
            lambda: np.maximum(a, np.roll(b, rng.integers(-6, 7, 2), (0, 1))), lambda: one(7)[::-1], lambda: one(7)[::-1, ::-1])[rng.integers(6)]()


def neither(n, x, y, seed=0):
    "At most n images of no digit, (n, 784) float32, fitted and centred as MNIST's; `x` (m, 28, 28) and `y` (m,) are digits to cut up."
    rng, images = np.random.default_rng(seed), []
    makers = (lambda: canvas(letter, rng), lambda: canvas(scribble, rng), lambda: canvas(shape, rng), lambda: texture(rng), lambda: silhouette(rng), lambda: cut(rng, x, y))
    order = [0, 1, 5, 0, 2, 4, 1, 5, 3, 0]  # letters are the largest share
    for which in tqdm(islice(cycle(order), n), total=n, desc='neither', disable=None):
        image = np.ascontiguousarray(makers[which](), np.float32)
        if image.max() > .2: images.append(centre_by_mass(scale_to(crop_to_ink(image), 20).clip(0, 1)).ravel())
    return np.stack(images)
