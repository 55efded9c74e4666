"""Drive every widget in a browser, as a person would, and hold the page's mathematics against the package's.

    python tools/check_widgets.py [NAME ...] [--screenshots FOLDER]

For each widget there is a file in tools/widgets with `PAGE`, where it lives; `warm(page, box)`, which brings it to life in a second or two; and
`drive(page, box)`, which uses all of it and asserts what must come of it (`box` is the widget's element). Each is warmed in the light on a phone and in the
dark on a wide screen (with --screenshots also the other way round), and there axe must find nothing serious, nothing may be wider than the screen, nothing
may complain, and nothing may ask for another host.
"""
import argparse
import importlib
import time
import traceback
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import build_widgets
import numpy as np
import torch
from check_site import CFG, NARROW, ROOT, TOO_WIDE, WIDE, audit, browser, opened, serve

from mnist_nbdev.data import load_sample
from mnist_nbdev.linear import GRADS, bce_loss, mnist_loss
from mnist_nbdev.predict import load_model
from mnist_nbdev.prepare import to_mnist

NAMES = ['maths'] + [path.stem for path in sorted((Path(__file__).parent/'widgets').glob('*.py'))]
MAX_SCRIPTS, MAX_DATA = 60_000, 200_000  # bytes, before compression


def find(page, name):
    "The element of a widget, alive."
    box = page.locator(f'.widget[data-widget="{name}"]')
    box.and_(page.locator('[data-ready]')).wait_for(timeout=10_000)
    box.evaluate("e => e.scrollIntoView({behavior: 'instant'})")
    return box


def look(chromium, home, name, script, shots):
    "Warm a widget in four looks, then drive it; what was wrong."
    problems = []
    for (scheme, size) in product(('light', 'dark'), (WIDE, NARROW)) if shots else (('light', NARROW), ('dark', WIDE)):
        look_of = f"{scheme}-{'wide' if size is WIDE else 'narrow'}"
        with opened(chromium, home + script.PAGE, home, problems, scheme, size, motion='no-preference') as page:
            try:
                box = find(page, name)
                script.warm(page, box)
                if shots:
                    shots.mkdir(parents=True, exist_ok=True)
                    box.screenshot(path=shots/f'{name}-{look_of}.png', style='#quarto-header, .quarto-secondary-nav { display: none }')
                problems += [f'{look_of}: {found}' for found in [*audit(page, '.widget'), *(page.evaluate(TOO_WIDE) if size is NARROW else [])]]
            except Exception as error: problems.append(f'{look_of}: {"".join(traceback.format_exception(error))}')
    with opened(chromium, home + script.PAGE, home, problems, motion='no-preference') as page:
        try: script.drive(page, find(page, name))
        except Exception as error:
            problems.append(''.join(traceback.format_exception(error)))
            if shots: page.screenshot(path=shots/f'{name}-failed.png')
    return problems


MATHS = """async ({images, logits, labels}) => {
  const {logits: line, LOSSES, drawStrokes, toMnist} = await import('./widgets/maths.js'), {load, loadLinear, loadDigits} = await import('./widgets/page.js');
  const drawings = (await load('drawings.json')).map(({strokes, radius}) => {
    const ink = drawStrokes(strokes, 140, radius), began = performance.now(), {pixels, place} = toMnist(ink.map(v => 1 - v), 140, 140);
    return {ink: [...ink], pixels: [...pixels], place, ms: performance.now() - began};
  });
  const digits = await loadDigits(), bytes = Uint8Array.from(atob(images), c => c.charCodeAt());
  return {logits: [...line(await loadLinear(), Float64Array.from(bytes, v => v/255))], drawings,
          digits: [...digits.train.x, ...digits.valid.x].length, labels: [...digits.train.y, ...digits.valid.y],
          losses: Object.fromEntries(Object.entries(LOSSES).map(([name, {loss, grad}]) => [name, [loss(Float64Array.from(logits), labels), [...grad(Float64Array.from(logits), labels)]]]))};
}"""


def maths(chromium, home):
    "Compare the page's mathematics with the package's: what differs."
    s, line, problems = load_sample(), load_model('linear'), []
    x = s.valid_x.double()
    z = torch.cat([line(s.valid_x)[:, 0].double(), torch.tensor([-750., -30., -1e-9, 0., 1e-9, 30., 750.]).double()])
    y = torch.cat([s.valid_y[:, 0].double(), torch.tensor([1., 0., 1., 0., 1., 0., 0.]).double()])
    with opened(chromium, home, home, problems) as page:
        found = page.evaluate(MATHS, {'images': b64encode((255*x).round().byte().numpy().tobytes()).decode(), 'logits': z.tolist(), 'labels': y.tolist()})

    def within(what, ours, theirs, most):
        furthest = float(np.abs(np.asarray(ours, float) - np.asarray(theirs, float)).max())
        print(f'{what:28} differ by {furthest:.1e} at most, of {most:.0e} allowed', flush=True)
        if not furthest <= most: problems.append(f'{what} differ by {furthest:.2g}')
    within('2,038 logits', found['logits'], line(s.valid_x)[:, 0].tolist(), 1e-4)
    for name, loss in (('mean', mnist_loss), ('bce', bce_loss)):
        within(f'loss {name}', found['losses'][name][0], loss(z[:, None], y[:, None]), 1e-9)
        within(f'gradient {name}', torch.tensor(found['losses'][name][1])*len(z), GRADS[loss](z[:, None], y[:, None])[:, 0]*len(z), 1e-5)
    expected = [to_mnist((255 - 255*np.array(d['ink']).reshape(140, 140)).round().astype(np.uint8)).flatten() for d in found['drawings']]
    within(f"{len(expected)} drawings, 28x28", [d['pixels'] for d in found['drawings']], np.stack(expected), 2/255)
    print(f"to_mnist takes {np.median([d['ms'] for d in found['drawings']]):.1f} ms in the page")
    return problems


def check(names, home, shots):
    "Look at widgets in a browser of their own, taking the next as long as there are any; what was wrong."
    found = []
    with browser() as chromium:
        for name in names:
            began = time.time()
            problems = maths(chromium, home) if name == 'maths' else look(chromium, home, name, importlib.import_module(f'widgets.{name}'), shots)
            print(f'{name:12} {time.time() - began:5.1f} s  {"FAILED" if problems else "ok"}', flush=True)
            found += [f'{name}: {problem}' for problem in problems]
    return found


def sizes(folder):
    "Complain where scripts or data have grown too large."
    files = list(folder.iterdir())
    for endings, most in ((('.js',), MAX_SCRIPTS), (('.json', '.bin'), MAX_DATA)):
        total = sum(path.stat().st_size for path in files if path.suffix in endings)
        print(f'{" ".join(endings):12} {total:,} bytes of at most {most:,}')
        if total > most: yield f'{" and ".join(endings)} files have {total:,} bytes, and {most:,} is the most'


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', default=NAMES, help=f'of {", ".join(NAMES)}')
    parser.add_argument('--screenshots', type=Path, metavar='FOLDER', help='save a picture of each widget in light and dark, wide and narrow')
    args = parser.parse_args()
    torch.set_num_threads(1)
    problems = [*sizes(build_widgets.HERE), *build_widgets.differences()]
    with serve(ROOT/CFG['doc_path']) as home, ThreadPoolExecutor(2) as pool:
        names = iter(args.names)  # two browsers share them
        for found in pool.map(lambda _: check(names, home, args.screenshots), range(2)): problems += found
    if problems: raise SystemExit('\n'.join([f'{len(problems)} problems:', *problems]))
    print('no problems')
