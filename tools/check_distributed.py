"""Train and score in several processes under torchrun, kill them at random moments, and fail unless the results are what nobody disturbed.

    python tools/check_distributed.py [--seed N] [--only WORD]

The notebook nbs/34_distributed.ipynb does the same in small; this takes about a minute and a half on two cores. Prints a line for each check.
"""
import argparse
import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from tqdm import tqdm

from mnist_nbdev.data import load_sample
from mnist_nbdev.predict import predict, read_weights
from mnist_nbdev.train import fit

LIMIT = 120  # seconds that anything may take: what takes longer hangs
TORCHRUN = [sys.executable, '-m', 'torch.distributed.run', '--monitor-interval', '.1']
MODULE = ['-m', 'mnist_nbdev.distributed']


class Run:
    "A command under torchrun."
    def __init__(self, *command, processes=2, restarts=0, **env):
        start = [*TORCHRUN, '--nproc-per-node', processes, '--max-restarts', restarts] if isinstance(processes, int) else [*TORCHRUN, *processes]
        self.log = tempfile.TemporaryFile('w+')
        self.process = subprocess.Popen(list(map(str, [*start, *MODULE, *command])), stdout=self.log, stderr=subprocess.STDOUT, env={**os.environ, **env})

    def workers(self):
        "The processes that do the work; none before they are started, or when they are done."
        try: return [p for p in psutil.Process(self.process.pid).children() if 'mnist_nbdev.distributed' in ' '.join(p.cmdline())]
        except psutil.Error: return []

    def running(self): return self.process.poll() is None

    def wait_until(self, ready):
        "Whether `ready()` became true while the command was running."
        end = time.monotonic() + LIMIT
        while self.running() and time.monotonic() < end:
            if ready(): return True
            time.sleep(.003)
        return False

    def kill_one(self, rng, how=signal.SIGKILL):
        "Kill a worker, if there are any."
        workers = self.workers()
        if workers: rng.choice(workers).send_signal(how)
        return bool(workers)

    def kill_all(self):
        "Kill torchrun and its workers, which would go on without it."
        for process in psutil.Process(self.process.pid).children(recursive=True) + [self.process]: process.kill()
        self.process.wait()
        self.log.close()

    def finish(self):
        "The exit status, and all that was said."
        try: status = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.kill_all()
            return 'hangs', ''
        self.log.seek(0)
        with self.log: return status, self.log.read()


def done(run):
    "What a command said, which must have come to its end."
    status, said = run.finish()
    assert status == 0, f'exit status {status}: {said[-3000:]}'
    return said


def step_of(checkpoint):
    "The step of a checkpoint; 0 where there is none. A file that is not whole would raise."
    try:
        with safe_open(checkpoint, 'pt') as file: return int(file.metadata()['step'])
    except (FileNotFoundError, OSError): return 0


def flat(path): return torch.cat([t.flatten() for t in read_weights(path)])


def train_options(out, every=25): return ['train', '--shuffle', '--every', every, '--timeout', 60, '--out', out]


@cache
def from_one_process(**recipe): return torch.cat([t.flatten() for t in fit(load_sample(), **recipe)[0]])


@cache
def undisturbed(tmp):
    "What two processes learn that nobody disturbs: the documented recipe, shuffled."
    done(Run(*train_options(tmp/'undisturbed.safetensors')))
    return flat(tmp/'undisturbed.safetensors')


def check_two(tmp, rng):
    off = (undisturbed(tmp) - from_one_process(shuffle=True)).abs().max().item()
    assert off < 1e-5, off
    return f'21 shuffled epochs, 2 processes: no weight further than {off:.1e} from one process'


def check_three(tmp, rng):
    said = done(Run('train', '--out', tmp/'three.safetensors', '--timeout', 60, processes=3))
    off = (flat(tmp/'three.safetensors') - from_one_process()).abs().max().item()
    assert off < 1e-5 and ' 73 errors of 2,038' in said, (off, said)
    assert not (tmp/'three.safetensors.checkpoint').exists()
    return f'the documented recipe, 3 processes, uneven shards: no weight further than {off:.1e} from one process; 73 errors of 2,038'


def check_killed_worker(tmp, rng):
    out, targets, kills = tmp/'worker.safetensors', sorted(rng.sample(range(20, 900), 2)), []
    run = Run(*train_options(out), restarts=len(targets))
    for target in targets:
        if run.wait_until(lambda: step_of(f'{out}.checkpoint') >= target) and run.kill_one(rng): kills.append(target)
        old = {p.pid for p in run.workers()}
        run.wait_until(lambda: (new := {p.pid for p in run.workers()}) and not new & old)
    said = done(run)
    assert kills and said.count('Going on after step') == len(kills), (kills, said)
    assert torch.equal(flat(out), undisturbed(tmp))
    return f'a worker killed after steps {" and ".join(map(str, kills))}, and started again by torchrun: the same weights, bit for bit'


def check_killed_run(tmp, rng):
    out, target = tmp/'run.safetensors', rng.randrange(20, 900)
    run = Run(*train_options(out))
    assert run.wait_until(lambda: step_of(f'{out}.checkpoint') >= target), run.finish()
    run.kill_all()
    reached = step_of(f'{out}.checkpoint')
    status, said = Run(*train_options(out), '--lr', .5).finish()
    assert status == 1 and 'a checkpoint of another recipe: lr 1.0, not 0.5' in said, said
    said = done(Run(*train_options(out)))
    assert f'Going on after step {reached}' in said.replace(',', ''), said
    assert torch.equal(flat(out), undisturbed(tmp))
    return f'the whole run killed after step {reached}, another recipe refused, started again: the same weights, bit for bit'


