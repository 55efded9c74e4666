"""Train in several processes and kill some: the weights stay the same."""

import os
import random
import subprocess
import sys
import tempfile
import time

import psutil
import pytest
import torch
from helpers import PATIENCE
from safetensors import safe_open

from mnist_nbdev.data import load_sample
from mnist_nbdev.ship import read_weights
from mnist_nbdev.train import fit

pytestmark = pytest.mark.xdist_group('distributed')
LIMIT = 120*PATIENCE  # seconds that anything may take: what takes longer hangs
MODULE = 'mnist_nbdev.distributed'
TORCHRUN = [sys.executable, '-m', 'torch.distributed.run', '--monitor-interval', '.1']


class Run:
    "A command under torchrun."

    def __init__(self, *command, start=('--nproc-per-node', 2), restarts=0, **env):
        words = [*TORCHRUN, '--max-restarts', restarts, *start, '-m', MODULE, *command]
        self.log = tempfile.TemporaryFile('w+', encoding='utf-8')
        said = dict(stdout=self.log, stderr=subprocess.STDOUT)
        env = os.environ | {'OMP_NUM_THREADS': '1'} | env
        self.process = subprocess.Popen([str(word) for word in words], env=env, **said)

    def workers(self):
        "The processes that do the work; none before they start, or when they are done."
        try:
            children = psutil.Process(self.process.pid).children()
            return [p for p in children if MODULE in p.cmdline()]
        except psutil.Error:
            return []

    def wait_until(self, ready):
        "Whether `ready()` became true while the command was running."
        end = time.monotonic() + LIMIT
        while self.process.poll() is None and time.monotonic() < end:
            if ready(): return True
            time.sleep(.003)
        return False

    def kill_one(self, rng):
        "Kill a worker, if there are any."
        workers = self.workers()
        if workers: rng.choice(workers).kill()
        return bool(workers)

    def kill_all(self):
        "Kill torchrun and its workers, which would go on without it."
        everyone = psutil.Process(self.process.pid).children(recursive=True)
        for process in [*everyone, self.process]: process.kill()
        self.process.wait()

    def finish(self):
        try:
            status = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.kill_all()
            status = 'hangs'
        self.log.seek(0)
        return status, self.log.read()

    def done(self):
        "What was said by a command that must have come to its end."
        status, said = self.finish()
        assert status == 0, said[-3000:]
        return said


def step_of(out):
    "The step of a run's checkpoint; 0 where there is none. One not whole would raise."
    try:
        with safe_open(f'{out}.checkpoint', 'pt') as file:
            return int(file.metadata()['step'])
    except OSError:
        return 0


def at_step(out, step): return lambda: step_of(out) >= step


def flat(params): return torch.cat([t.flatten() for t in params])


def shuffled(out):
    return ['--shuffle', '--every', 25, '--timeout', 60, '--out', out]


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory):
    "What two processes learn that nobody disturbs."
    out = tmp_path_factory.mktemp('undisturbed')/'two.safetensors'
    Run(*shuffled(out)).done()
    return flat(read_weights(out))


@pytest.fixture
def rng(request):
    seed = request.config.getoption('seed')
    print(f'--seed {seed}')
    return random.Random(f'{seed} {request.node.name}')


@pytest.fixture
def out(tmp_path): return tmp_path/'model.safetensors'


def test_two(undisturbed):
    params, _ = fit(load_sample(), shuffle=True)
    torch.testing.assert_close(undisturbed, flat(params), rtol=0, atol=1e-5)


@pytest.mark.slow
def test_killed_worker(out, rng, undisturbed):
    "Torchrun starts it again, and it goes on."
    targets = sorted(rng.sample(range(20, 900), 2))
    run, kills = Run(*shuffled(out), restarts=len(targets)), 0
    for target in targets:
        kills += run.wait_until(at_step(out, target)) and run.kill_one(rng)
        old = {p.pid for p in run.workers()}
        run.wait_until(lambda: {p.pid for p in run.workers()} - old)
    said = run.done()
    assert kills and said.count('Going on after step') == kills
    assert torch.equal(flat(read_weights(out)), undisturbed)


def test_killed_run(out, rng, undisturbed):
    "Started again it goes on; another recipe is refused."
    run = Run(*shuffled(out))
    assert run.wait_until(at_step(out, rng.randrange(20, 900))), run.finish()
    run.kill_all()
    reached = step_of(out)
    status, said = Run(*shuffled(out), '--lr', .5).finish()
    assert status == 1 and 'a checkpoint of another recipe: lr 1.0, not 0.5' in said
    assert f'Going on after step {reached:,}' in Run(*shuffled(out)).done()
    assert torch.equal(flat(read_weights(out)), undisturbed)


def test_stopped_worker(out, rng):
    "The other one gives up, with a sentence."
    run = Run('--epochs', 500, '--every', 10, '--timeout', 4, '--out', out)
    assert run.wait_until(at_step(out, 20)), run.finish()
    stopped = rng.choice(run.workers())
    stopped.suspend()
    gone = psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE
    run.wait_until(lambda: all(p.status() in gone for p in run.workers()))
    if stopped.is_running():
        stopped.kill()  # torchrun would give it half a minute
    status, said = run.finish()
    assert status == 1
    assert 'lost touch with the others, or waited for 4 seconds' in said


@pytest.mark.slow
def test_two_machines(out, rng, undisturbed):
    "Two torchruns, as if on two machines, and a worker of one is killed."
    port = rng.randrange(20_000, 30_000)
    start = ['--nnodes', 2, '--nproc-per-node', 1, '--rdzv-backend', 'c10d']
    start += ['--rdzv-endpoint', f'localhost:{port}', '--rdzv-id', port]
    options = dict(start=start, restarts=2, TORCH_DISABLE_SHARE_RDZV_TCP_STORE='1')
    nodes = [Run(*shuffled(out), **options) for _ in range(2)]
    assert nodes[0].wait_until(at_step(out, 100)) and nodes[1].kill_one(rng)
    for node in nodes: node.done()
    assert torch.equal(flat(read_weights(out)), undisturbed)
