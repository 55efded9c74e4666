"""Files that only some systems have: pipes, links and devices."""

import os

import pytest
from fastcore.test import expect_fail

from mnist_nbdev.predict import predict
from mnist_nbdev.read import load_digits
from mnist_nbdev.ship import _read_tensors, _write_whole

pytestmark = pytest.mark.skipif(os.name != 'posix', reason='Windows has none of them')


def test_no_end():
    "A device that never ends is not read to its end."
    with expect_fail(ValueError, contains='too large'): _read_tensors('/dev/zero')


def test_pipe(tmp_path):
    "Nobody waits for a pipe: to open one waits for somebody to write."
    pipe = tmp_path/'pipe.csv'
    os.mkfifo(pipe)
    with expect_fail(ValueError, contains='cannot be read: '): predict(pipe)
    with expect_fail(ValueError, contains='it is a pipe'): load_digits(pipe)


def test_circle(tmp_path):
    loop = tmp_path/'loop.png'
    loop.symlink_to(loop)
    with expect_fail(ValueError, contains='cannot be read: '): predict(loop)


def test_written_through_a_link(tmp_path):
    "The file that the link names is new; the link stays, and nothing else is there."
    file, link = tmp_path/'w', tmp_path/'link'
    file.write_bytes(b'old')
    link.symlink_to('w')
    _write_whole(link, b'new')
    assert link.is_symlink() and file.read_bytes() == b'new'
    assert {path.name for path in tmp_path.iterdir()} == {'w', 'link'}