def check_stopped_worker(tmp, rng):
    out = tmp/'stopped.safetensors'
    run = Run('train', '--epochs', 500, '--every', 10, '--timeout', 4, '--out', out)
    assert run.wait_until(lambda: step_of(f'{out}.checkpoint') >= 20), run.finish()
    start, stopped = time.monotonic(), rng.choice(run.workers())
    stopped.suspend()
    run.wait_until(lambda: len([p for p in run.workers() if p.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)]) == 0)
    seconds = time.monotonic() - start
    if stopped.is_running(): stopped.kill()  # torchrun gives a worker that does not answer half a minute
    status, said = run.finish()
    assert status == 1 and 'lost touch with the others, or waited for 4 seconds' in said, (status, said[-3000:])
    return f'a worker that does not answer: the other gave up after {seconds:.0f} s, with a sentence'


def check_two_machines(tmp, rng):
    out, port = tmp/'machines.safetensors', rng.randrange(20_000, 30_000)
    nodes = [Run(*train_options(out), processes=['--nnodes', 2, '--nproc-per-node', 1, '--max-restarts', 2, '--rdzv-backend', 'c10d', '--rdzv-endpoint', f'localhost:{port}', '--rdzv-id', port], TORCH_DISABLE_SHARE_RDZV_TCP_STORE='1') for _ in range(2)]
    killed = nodes[0].wait_until(lambda: step_of(f'{out}.checkpoint') >= 100) and nodes[1].kill_one(rng)
    for node in nodes: done(node)
    assert killed and torch.equal(flat(out), undisturbed(tmp))
    return 'two torchruns as if on two machines, a worker of one killed: the same weights, bit for bit'


def make_folder(folder, n):
    "Files of all kinds: n digits in a hundred folders, and among them what is no image."
    odd = ('', ' ', ',', '"', '\n', "'", 'é')
    x = (255*(1 - load_sample().valid_x)).byte().reshape(-1, 28, 28).numpy()
    for i in range(n):
        path = folder/f'{i % 100:02}'/f'{i:06}{odd[i % len(odd)]}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x[i % len(x)]).save(path)
        if i % 97 == 0: path.with_suffix('.txt').write_text('no image')
        if i % 101 == 0: path.write_bytes(path.read_bytes()[:80])
    Image.fromarray(np.full((28, 28), 255, np.uint8)).save(folder/'blank.png')
    (folder/'broken link').symlink_to('nowhere')


def plain_loop(folder):
    rows = []
    for path in sorted((p for p in folder.rglob('*') if not p.is_dir()), key=lambda p: p.relative_to(folder).as_posix()):
        row = [path.relative_to(folder).as_posix()]
        try: p = predict(path)
        except ValueError as error: rows.append(row + ['', '', '', ' '.join(str(error).replace(f'{folder}/', '').split())])
        else: rows.append(row + [str(p.digit), str(p.probability), str(p.in_scope), ''])
    return rows


def check_folder(tmp, rng):
    folder, out = tmp/'folder', tmp/'results.csv'
    make_folder(folder, 2000)
    command, parts = ['predict', folder, '--out', out, '--shard', 50, '--timeout', 60], lambda: len(list(tmp.glob('results.csv.parts/*.csv')))
    run = Run(*command)
    assert run.wait_until(lambda: parts() >= rng.randrange(4, 12)), run.finish()
    run.kill_all()
    before = parts()
    run = Run(*command, restarts=1)
    assert run.wait_until(lambda: parts() >= before + rng.randrange(4, 16)) and run.kill_one(rng), run.finish()
    said = done(run)
    with out.open(newline='', encoding='utf-8') as file: header, *rows = csv.reader(file)
    assert rows == (expected := plain_loop(folder)), next((a, b) for a, b in zip(rows, expected) if a != b)
    assert not (tmp/'results.csv.parts').exists()
    again = int(said.split(' of them scored before')[0].split()[-1].replace(',', ''))
    assert again >= 50*before, said
    return f'{len(rows):,} files, {sum(bool(row[-1]) for row in rows)} without an answer, all killed once and a worker once: the rows of a plain loop; {again:,} were not scored twice'


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seed', type=int, default=random.randrange(1000), help='of the moments to kill at; the default is another one each time')
    parser.add_argument('--only', default='', metavar='WORD', help='the checks whose names hold this word')
    args = parser.parse_args()
    torch.set_num_threads(1)
    checks = [f for name, f in list(globals().items()) if name.startswith('check_') and args.only in name]
    failed, start = 0, time.monotonic()
    print(f'seed {args.seed}')
    with tempfile.TemporaryDirectory() as tmp:
        for check in (bar := tqdm(checks, disable=None)):
            bar.set_description(check.__name__)
            begin = time.monotonic()
            try: mark, said = 'ok', check(Path(tmp).resolve(), random.Random(f'{args.seed} {check.__name__}'))
            except Exception as error: mark, said, failed = 'FAILED', f'{check.__name__}: {type(error).__name__}: {error}', failed + 1
            bar.write(f'{mark} {time.monotonic() - begin:4.0f} s  {said}')
    print(f'{len(checks) - failed} of {len(checks)} checks passed, {time.monotonic() - start:.0f} s')
    sys.exit(bool(failed))
