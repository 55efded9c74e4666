"""Send damaged files and odd arrays to `to_mnist`, and fail if any gives neither an image nor a `ValueError` that reads as a sentence.

    python tools/fuzz.py [-n 20000] [--seed 0] [--target to_pixels]
    python tools/fuzz.py --flat 5000

Each input may take 2 seconds and 300 MB, and nothing may be printed. (libtiff alone, which Pillow calls, has something to say about most damaged TIFF files; that is counted.) A failing input is saved, and its path printed. `--flat` predicts that many times, and fails if memory grows.
"""
import argparse
import io
import itertools
import os
import pickle
import re
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections import Counter
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import hypothesis
import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw
from tqdm import tqdm

from mnist_nbdev.predict import predict, to_mnist

SECONDS, MEGABYTES = 2, 300
MODES = ('1', 'L', 'LA', 'La', 'P', 'PA', 'RGB', 'RGBA', 'RGBa', 'RGBX', 'CMYK', 'YCbCr', 'HSV', 'LAB', 'I', 'F', 'I;16', 'I;16B', 'I;16L')


# ── Valid files, to be damaged

def drawing(mode='L', size=(40, 56)):
    "A seven, dark on light, in any mode that Pillow can convert to."
    image = Image.new('RGB', size, 'white')
    ImageDraw.Draw(image).line([(8, 12), (32, 12), (16, 46)], 'navy', 4)
    if mode == 'LA': return Image.merge('LA', [image.convert('L'), Image.eval(image.convert('L'), lambda v: 255 - v)])
    if mode == 'RGBA': image.putalpha(Image.eval(image.convert('L'), lambda v: 255 - v))
    if mode == 'I;16': return Image.fromarray(np.asarray(image.convert('L')).astype(np.uint16)*257)
    return image.convert(mode)


def encoded(mode, format, **options):
    "The bytes of a drawing as a file."
    buffer = io.BytesIO()
    drawing(mode).save(buffer, format, **options)
    return buffer.getvalue()


def run_length_bmp(width=40, height=56):
    "A BMP with run-length compression, which Pillow reads and does not write."
    body = b''.join(bytes([width - 8, 1, 8, 0, 0, 0]) for _ in range(height)) + b'\0\1'
    return b'BM' + struct.pack('<IHHI', 1078 + len(body), 0, 0, 1078) + struct.pack('<IiiHHIIiiII', 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0) + bytes(range(256))*4 + body


