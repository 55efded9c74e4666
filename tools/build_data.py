"""Build mnist_nbdev/assets/mnist-{0..9}.npz, one file a digit, from MNIST's IDX files.

    python tools/build_data.py ../shared/data/mnist [--check]

The unpacked IDX files must have the SHA-256 sums of the original distribution.
`--check` builds into memory and fails if the committed assets hold anything else.
"""
import gzip
import hashlib
import io
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from made import parser, write

ASSETS = Path(__file__).parents[1]/'mnist_nbdev'/'assets'
SHA256 = {  # of the unpacked files, as first distributed by LeCun, Cortes and Burges
    'train-images-idx3-ubyte':
        'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
    'train-labels-idx1-ubyte':
        '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
    't10k-images-idx3-ubyte':
        '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
    't10k-labels-idx1-ubyte':
        'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
}


def read_idx(folder, name):
    """The array in one gzipped IDX file.

    A magic number, whose last byte counts the dimensions; the dimensions; the bytes."""
    raw = gzip.decompress((folder/f'{name}.gz').read_bytes())
    if hashlib.sha256(raw).hexdigest() != SHA256[name]:
        raise SystemExit(f'{name} is not the original: its SHA-256 differs')
    dims = np.frombuffer(raw, '>i4', count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4*raw[3]).reshape(dims)


def pack(splits, digit):
    "The bytes of one digit's npz: its images, and where each stood in MNIST."
    arrays = {}
    for split, (images, labels) in splits.items():
        index = np.flatnonzero(labels == digit)
        arrays[split] = images[index]
        arrays[f'{split}_index'] = index.astype(np.int32)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def files(folder):
    "Each asset, and its bytes."
    splits = {
        split: [read_idx(folder, f'{prefix}-{kind}')
                for kind in ('images-idx3-ubyte', 'labels-idx1-ubyte')]
        for split, prefix in (('train', 'train'), ('valid', 't10k'))
    }
    for digit in range(10): yield ASSETS/f'mnist-{digit}.npz', pack(splits, digit)


def contents(npz):
    "The arrays in an npz's bytes, to compare two of them whatever zlib packed them."
    with ZipFile(io.BytesIO(npz)) as file:
        return {name: file.read(name) for name in file.namelist()}


def same(a, b): return contents(a) == contents(b)


if __name__ == '__main__':
    usage = parser(__doc__)
    usage.add_argument('folder', type=Path, help='holds the four *-ubyte.gz files')
    usage.add_argument('--check', action='store_true', help='compare only')
    args = usage.parse_args()
    write(files(args.folder), args.check, same)
