"""Make the example pictures of the demo again, from digits that no model has seen.

    python tools/build_examples.py
"""
import io

import numpy as np
from PIL import Image, ImageDraw

from mnist_nbdev.data import ASSETS, load_mnist, load_sample
from mnist_nbdev.uploads import KINDS

SIDE = 320  # of the longer side, at most
PICTURES = (  # the kind of upload, the number of the validation image, and a name
    ('enlarged', 100, 'three'),
    ('mouse drawing', 1200, 'seven drawn with a mouse'),
    ('ruled paper', 250, 'three on ruled paper'),
    ('phone photo', 1500, 'photo of a seven'),
    ('faint pencil', 600, 'three in faint pencil'),
    ('blackboard', 1700, 'seven on a blackboard'),
    ('tiny 8x8', 420, 'three of eight by eight pixels'),
    ('enlarged', 1917, 'barred seven'),  # which the linear model misreads
)


def small(x, kind, seed):
    "An upload as a picture, no larger than it need be."
    data = KINDS[kind](x.reshape(28, 28).numpy(), np.random.default_rng(seed))
    image = Image.open(io.BytesIO(data)).convert('RGB')
    image.thumbnail((SIDE, SIDE))
    return image


def smile():
    "What is no digit at all."
    image = Image.new('RGB', (280, 280), 'white')
    draw = ImageDraw.Draw(image)
    draw.ellipse((60, 60, 220, 220), outline='black', width=10)
    draw.arc((95, 95, 185, 185), 20, 160, 'black', 10)
    for x in (110, 160): draw.ellipse((x, 110, x + 14, 128), fill='black')
    return image


if __name__ == '__main__':
    s, m = load_sample(), load_mnist()
    five = m.valid_x[m.valid_y == 5][10]
    pictures = {name: small(s.valid_x[i], kind, i) for kind, i, name in PICTURES}
    pictures['five on ruled paper'] = small(five, 'ruled paper', 0)
    pictures['smiling face'] = smile()
    for old in ASSETS.glob('example-*'): old.unlink()
    for i, (name, picture) in enumerate(pictures.items()):
        path = ASSETS/f'example-{i}-{name.replace(" ", "-")}.jpg'
        picture.save(path, quality=80, optimize=True)
        print(f'{path.name}: {path.stat().st_size:,} bytes')
