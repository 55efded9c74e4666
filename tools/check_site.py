"""Open every page of the built site in a browser, and fail on whatever a reader would trip over.

    python tools/check_site.py [_docs] [--screenshots FOLDER]   check it
    python tools/check_site.py [_docs] --plant                  check the checks: plant one fault of each kind

The site is served on this machine at the address it will have (`/mnist_nbdev/`, with 404.html for what is not
there), and anything that asks for the network is stopped and reported. axe-core comes with axe-playwright-python.
"""
import argparse
import json
import re
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from itertools import repeat
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urldefrag, urlsplit

from browser import launch
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ConfigParser(delimiters=['='])
SETTINGS.read(ROOT/'settings.ini', encoding='utf-8')
CFG = SETTINGS['DEFAULT']
BASE = CFG['doc_baseurl'].rstrip('/') + '/'
SITE = CFG['doc_host'] + BASE
WIDE, NARROW = {'width': 1280, 'height': 900}, {'width': 360, 'height': 740}
AXE = files('axe_playwright_python').joinpath('axe.min.js').read_text(encoding='utf-8')

# ---- what a page is asked; each script returns a list of complaints, or of facts

FIGURES = "[...document.images].filter(i => !(i.complete && i.naturalWidth)).map(i => i.alt || i.src.slice(0, 60))"
MATHS = r"""() => {
  const untypeset = [...document.querySelectorAll('.math')].filter(m => !m.querySelector('.katex'));
  const wrong = [...document.querySelectorAll('.katex-error')];
  const raw = [], walk = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode;
    if (/\$[^\s$][^$]*\$|\$\$|\\[([]/.test(node.data) && !node.parentElement.closest('pre, code, .katex, script')) raw.push(node);
  }
  return [...untypeset, ...wrong, ...raw].map(n => n.textContent.trim().slice(0, 60));
}"""
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth > width) found.push(`the page is ${document.documentElement.scrollWidth} wide`);
  const contained = e => { for (let p = e.parentElement; p && p.tagName !== 'MAIN'; p = p.parentElement)
    if (getComputedStyle(p).overflowX !== 'visible') return true; };
  for (const e of document.querySelectorAll('main *')) {
    const box = e.getBoundingClientRect();
    if (box.width && box.right > width + 1 && !contained(e)) found.push(`${e.tagName.toLowerCase()}.${e.className} reaches ${Math.round(box.right)}`);
  }
  return found.slice(0, 3);
}"""
AXE_RUN = """async part => (await axe.run(part ?? document, {resultTypes: ['violations']})).violations
  .filter(v => ['serious', 'critical'].includes(v.impact))
  .map(v => `${v.id}: ${v.nodes.length} of ${v.nodes[0].html.slice(0, 90)}${(v.nodes[0].any[0] || {message: ''}).message ? ' -- ' + v.nodes[0].any[0].message : ''}`)"""
FACTS = """() => ({
  title: document.querySelector('h1').textContent, text: document.body.innerText, ids: [...document.querySelectorAll('[id]')].map(e => e.id),
  links: [...document.links].map(a => a.href).concat([...document.querySelectorAll('meta[content^=http]')].map(m => m.content)),
  figures: document.querySelectorAll('main img').length, formulae: document.querySelectorAll('main .math').length,
  folds: document.querySelectorAll('main details').length})"""


# ---- serving

class Pages(SimpleHTTPRequestHandler):
    "Serves a folder under BASE, and its 404.html for what is not there, as GitHub Pages does."
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args): pass

    def translate_path(self, path):
        return super().translate_path('/' + path.removeprefix(BASE) if path.startswith(BASE) else '/outside the site')

    def send_error(self, code, message=None, explain=None):
        page = Path(self.directory)/'404.html'
        if code != 404 or not page.exists(): return super().send_error(code, message, explain)
        body = page.read_bytes()
        self.send_response(404)
        self.send_header('Content-Type', 'text/html; charset=utf-8')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serve(folder):
    "Serve a folder on a free port of this machine; gives the address of its root."
    with ThreadingHTTPServer(('127.0.0.1', 0), partial(Pages, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try: yield f'http://127.0.0.1:{server.server_port}{BASE}'
        finally: server.shutdown()


@contextmanager
def browser():
    "Start a browser, and stop it in the end."
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        try: yield chromium
        finally: chromium.close()


# ---- looking

@contextmanager
def opened(chromium, url, home, problems, scheme='light', size=WIDE, motion='reduce'):
    "Open a page, adding to `problems` what its console, its scripts and its requests complain of."
    context = chromium.new_context(color_scheme=scheme, viewport=size, reduced_motion=motion,
                                   permissions=['clipboard-read', 'clipboard-write'])
    page = context.new_page()

    def local(route):
        if route.request.url.startswith((home, 'data:', 'blob:')): return route.continue_()
        problems.append(f'outside request: {route.request.url}')
        route.abort()

    def said(message):
        lost = message.text.startswith('Failed to load resource') and message.location.get('url') == url  # the 404 page is one
        if message.type == 'error' and not lost: problems.append(f'console: {message.text}')

    page.route('**/*', local)
    page.on('console', said)
    page.on('pageerror', lambda e: problems.append(f'script: {e}'))
    page.on('response', lambda r: problems.append(f'failed request: {r.status} {r.url}') if r.status >= 400 and r.url != url else None)
    page.on('requestfailed', lambda r: problems.append(f'failed request: {r.url}') if r.url.startswith(home) and r.failure != 'net::ERR_ABORTED' else None)  # aborted: the page was left
    try:
        page.goto(url, wait_until='networkidle')
        page.evaluate('document.fonts.ready')
        yield page
    finally: context.close()


def audit(page, part=None):
    "Axe's serious and critical findings, in a part of the page or in all of it, folded answers unfolded."
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate(AXE)
    return page.evaluate(AXE_RUN, part)


def copied(page):
    "What is wrong with the first copy button of a page, if it has any."
    button = page.locator('.code-copy-button').first
    if not button.count(): return []
    code = page.locator('.code-copy-outer-scaffold').first.locator('pre code').inner_text()
    page.evaluate("navigator.clipboard.writeText('nothing was copied')")
    button.hover(); button.click()
    page.wait_for_timeout(100)
    clip = page.evaluate('navigator.clipboard.readText()')
    return [] if clip == code else [f'{clip[:40]!r} instead of {code[:40]!r}']


def menu(page):
    "What is wrong with the button that shows the list of chapters on a phone."
    page.locator('.quarto-btn-toggle').first.click()
    page.wait_for_timeout(300)
    box = page.locator('#quarto-sidebar').bounding_box()
    return [] if box and box['x'] >= 0 else ['it does not open']


def shoot(page, folder, name):
    "Save a picture of a whole page."
    if not folder: return
    folder.mkdir(parents=True, exist_ok=True)
    page.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    page.screenshot(path=folder/f'{name}.png', full_page=True)


def look(chromium, home, name, shots=None):
    "Open one page in light and dark, wide and narrow: what is wrong with it, and what is on it."
    problems, stem = [], name.removesuffix('.html').replace('/', '-')
    add = lambda kind, found: problems.extend(f'{kind}: {f}' for f in found)
    for scheme in ('light', 'dark'):
        with opened(chromium, home + name, home, problems, scheme) as page:
            shoot(page, shots, f'{stem}-{scheme}-wide')
            if scheme == 'light':
                facts = page.evaluate(FACTS)
                add('path of this machine', [str(ROOT)] if str(ROOT) in facts['text'] else [])
                add('figure not loaded', page.evaluate(FIGURES))
                add('maths not typeset', page.evaluate(MATHS))
                add('copy button', copied(page))
            add(f'axe, {scheme}', audit(page))
    for scheme in ('light', 'dark') if shots else ('light',):
        with opened(chromium, home + name, home, problems, scheme, NARROW) as page:
            shoot(page, shots, f'{stem}-{scheme}-narrow')
            page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            add('too wide for a phone', page.evaluate(TOO_WIDE))
            add('menu', menu(page))
    return list(dict.fromkeys(problems)), facts


def searched(chromium, home, titles):
    "Type the title of each page into the search box, and complain of each that does not come up."
    problems = []
    with opened(chromium, home + next(iter(titles)), home, problems) as page:
        for name, title in titles.items():
            page.locator('#quarto-search input').fill(title)
            page.wait_for_timeout(400)
            if home + name not in {urldefrag(url).url for url in page.locator('.search-result').evaluate_all('e => e.map(a => a.href)')}:
                problems.append(f'search: {title!r} does not find {name}')
    return problems


def dead_links(folder, home, facts):
    "For each page, its links that lead nowhere: on this site, or into a folder of the repository."
    repo = re.compile(re.escape(CFG['git_url']) + r'/(?:blob|edit|tree|raw)/' + re.escape(CFG['branch']) + '/([^?#]*)')
    for name, fact in facts.items():
        for link in dict.fromkeys(fact['links']):
            url, anchor = urldefrag(link.replace(SITE, home))
            if url.startswith(home):
                path = unquote(urlsplit(url).path.removeprefix(BASE))
                path += 'index.html' if not path or path.endswith('/') else ''
                if not (folder/path).is_file(): yield name, f'broken link: {path}'
                elif anchor and path in facts and unquote(anchor) not in facts[path]['ids']: yield name, f'broken anchor: {link.removeprefix(home)}'
            elif urlsplit(url).netloc == urlsplit(home).netloc: yield name, f'broken link: {link} is outside {BASE}'
            elif (match := repo.match(url)) and not (ROOT/unquote(match[1])).exists(): yield name, f'broken link: {match[1]} is not in the repository'


def look_at(names, home, shots, quiet):
    "Look at pages in a browser of their own, taking the next as long as there are any."
    seen = {}
    with browser() as chromium:
        for name in names:
            began = time.time()
            _, fact = seen[name] = look(chromium, home, name, shots)
            if not quiet: print(f"{name:32} {fact['figures']:3} figures {fact['formulae']:4} formulae {fact['folds']:2} folds "
                                f"{len(fact['links']):4} links {time.time() - began:5.1f} s", flush=True)
    return seen


def check(chromium, folder, names=None, shots=None, quiet=False):
    "Everything wrong with a built site, or with some pages of it, as one list of `page: kind: what`; two browsers share the pages."
    names = names or sorted(p.relative_to(folder).as_posix() for p in folder.rglob('*.html') if p.parent.name != 'widgets')  # those are parts of pages
    with serve(folder) as home, ThreadPoolExecutor(2) as pool:
        seen = {name: both for part in pool.map(look_at, repeat(iter(names), min(2, len(names))), *map(repeat, (home, shots, quiet))) for name, both in part.items()}
        found, facts = ({name: seen[name][i] for name in names} for i in (0, 1))
        for name, problem in dead_links(folder, home, facts): found[name].append(problem)
        titles = {name: facts[name]['title'] for name in names if name != '404.html'}
        found['search.json'] = searched(chromium, home, titles)
        if 'linear.html' in names: found['search.json'] += searched(chromium, home, {'linear.html': 'bce_grad'})  # names of functions too
        if (folder/'404.html').exists(): found['404.html shown elsewhere'] = look(chromium, home, 'no/such/page')[0]
    return list(dict.fromkeys(f'{name}: {problem}' for name, problems in found.items() for problem in problems))


# ---- checking the checks

STOP = '<script>addEventListener("click", e => e.target.closest("{}") && e.stopImmediatePropagation(), true)</script>'
FAULTS = {  # a kind of complaint: what, put into a page, must raise it
    'console': '<script>console.error("planted")</script>',
    'script': '<script>setTimeout(() => { throw Error("planted") })</script>',
    'failed request': '<img src="planted.png" alt="planted">',
    'outside request': '<script src="https://example.com/planted.js"></script>',
    'broken link': '<a href="planted.html">planted</a>',
    'broken link: planted': f'<a href="{CFG["git_url"]}/blob/{CFG["branch"]}/planted">planted</a>',
    'broken anchor': '<a href="#planted">planted</a>',
    'path of this machine': f'<p>{ROOT}</p>',
    'figure not loaded': '<img src="data:image/png;base64,planted" alt="planted">',
    'maths not typeset': '<p>planted $x^2$</p>',
    'copy button': STOP.format('.code-copy-button'),
    'menu': STOP.format('.quarto-btn-toggle'),
    'axe, light': '<style>html:not(.quarto-dark) .planted { color: #ccc }</style><p class="planted">planted</p>',
    'axe, dark': '<style>html.quarto-dark .planted { color: #444 }</style><p class="planted">planted</p>',
    'too wide for a phone': '<div style="width: 900px">planted</div>',
}


def plant(chromium, folder):
    "Check a page, then copies of it with one fault each; the faults that no check caught."
    missed = []
    with tempfile.TemporaryDirectory() as tmp:
        site = Path(tmp)/'site'
        shutil.copytree(folder, site)
        (site/'404.html').unlink(missing_ok=True)
        page = min((p for p in site.rglob('*.html') if 'code-copy-button' in p.read_text(encoding='utf-8')), key=lambda p: p.stat().st_size)
        name, sound, index = page.relative_to(site).as_posix(), page.read_text(encoding='utf-8'), site/'search.json'

        def caught(kind, what):
            problems = check(chromium, site, [name], quiet=True)
            print(f'{kind:24} {"caught" if (ok := any(what in p for p in problems)) else "MISSED"}', flush=True)
            if not ok: missed.append(kind)
        if problems := check(chromium, site, [name], quiet=True): raise SystemExit('\n'.join(['first mend:', *problems]))
        for kind, html in FAULTS.items():
            page.write_text(sound.replace('</main>', f'{html}</main>'), encoding='utf-8')
            caught(kind, f'{name}: {kind}')
        page.write_text(sound, encoding='utf-8')
        index.write_text(json.dumps([entry for entry in json.loads(index.read_text(encoding='utf-8')) if not entry['href'].startswith(name)]), encoding='utf-8')
        caught('search', 'search: ')
    return missed


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', nargs='?', type=Path, default=ROOT/CFG['doc_path'])
    parser.add_argument('--screenshots', type=Path, metavar='FOLDER', help='save each page in light and dark, wide and narrow')
    parser.add_argument('--plant', action='store_true', help='plant one fault of each kind in a copy of the site; each must be caught')
    args = parser.parse_args()
    with browser() as chromium:
        problems = plant(chromium, args.folder) if args.plant else check(chromium, args.folder, shots=args.screenshots)
    if problems: raise SystemExit('\n'.join([f'{len(problems)} problems:', *problems]))
    print('every fault was caught' if args.plant else 'no problems')
