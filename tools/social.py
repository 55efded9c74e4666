"""Draw nbs/social.png, the card that a link to the site shows, from the bundled digits.

    python tools/social.py
"""
import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from mnist_nbdev.data import load_sample

PATH = Path(__file__).parents[1]/'nbs'/'social.png'
THREE, SEVEN, INK, SOFT = '#0072B2', '#D55E00', '#1f252c', '#56606b'
ROWS, COLS, SIZE = 9, 9, 70  # 9 rows of 70 pixels are the card's 630
WORDS = 'Teach a machine to tell\na handwritten 3 from a 7,\nfrom scratch, in the open'


def tile(digit, colour):
    "One digit of 784 pixels as a picture, its ink in a colour on white."
    grey = Image.fromarray((digit.reshape(28, 28).numpy()*255).astype(np.uint8))
    ink = np.asarray(grey.resize((SIZE, SIZE), Image.Resampling.LANCZOS))[..., None]/255
    return 1 - ink*(1 - np.array(to_rgb(colour)))


def mosaic(seed=37):
    "Threes and sevens in random order, in their colours."
    s, rng = load_sample(), np.random.default_rng(seed)
    chosen = rng.choice(len(s.train_x), ROWS*COLS, replace=False)
    tiles = [tile(s.train_x[i], THREE if s.train_y[i] else SEVEN) for i in chosen]
    rows = [np.concatenate(tiles[at:at + COLS], 1) for at in range(0, ROWS*COLS, COLS)]
    return np.concatenate(rows)


def card():
    "The whole card, 1200 by 630: words on the left, digits on the right."
    fig = plt.figure(figsize=(12, 6.3), dpi=100, facecolor='white')
    fig.figimage(mosaic(), xo=1200 - COLS*SIZE, yo=0)
    fig.text(.06, .66, 'mnist_nbdev', size=46, weight='bold', color=INK)
    fig.text(.06, .31, WORDS, size=25, color=SOFT, linespacing=1.5)
    for x, colour in ((.06, THREE), (.155, SEVEN)):
        fig.add_artist(plt.Rectangle((x, .575), .095, .012, color=colour))
    buffer = io.BytesIO()
    fig.savefig(buffer)
    return Image.open(buffer).convert('RGB').quantize(64, dither=Image.Dither.NONE)


if __name__ == '__main__':
    with plt.style.context('default'): card().save(PATH, optimize=True)
    print(f'{PATH.name}: {PATH.stat().st_size:,} bytes')
