"""`mnist_predict` in a real shell: a full disk, and Ctrl-C."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_nbdev.data import ASSETS

COMMAND = Path(sys.executable).parent/'mnist_predict'
THREE = ASSETS/'example-2-three-on-ruled-paper.jpg'
FIVE = ASSETS/'example-8-five-on-ruled-paper.jpg'
pytestmark = pytest.mark.skipif(sys.platform != 'linux', reason='needs /dev/full')


@pytest.mark.parametrize('word, to, status', [
    (THREE, '>/dev/full', 2),
    (THREE, '>/dev/full 2>&1', 2),
    ('--help', '>/dev/full', 2),
    (FIVE, '>/dev/null', 1),
])
def test_exit_status(word, to, status):
    words = ['bash', '-c', f'"$0" "$1" {to}', COMMAND, word]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == status
    assert 'Traceback' not in done.stderr and 'Exception' not in done.stderr


def heed(): signal.signal(signal.SIGINT, signal.SIG_DFL)  # as a job in the foreground


def test_interrupted():
    pipes = dict.fromkeys(('stdin', 'stdout', 'stderr'), subprocess.PIPE)
    waits = subprocess.Popen([COMMAND, THREE, '-'], **pipes, preexec_fn=heed)
    for last in (b'file', str(THREE).encode()):  # each row as soon as it is known
        assert waits.stdout.readline().split()[-1] == last
    waits.send_signal(signal.SIGINT)
    assert waits.communicate()[1] == b'' and waits.returncode == -signal.SIGINT
