"""Damaged files and odd arrays: an image, or a refusal that reads as a sentence.

More of them: `pytest tests/test_damaged.py --hypothesis-profile long`.
"""

import io
import re
import struct
import time
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from helpers import PATIENCE
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw

from mnist_nbdev.predict import predict
from mnist_nbdev.prepare import to_mnist

SIZE = 40, 56
MODES = '1 L LA La P PA RGB RGBA RGBa RGBX CMYK YCbCr HSV LAB I F I;16 I;16B I;16L'
ORIENTATION, DESCRIPTION = 0x0112, 0x010e


# ---- valid files, to be damaged


def drawing(mode='L'):
    "A seven, dark on light."
    image = Image.new('RGB', SIZE, 'white')
    ImageDraw.Draw(image).line([(8, 12), (32, 12), (16, 46)], 'navy', 4)
    grey = image.convert('L')
    ink = Image.eval(grey, lambda v: 255 - v)
    if mode == 'LA': return Image.merge('LA', [grey, ink])
    if mode == 'I;16':
        return Image.fromarray(np.asarray(grey).astype(np.uint16)*257)
    if mode == 'RGBA': image.putalpha(ink)
    return image.convert(mode)


def encoded(format, modes, **options):
    "Drawings as files, one for each mode."
    for mode in modes.split():
        buffer = io.BytesIO()
        drawing(mode).save(buffer, format, **options)
        yield buffer.getvalue()


def run_length_bmp():
    "A BMP with run-length compression, which Pillow reads and does not write."
    width, height = SIZE
    body = bytes([width - 8, 1, 8, 0, 0, 0])*height + b'\0\1'
    n = len(body)
    facts = 1078 + n, 0, 1078, 40, width, height, 1, 8, 1, n, 0, 0, 256, 0
    return b'BM' + struct.pack('<6I2H6I', *facts) + bytes(range(256))*4 + body


def valid_files():
    "Small images in every format that is read, and the ways to store one."
    exif = Image.Exif()
    exif[ORIENTATION], exif[DESCRIPTION] = 6, 'a seven'
    turned = [drawing().rotate(angle) for angle in (9, 18)]
    animated = dict(save_all=True, append_images=turned)
    yield from encoded('PNG', '1 L LA P RGB RGBA I;16')
    yield from encoded('PNG', 'P', transparency=0)
    yield from encoded('PNG', 'L', exif=exif)
    yield from encoded('PNG', 'RGB', **animated)
    yield from encoded('JPEG', 'L RGB CMYK')
    yield from encoded('JPEG', 'L RGB CMYK', progressive=True)
    yield from encoded('JPEG', 'RGB', exif=exif, icc_profile=bytes(300))
    yield from encoded('GIF', '1 L P')
    yield from encoded('GIF', 'P', **animated)
    yield from encoded('GIF', 'P', transparency=0)
    yield from encoded('WEBP', 'RGB RGBA')
    yield from encoded('WEBP', 'RGB RGBA', lossless=True)
    yield from encoded('WEBP', 'RGB', exif=exif, **animated)
    yield from encoded('TIFF', '1 L LA P RGB RGBA CMYK I;16 I F LAB')
    for compression in ('tiff_lzw', 'tiff_adobe_deflate', 'packbits', 'jpeg'):
        yield from encoded('TIFF', 'RGB', compression=compression)
    for compression in ('group3', 'group4'):
        yield from encoded('TIFF', '1', compression=compression)
    yield from encoded('TIFF', 'L', tiffinfo={ORIENTATION: 6})
    yield from encoded('TIFF', 'RGB', compression='tiff_lzw', **animated)
    yield from encoded('BMP', '1 L P RGB RGBA')
    yield run_length_bmp()


FILES = list(valid_files())


# ---- damage


def with_checksums(png):
    "A PNG whose checksums are right again, so that what is wrong is read."
    out, at = png[:8], 8
    while at + 12 <= len(png):
        end = at + 8 + int.from_bytes(png[at:at + 4], 'big')
        out += png[at:end] + zlib.crc32(png[at + 4:end]).to_bytes(4, 'big')
        at = end + 4
    return out


LENGTHS = 0, 1, 2, 255, 256, 5000, 2**16 - 1, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1
NUMBERS = st.sampled_from([
    (value % 256**size).to_bytes(size, order)
    for value in LENGTHS for size in (2, 4) for order in ('big', 'little')
])
SHORT = st.binary(min_size=1, max_size=40)


@st.composite
def damaged(draw):
    "One of the files, with one to four things wrong."
    data = draw(st.sampled_from(FILES))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        n = draw(st.integers(1, 40))
        head, part, tail = data[:at], data[at:at + n], data[at + n:]
        number, noise = draw(NUMBERS), draw(SHORT)
        early = at % 64
        flipped = bytes(byte ^ 1 << n % 8 for byte in part[:1])
        data = draw(st.sampled_from([
            head + flipped + data[at + 1:],
            head + noise + data[at + len(noise):],
            head,
            head + tail,
            head + head[-n:]*(n % 8 + 1) + data[at:],
            head + draw(st.sampled_from(FILES))[at:],
            data[:early] + noise[:2] + data[early + 2:],
            head + number + data[at + len(number):],
        ]))
    if data.startswith(b'\x89PNG') and draw(st.integers(0, 9)) < 7:
        data = with_checksums(data)
    return data