def valid_files():
    "Small images in every format that is read, and the ways to store one."
    exif = Image.Exif(); exif[0x0112], exif[0x010e] = 6, 'a seven'
    animated = dict(save_all=True, append_images=[drawing(size=(40, 56)).rotate(a) for a in (9, 18)])
    files = [encoded(mode, 'PNG') for mode in ('1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'I;16')] + [encoded('P', 'PNG', transparency=0), encoded('L', 'PNG', exif=exif), encoded('RGB', 'PNG', **animated)]
    files += [encoded(mode, 'JPEG', progressive=p) for mode in ('L', 'RGB', 'CMYK') for p in (False, True)] + [encoded('RGB', 'JPEG', exif=exif, icc_profile=bytes(300))]
    files += [encoded(mode, 'GIF') for mode in ('1', 'L', 'P')] + [encoded('P', 'GIF', **animated), encoded('P', 'GIF', transparency=0)]
    files += [encoded(mode, 'WEBP', lossless=l) for mode in ('RGB', 'RGBA') for l in (False, True)] + [encoded('RGB', 'WEBP', exif=exif, **animated)]
    files += [encoded(mode, 'TIFF') for mode in ('1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'CMYK', 'I;16', 'I', 'F', 'LAB')]
    files += [encoded('RGB', 'TIFF', compression=c) for c in ('tiff_lzw', 'tiff_adobe_deflate', 'packbits', 'jpeg')] + [encoded('1', 'TIFF', compression=c) for c in ('group3', 'group4')]
    files += [encoded('L', 'TIFF', tiffinfo={0x0112: 6}), encoded('RGB', 'TIFF', compression='tiff_lzw', **animated)]
    return files + [encoded(mode, 'BMP') for mode in ('1', 'L', 'P', 'RGB', 'RGBA')] + [run_length_bmp()]


# ── Damage

def with_checksums(png):
    "A PNG whose checksums are right again, so that what is wrong is read."
    out, at = png[:8], 8
    while at + 12 <= len(png):
        size = int.from_bytes(png[at:at + 4], 'big')
        body = png[at + 4:at + 8 + size]
        out += png[at:at + 4] + body + zlib.crc32(body).to_bytes(4, 'big')
        at += 12 + size
    return out


def damaged(files, rng):
    "One of the files, with one to four things wrong."
    data = bytearray(files[rng.integers(len(files))])
    for _ in range(rng.integers(1, 5)):
        at, length = int(rng.integers(len(data) + 1)), int(rng.integers(1, 40))
        match rng.integers(8):
            case 0: data[at:at + 1] = bytes([data[at] ^ 1 << int(rng.integers(8))]) if at < len(data) else b''  # a bit
            case 1: data[at:at + length] = rng.bytes(length)
            case 2: del data[at:]  # cut off
            case 3: del data[at:at + length]
            case 4: data[at:at] = data[at - length:at]*int(rng.integers(1, 9))  # repeated
            case 5: other = files[rng.integers(len(files))]; data[at:] = other[min(at, len(other)):]  # spliced
            case 6: data[(at := at % 64):at + 2] = rng.bytes(2)  # in the header
            case 7:  # a length or size, wherever it is
                value = int(rng.choice([0, 1, 2, 255, 256, 5000, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1]))
                size = int(rng.choice([2, 4]))
                data[at:at + size] = (value % 256**size).to_bytes(size, ('big', 'little')[rng.integers(2)])
    if data.startswith(b'\x89PNG') and rng.random() < .7: data = with_checksums(data)
    return bytes(data)


# ── Arrays and images

def odd_arrays():
    "Arrays of every type and of shapes up to five dimensions, many of which are images."
    shapes = st.one_of(hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=40), st.sampled_from([(28, 28), (784,), (1, 28, 28), (28, 28, 3), (28, 28, 4), (1, 1), (1, 300), (300, 1)]))
    types = st.one_of(hnp.scalar_dtypes(), hnp.nested_dtypes(max_leaves=3), st.sampled_from([np.uint8, np.float32, np.float64, bool, object]))
    elements = lambda dtype: st.none() if dtype == object else hnp.from_dtype(np.dtype(dtype))
    plain = types.flatmap(lambda dtype: hnp.arrays(dtype, shapes, elements=elements(dtype), fill=elements(dtype)))
    unit = hnp.arrays(np.float32, shapes, elements=st.floats(0, 1, width=32))
    views = st.sampled_from([lambda a: a, lambda a: a[::-1], lambda a: a.T, lambda a: a[..., ::2] if a.ndim else a, lambda a: np.asfortranarray(a)])
    return st.builds(lambda a, view: view(a) if a.ndim else a, st.one_of(plain, unit), views)


def odd_images():
    "PIL images of every mode and many sizes, with pixels of any bytes."
    def build(mode, size, data, transparency, orientation):
        image = Image.new(mode, size)
        length = len(image.tobytes())
        if length: image.frombytes((data*(length//len(data) + 1))[:length])
        if transparency is not None: image.info['transparency'] = transparency
        if orientation is not None: image.getexif()[0x0112] = orientation
        return image
    sides = st.one_of(st.integers(0, 60), st.sampled_from([1, 28, 1280, 1281, 3000]))
    sizes = st.tuples(sides, sides).filter(lambda size: size[0]*size[1] < 200_000)
    return st.builds(build, st.sampled_from(MODES), sizes, st.binary(min_size=1, max_size=64), st.one_of(st.none(), st.integers(-1, 300), st.binary(max_size=9), st.just((0, 0, 0))), st.one_of(st.none(), st.integers(0, 9), st.just('up')))


def odd_things():
    "What is no image at all, and sketches that hold one or do not."
    no_image = st.one_of(st.none(), st.integers(), st.text(max_size=40), st.binary(max_size=99), st.lists(st.integers(0, 255), max_size=9), st.dictionaries(st.text(max_size=9), st.none(), max_size=3))
    return st.one_of(no_image, st.builds(lambda composite: {'background': None, 'layers': [], 'composite': composite}, st.one_of(no_image, odd_arrays(), odd_images())))


# ── The judge

def is_sentence(text): return bool(re.fullmatch(r'[A-Z].{15,400}[.]', text, re.S)) and ' at 0x' not in text and 'Traceback' not in text


def to_pixels(thing):
    "The reading alone, as a tensor."
    from mnist_nbdev import read
    return torch.from_numpy(read.to_pixels(read.to_image(thing)))


class Judge:
    "Calls the target, counts what comes back, and says what is wrong with it."
    def __init__(self, target):
        self.target, self.counts, self.slowest, self.highest = target, Counter(), 0., 0.
        self.printed = tempfile.TemporaryFile()
        self.terminal = os.fdopen(os.dup(2), 'w')
        os.dup2(self.printed.fileno(), 2)  # C libraries print there

    def close(self):
        "Give the terminal back."
        os.dup2(self.terminal.fileno(), 2)
        self.terminal.close(); self.printed.close()

    def fault(self, thing):
        "What is wrong with the answer, or None."
        before, start, said = getrusage(RUSAGE_SELF).ru_maxrss, time.perf_counter(), os.fstat(self.printed.fileno()).st_size
        wrong = None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            try:
                x = self.target(thing)
                kind = 'images'
                if not (x.dtype == torch.float32 and x.isfinite().all() and x.min() >= 0 and x.max() <= 1): wrong = 'values that are not in [0, 1]'
                if self.target is to_mnist and x.shape != (28, 28): wrong = f'shape {tuple(x.shape)}'
            except ValueError as error:
                kind = 'refusals'
                if not is_sentence(str(error)): wrong = f'not a sentence: {str(error)!r}'
            except Exception: kind, wrong = 'errors', traceback.format_exc()
        seconds, megabytes = time.perf_counter() - start, (getrusage(RUSAGE_SELF).ru_maxrss - before)/1000
        self.counts[kind] += 1
        self.slowest, self.highest = max(self.slowest, seconds), max(self.highest, megabytes)
        if caught: wrong = f'a warning: {caught[0].message}'
        if (now := os.fstat(self.printed.fileno()).st_size) > said:
            if isinstance(thing, bytes) and thing[:2] in (b'II', b'MM'): self.counts['remarks of libtiff'] += 1
            else: wrong = f'printed: {os.pread(self.printed.fileno(), now - said, said)!r}'
        return wrong or (f'{seconds:.1f} s' if seconds > SECONDS else f'{megabytes:.0f} MB' if megabytes > MEGABYTES else None)

    def accept(self, thing):
        "Raise `AssertionError`, after saving the input, if something is wrong with the answer, twice if it was only slow."
        wrong = self.fault(thing)
        if wrong and wrong.endswith(' s'): wrong = self.fault(thing)
        if not wrong: return
        self.counts['faults'] += 1
        if self.counts['faults'] > 20: raise AssertionError(wrong)
        path = Path(tempfile.mkdtemp(prefix='fuzz-'))/'input'
        path.write_bytes(thing if isinstance(thing, bytes) else pickle.dumps(thing))
        raise AssertionError(f'{wrong}\n  saved as {path} ({"a file" if isinstance(thing, bytes) else "a pickle of a " + type(thing).__name__})')


def fuzz(judge, n, seed):
    "Judge n inputs, two thirds of them damaged files; returns what failed."
    rng, files, failures = np.random.default_rng(seed), valid_files(), []
    with tqdm(total=n, file=judge.terminal, disable=None) as bar:
        def judged(thing):
            bar.update()
            judge.accept(thing)
        for data in itertools.chain(files, (damaged(files, rng) for _ in range(n*2//3))):
            try: judged(data)
            except AssertionError as error: failures.append(str(error))
        for strategy in (odd_arrays(), odd_images(), odd_things()):
            test = hypothesis.given(strategy)(judged)
            test = hypothesis.settings(max_examples=n//9, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck))(test)
            try: hypothesis.seed(seed)(test)()
            except (AssertionError, ExceptionGroup) as error: failures.append(str(error))
    return failures


def resident():
    "Megabytes in use by this process."
    return int(Path('/proc/self/statm').read_text().split()[1])*os.sysconf('SC_PAGE_SIZE')/1e6


def growth(n):
    "Megabytes that n predictions add, after a tenth as many to warm up."
    files = valid_files()
    def one(i):
        try: predict(files[i % len(files)])
        except ValueError: pass
    for i in range(n//10): one(i)
    before = resident()
    for i in tqdm(range(n), disable=None): one(i)
    return resident() - before


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('-n', type=int, default=20_000, help='how many inputs')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--target', choices=('to_mnist', 'to_pixels'), default='to_mnist')
    parser.add_argument('--flat', type=int, metavar='N', help='predict N times, and fail if memory grows by more than 20 MB')
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.flat:
        grown = growth(args.flat)
        print(f'{args.flat:,} predictions: memory grew by {grown:.1f} MB')
        sys.exit(grown > 20)
    judge = Judge({'to_mnist': to_mnist, 'to_pixels': to_pixels}[args.target])
    try: failures = fuzz(judge, args.n, args.seed)
    finally: judge.close()
    print(f'{sum(judge.counts[kind] for kind in ("images", "refusals", "errors")):,} inputs: ' + ', '.join(f'{count:,} {kind}' for kind, count in judge.counts.items() if kind != 'faults') + f'; the slowest took {judge.slowest:.2f} s, memory rose by at most {judge.highest:.0f} MB; {len(failures)} failed')
    for failure in failures[:20]: print(failure)
    sys.exit(bool(failures))
