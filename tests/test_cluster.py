"""Score a folder by Ray's workers, and kill all that can be: a row for each file."""

import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from uuid import uuid4

import psutil
import pytest
from helpers import PATIENCE
from PIL import Image
from pyarrow import parquet

from mnist_nbdev import cluster
from mnist_nbdev.data import load_sample
from mnist_nbdev.predict import predict

pytestmark = pytest.mark.xdist_group('cluster')
LIMIT = 300*PATIENCE  # seconds that anything may take: what takes longer hangs
DEADLY = ['07/000007.png', '07/000107.png']  # to read one kills a worker
ENV = dict(PYTHONPATH='', RAY_ADDRESS='', RAY_USAGE_STATS_ENABLED='0',
           RAY_AUTH_MODE='token', RAY_AUTH_TOKEN=uuid4().hex)
ADDRESS = re.compile(r"--address='(.+)'")  # where Ray says that it runs
LAST = '99/000099.png'  # to read it kills the first worker that does
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from mnist_nbdev import cluster

class Mortal(cluster._Scorer):
    def row(self, name):
        {what}
        return super().row(name)

cluster._Scorer = Mortal
sys.exit(cluster.main())
"""
DIES = f'if name in {DEADLY}: os._exit(1)'
WAITS = f"""
        while name > '50' and not Path('{{place}}/go').exists(): time.sleep(.1)
        if name == '{LAST}' and not (shot := Path('{{place}}/shot')).exists():
            shot.touch()
            os.kill(os.getpid(), signal.SIGKILL)