# ---- odd arrays, images and things

IMAGE_SHAPES = [(28, 28), (784,), (1, 28, 28), (28, 28, 3), (28, 28, 4), (1, 300)]
SHAPES = st.sampled_from(IMAGE_SHAPES) | hnp.array_shapes(
    min_dims=0, max_dims=5, min_side=0, max_side=40
)
USUAL = st.sampled_from([np.uint8, np.float32, np.float64, bool, object])
TYPES = hnp.scalar_dtypes() | hnp.nested_dtypes(max_leaves=3) | USUAL
VIEWS = st.sampled_from([
    lambda a: a,
    lambda a: a[::-1] if a.ndim else a,
    lambda a: a.T,
    lambda a: a[..., ::2] if a.ndim else a,
    np.asfortranarray,
])


@st.composite
def odd_arrays(draw):
    "Arrays of every type and up to five dimensions, many of which are images."
    shape = draw(SHAPES)
    if draw(st.booleans()):
        dtype, elements = np.float32, st.floats(0, 1, width=32)
    else:
        dtype = draw(TYPES)
        elements = st.none() if dtype is object else hnp.from_dtype(np.dtype(dtype))
    return draw(VIEWS)(draw(hnp.arrays(dtype, shape, elements=elements, fill=elements)))


@st.composite
def odd_images(draw):
    "PIL images of every mode and many sizes, with pixels of any bytes."
    side = st.one_of(st.integers(0, 60), st.sampled_from([1, 28, 1280, 1281, 3000]))
    size = draw(st.tuples(side, side).filter(lambda size: size[0]*size[1] < 200_000))
    image = Image.new(draw(st.sampled_from(MODES.split())), size)
    n, data = len(image.tobytes()), draw(st.binary(min_size=1, max_size=64))
    if n: image.frombytes((data*(n//len(data) + 1))[:n])
    transparency = st.integers(-1, 300) | st.binary(max_size=9) | st.just((0, 0, 0))
    if draw(st.booleans()):
        image.info['transparency'] = draw(transparency)
    if draw(st.booleans()):
        image.getexif()[ORIENTATION] = draw(st.integers(0, 9) | st.just('up'))
    return image


INTEGERS, TEXTS = st.integers(), st.text(max_size=9)
LISTS = st.lists(INTEGERS, max_size=9) | st.dictionaries(TEXTS, st.none(), max_size=3)
NO_IMAGES = st.none() | INTEGERS | TEXTS | st.binary(max_size=99) | LISTS
THINGS = NO_IMAGES | odd_arrays() | odd_images()
SKETCHES = THINGS.map(lambda a: {'background': None, 'layers': [], 'composite': a})


# ---- the judge


def highest():
    "The most megabytes that this process held."
    status = Path('/proc/self/status').read_text('utf-8')
    return int(re.search(r'VmHWM:\s+(\d+)', status)[1])/1000


def resident(): return psutil.Process().memory_info().rss/1e6


def is_sentence(text):
    whole = re.fullmatch(r'[A-Z].{15,400}[.]', text, re.S)
    return whole and ' at 0x' not in text and 'Traceback' not in text


def judge(thing, capfd):
    "The answer must be 28x28 in [0, 1] or a sentence, soon, in little memory, quietly."
    before = resident()
    Path('/proc/self/clear_refs').write_text('5', 'utf-8')  # forget the highest
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        try:
            x, refusal = to_mnist(thing), None
        except ValueError as error:
            refusal = str(error)
    seconds = time.perf_counter() - began
    if refusal is None:
        assert x.shape == (28, 28) and x.dtype == torch.float32
        assert x.isfinite().all() and 0 <= x.min() and x.max() <= 1
    else:
        assert is_sentence(refusal), refusal
    ours = [w for w in caught if '/PIL/' not in w.filename]  # Pillow's are the caller's
    assert ours == []
    libtiff = isinstance(thing, bytes) and thing[:2] in (b'II', b'MM')
    said = ''.join(capfd.readouterr())
    assert libtiff or not said  # libtiff alone has something to say
    assert highest() - before < 300
    return seconds


def check(thing, capfd):
    "Judge a thing, and once more if it was only slow."
    assert judge(thing, capfd) < 2*PATIENCE or judge(thing, capfd) < 2*PATIENCE


@pytest.mark.parametrize('i', range(len(FILES)))
def test_valid(i, capfd):
    check(FILES[i], capfd)


@settings(max_examples=5*settings().max_examples)
@given(data=damaged())
def test_damaged(data, capfd):
    check(data, capfd)


@given(thing=THINGS | SKETCHES)
def test_odd(thing, capfd):
    check(thing, capfd)


def test_flat():
    "Memory does not grow with predictions."

    def some(n):
        for i in range(n):
            with suppress(ValueError):
                predict(FILES[i % len(FILES)])

    some(100)
    before = resident()
    some(1000)
    assert resident() - before < 20
