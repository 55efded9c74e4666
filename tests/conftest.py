"""What the tests share: one browser, the site, and a visitor who notes complaints."""

import json
import shutil
import subprocess
import sys
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from browsers import BROWSERS
from filelock import FileLock
from helpers import BASE, DOCS, PATIENCE, ROOT, WIDE, watch
from hypothesis import HealthCheck, settings
from playwright.sync_api import expect

CHROMIUM = 'chromium', 'chromium-browser', 'google-chrome'
QUIET = (  # a browser that asks nobody for anything
    '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync '
    '--disable-background-networking --disable-component-update '
    '--use-fake-device-for-media-stream --use-fake-ui-for-media-stream'
)
ALWAYS = dict(deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile('gate', max_examples=400, derandomize=True, **ALWAYS)
settings.register_profile('long', max_examples=5000, **ALWAYS)
settings.load_profile('gate')
expect.set_options(timeout=20_000*PATIENCE)


def pytest_addoption(parser):
    parser.addoption('--seed', default='0', help='of the moments to kill processes at')
    parser.addoption('--pictures', type=Path, help='write pictures of the demo here')


def pytest_collection_modifyitems(items):
    "First what one worker has to do in a row, so that none is idle at the end."
    items.sort(key=lambda item: item.get_closest_marker('xdist_group') is None)


@pytest.fixture(scope='session')
def browser_type_launch_args(browser_type_launch_args):
    "Debian's Chromium where it is, else the one that Playwright downloads."
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    return browser_type_launch_args | {'executable_path': path, 'args': QUIET.split()}


@pytest.fixture(scope='session')
def context_for(browser):
    "A function that gives the context for a look, where much is loaded already."
    return cache(lambda look: browser.new_context(**json.loads(look)))


@pytest.fixture
def visit(context_for):
    "A function that opens a page and watches it; in the end nothing may be wrong."
    faults, pages = [], []

    def open_page(url, known='^$', **look):
        look = {'viewport': WIDE, 'reduced_motion': 'reduce'} | look
        page = context_for(json.dumps(look)).new_page()
        page.set_default_timeout(10_000*PATIENCE)
        pages.append(page)
        watch(page, faults, known)
        page.goto(url)
        return page

    yield open_page
    for page in pages:
        page.evaluate('localStorage.clear()')
        page.close()
    assert not faults


@pytest.fixture(scope='session', params=BROWSERS, ids=lambda kind: kind.__name__)
def other_browser(request, tmp_path_factory):
    "Firefox, then WebKit, where they are installed."
    kind = request.param
    if not kind.path: pytest.skip(f'{kind.__name__} is not installed ({kind.package})')
    browser = kind(tmp_path_factory.mktemp('profile'))
    yield browser
    browser.close()


class Pages(SimpleHTTPRequestHandler):
    "Serve the site under BASE, and its 404.html for what is not there, as GitHub does."

    protocol_version = 'HTTP/1.1'

    def log_message(self, *args): pass

    def translate_path(self, path):
        inside = path.startswith(BASE)
        return super().translate_path('/' + path.removeprefix(BASE) if inside else '/-')

    def send_error(self, code, message=None, explain=None):
        if code != 404: return super().send_error(code, message, explain)
        body = (DOCS/'404.html').read_bytes()
        self.send_response(404)
        self.send_header('Content-Type', 'text/html; charset=utf-8')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def build_site():
    "Build the site, unless it is newer than all that it is made of."
    sources = 'nbs mnist_nbdev _quarto.yml settings.ini tools/docs.py'.split()
    listed = ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard']
    names = subprocess.check_output([*listed, *sources], cwd=ROOT, text=True)
    files = [path for name in names.split('\0') if (path := ROOT/name).is_file()]
    stamp = DOCS/'.fresh'
    newest = max(path.stat().st_mtime for path in files)
    if not stamp.exists() or stamp.stat().st_mtime < newest:
        subprocess.run([sys.executable, 'tools/docs.py'], cwd=ROOT, check=True)
        stamp.touch()


@pytest.fixture(scope='session')
def site(tmp_path_factory):
    "The address of the site, which one of the workers builds if it is not fresh."
    with FileLock(tmp_path_factory.getbasetemp().parent/'site.lock'):
        build_site()
    handler = partial(Pages, directory=DOCS)
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}{BASE}'
        server.shutdown()


def alive(page, name):
    "The element of a widget, as soon as it lives."
    box = page.locator(f'.widget[data-widget="{name}"][data-ready]')
    box.evaluate("e => e.scrollIntoView({behavior: 'instant'})")
    return box


@pytest.fixture
def box(visit, site, request):
    "The widget of a module of tests, `NAME` on `PAGE`."
    module = request.module
    page = visit(site + module.PAGE, reduced_motion='no-preference')
    return alive(page, module.NAME)