"""


def fill(folder, n):
    "Write n digits into a hundred folders, and among them what is no image."
    x = (255*load_sample().valid_x).byte().reshape(-1, 28, 28).numpy()
    for i in range(n):
        path = folder/f'{i % 100:02}'/f'{i:06}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x[i % len(x)]).save(path)
        if i % 97 == 0: path.with_suffix('.txt').write_text('no image')
        if i % 101 == 0: path.write_bytes(path.read_bytes()[:80])


def words_of(process):
    try: return ' '.join(process.cmdline())
    except psutil.Error: return ''


class Program:
    "A Python program, as a process of its own."

    def __init__(self, *words):
        self.log = tempfile.TemporaryFile('w+', encoding='utf-8')
        said = dict(stdout=self.log, stderr=subprocess.STDOUT)
        words = [sys.executable, *map(str, words)]
        self.process = subprocess.Popen(words, env=os.environ | ENV, **said)

    def family(self):
        try: return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.Error: return []

    def said(self):
        self.log.seek(0)
        return self.log.read()[-5000:]

    def wait_until(self, ready):
        end = time.monotonic() + LIMIT
        while not ready():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(.02)


@pytest.fixture(scope='module')
def ray():
    "A running Ray. It gives itself 30 s to start: on a busy machine it may fail."
    words = '--head', '--block', '--port=0', '--include-dashboard=0', '--num-cpus=2'
    for tries_left in reversed(range(5)):
        program = Program('-m', 'ray.scripts.scripts', 'start', *words)
        try:
            program.wait_until(lambda p=program: ADDRESS.search(p.said()))
            yield program
            break
        except AssertionError:
            print(program.said())
            if not tries_left: raise
        finally:
            for process in program.family():
                with suppress(psutil.NoSuchProcess): process.kill()
            program.process.kill()


class Scoring(Program):
    "A command that scores on a running Ray."

    def __init__(self, ray, *words):
        address = ADDRESS.search(ray.said())[1]
        super().__init__(*words, '--cluster', address)
        self.ray = ray

    def workers(self): return [p for p in self.ray.family() if 'Map' in words_of(p)]

    def writers(self):
        "All that can write: Ray's own helpers stay."
        return [p for p in self.ray.family()
                if re.search('ray::(Map|Write|IDLE)', words_of(p))]

    def kill(self):
        "Kill what the user started. Ray ends what worked for it."
        writers = self.writers()
        self.process.kill()
        self.process.wait()
        _, alive = psutil.wait_procs(writers, LIMIT)
        assert not alive

    def done(self):
        status = self.process.wait(LIMIT)
        assert status == 0, self.said()
        return self.said()


def rows_of(result):
    rows = parquet.read_table(result).drop_columns('model').to_pylist()
    return sorted(rows, key=lambda row: row['file'])


def plain_loop(folder):
    "What one process says of each file, in order."
    rows = []
    for path in folder.rglob('*'):
        if path.is_dir(): continue
        row = dict.fromkeys(cluster.COLUMNS)
        row['file'] = path.relative_to(folder).as_posix()
        try: p = predict(path)
        except ValueError as error:
            row['error'] = str(error).replace(f'{folder}/', '')
        else:
            row['in_scope'] = p.in_scope
            if p.in_scope: row |= dict(digit=p.digit, probability=p.probability)
            if p.is_digit: row['any_digit'] = p.any_digit
        rows.append(row)
    return sorted(rows, key=lambda row: row['file'])


def parts_of(result): return set(result.glob('model=linear/*.parquet'))


def test_killed(tmp_path, ray):
    "The driver is killed, and then a worker: each file has one row."
    folder, result, program = tmp_path/'in', tmp_path/'out', tmp_path/'program.py'
    fill(folder, 600)
    (folder/'gone.png').symlink_to('nowhere')
    program.write_text(PROGRAM.format(what=WAITS.format(place=tmp_path)))
    words = folder, result, '--part', 20

    run = Scoring(ray, program, *words)
    run.wait_until(lambda: len(parts_of(result)) > 2)
    run.kill()
    kept = {path: path.read_bytes() for path in parts_of(result)}
    half = result/'model=linear'/'half.parquet'
    half.write_bytes(min(kept.values())[:99])  # its writer was killed
    note = result/'model=linear'/'README'
    note.write_text('not ours')

    (tmp_path/'go').touch()
    said = Scoring(ray, program, *words).done()
    assert (tmp_path/'shot').exists()
    assert not half.exists() and note.exists()
    assert kept.items() <= {p: p.read_bytes() for p in parts_of(result)}.items()
    before = sum(parquet.read_metadata(path).num_rows for path in kept)
    assert f'Files: 608, {before} of them scored before.' in said
    said = Scoring(ray, '-m', 'mnist_nbdev.cluster', *words).done()
    assert 'Files: 608, 608 of them scored before.' in said

    note.unlink()
    rows = rows_of(result)
    assert rows == plain_loop(folder)
    errors = {row['file']: row['error'] for row in rows if row['error']}
    assert 'the file is damaged' in errors['00/000000.png']
    assert 'it is text' in errors['00/000000.txt']
    assert 'there is no such file' in errors['gone.png']
    assert len(errors) == 14


@pytest.mark.slow
def test_deadly(tmp_path, ray):
    "Files that kill each worker that reads them are named, and all others scored."
    folder, result, program = tmp_path/'in', tmp_path/'out', tmp_path/'program.py'
    fill(folder, 300)
    program.write_text(PROGRAM.format(what=DIES))
    Scoring(ray, program, folder, result, '--part', 20).done()
    rows = rows_of(result)
    dead = [row for row in rows if row['error'] == cluster._LOST]
    assert [row['file'] for row in dead] == DEADLY
    assert [row for row in rows if row not in dead] == [
        row for row in plain_loop(folder) if row['file'] not in DEADLY]


def memory(run):
    "MB that the driver and its workers hold; of pages that they share, their part."
    found = [psutil.Process(run.process.pid), *run.workers()]
    return sum(process.memory_full_info().pss for process in found)/1e6


@pytest.mark.slow
def test_many(tmp_path, ray):
    "20,000 files, killed twice on the way: a plain loop's rows, and flat memory."
    folder, result, held = tmp_path/'in', tmp_path/'out', []
    fill(folder, 20_000)
    command = '-m', 'mnist_nbdev.cluster', folder, result, '--part', 250

    def scored(): return 250*len(parts_of(result))

    for kill_at in (5000, 10_000):
        run = Scoring(ray, *command)
        run.wait_until(lambda at=kill_at: scored() >= at)
        run.kill()
    began, run = time.monotonic(), Scoring(ray, *command)
    while run.process.poll() is None:
        try: held.append((scored(), round(memory(run))))
        except psutil.Error: pass
        time.sleep(1)
    print(f'{time.monotonic() - began:.0f} s for the last run, MB by files:', held[::5])
    run.done()
    began = time.monotonic()
    assert rows_of(result) == plain_loop(folder)
    print(f'{time.monotonic() - began:.0f} s for the plain loop')
    working = [mb for files, mb in held if 11_000 <= files < 20_000]
    half = len(working)//2
    assert max(working[half:]) < 1.1*max(working[:half])
