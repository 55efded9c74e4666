"""Drive every widget in a browser, as a person would, and hold the page's mathematics against the package's.

    python tools/check_widgets.py [NAME ...] [--screenshots FOLDER]

For each widget there is a file in tools/widgets with `PAGE`, where it lives; `warm(page, box)`, which brings it to life in a second or two; and
`drive(page, box)`, which uses all of it and asserts what must come of it (`box` is the widget's element). Each is warmed in light and dark, wide and narrow,
and there axe must find nothing serious, nothing may be wider than the screen, nothing may complain, and nothing may ask for another host.
"""
import argparse
import importlib
import os
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

from check_site import CFG, NARROW, ROOT, TOO_WIDE, WIDE, audit, browser, opened, serve

NAMES = [path.stem for path in sorted((Path(__file__).parent/'widgets').glob('*.py'))]
MAX_SCRIPTS, MAX_DATA = 60_000, 200_000  # bytes, before compression


def find(page, name):
    "The element of a widget, alive."
    box = page.locator(f'.widget[data-widget="{name}"]')
    box.and_(page.locator('[data-ready]')).wait_for(timeout=10_000)
    box.scroll_into_view_if_needed()
    return box


def look(chromium, home, name, script, shots):
    "Warm a widget in four looks, then drive it; what was wrong."
    problems = []
    for (scheme, size) in product(('light', 'dark'), (WIDE, NARROW)):
        look_of = f"{scheme}-{'wide' if size is WIDE else 'narrow'}"
        with opened(chromium, home + script.PAGE, home, problems, scheme, size, motion='no-preference') as page:
            try:
                box = find(page, name)
                script.warm(page, box)
                if shots:
                    shots.mkdir(parents=True, exist_ok=True)
                    box.screenshot(path=shots/f'{name}-{look_of}.png', style='#quarto-header, .quarto-secondary-nav { display: none }')
                problems += [f'{look_of}: {found}' for found in [*audit(page), *(page.evaluate(TOO_WIDE) if size is NARROW else [])]]
            except Exception as error: problems.append(f'{look_of}: {"".join(traceback.format_exception(error))}')
    with opened(chromium, home + script.PAGE, home, problems, motion='no-preference') as page:
        try: script.drive(page, find(page, name))
        except Exception as error:
            problems.append(''.join(traceback.format_exception(error)))
            if shots: page.screenshot(path=shots/f'{name}-failed.png')
    return problems


def check(names, home, shots):
    "Look at some widgets in a browser of their own; what was wrong."
    found = []
    with browser() as chromium:
        for name in names:
            began = time.time()
            problems = look(chromium, home, name, importlib.import_module(f'widgets.{name}'), shots)
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
    os.environ['OMP_NUM_THREADS'] = '1'
    problems = list(sizes(ROOT/'nbs'/'widgets'))
    with serve(ROOT/CFG['doc_path']) as home, ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda names: check(names, home, args.screenshots), filter(None, (args.names[::2], args.names[1::2]))): problems += found
    if problems: raise SystemExit('\n'.join([f'{len(problems)} problems:', *problems]))
    print('no problems')
