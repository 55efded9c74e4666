"""Every page of the site, as readers meet it: wide and narrow, light and dark."""

import gzip
import os
import re
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urlsplit

import docs
import pytest
from helpers import BASE, CFG, DOCS, NARROW, ROOT, audit, look, unfold, watch
from PIL import Image
from playwright.sync_api import expect

SOURCES = [p for p in (ROOT/'nbs').iterdir() if p.suffix in ('.ipynb', '.qmd')]
PAGES = sorted(re.sub(r'^\d+_', '', path.stem) + '.html' for path in SOURCES)
HOST = CFG['doc_host'] + BASE
REPO = f'{CFG["git_url"]}/(?:blob|edit|tree|raw)/{CFG["branch"]}/([^?#]*)'

CLIPBOARD = ['clipboard-read', 'clipboard-write']
LOADED = "() => performance.getEntriesByType('resource').map(({name}) => name)"
A4 = {'width': 700, 'height': 990}


def copy_button(page):
    "What is wrong with the first copy button."
    button = page.locator('.code-copy-button').first
    if not button.count(): return
    code = page.locator('.code-copy-outer-scaffold pre code').first.inner_text()
    page.evaluate("navigator.clipboard.writeText('nothing was copied')")
    button.hover()
    button.click()
    page.wait_for_timeout(100)
    clip = page.evaluate('navigator.clipboard.readText()')
    if clip != code: yield f'copy button: {clip[:40]!r} instead of {code[:40]!r}'


def menu(page):
    "What is wrong with the button that shows the list of chapters on a phone."
    page.locator('.quarto-btn-toggle').first.click()
    page.wait_for_timeout(300)
    box = page.locator('#quarto-sidebar').bounding_box()
    if not box or box['x'] < 0: yield 'menu: it does not open'


def weight(page):
    "What a page weighs on its way, with all its pictures; widgets come when asked."
    paths = {unquote(urlsplit(url).path) for url in page.evaluate(LOADED)}
    names = [path.removeprefix(BASE) for path in paths if '/widgets/' not in path]
    files = [DOCS/name for name in names if (DOCS/name).is_file()]
    sent = [page.content().encode(), *(path.read_bytes() for path in files)]
    size = sum(len(gzip.compress(body)) for body in sent)
    if size > 400_000: yield f'too heavy: {size:,} bytes'


def complaints(page):
    "All that is wrong with an open page: wide, dark, narrow, on paper."
    page.wait_for_load_state('networkidle')
    unfold(page)
    found = look(page, 'tooWide', 'code', 'figures', 'maths', 'stops')
    found += weight(page)
    if str(ROOT) in page.inner_text('body'): found.append('path of this machine')
    found += [*copy_button(page), *(f'light {fault}' for fault in audit(page))]
    page.emulate_media(color_scheme='dark')
    page.locator('html.quarto-dark').wait_for()
    found += [f'dark {fault}' for fault in audit(page, questions=['colours'])]
    found += look(page, 'slabs')
    page.set_viewport_size(NARROW)
    page.wait_for_timeout(100)
    found += look(page, 'tooWide', 'cut', 'covered') + [*menu(page)]
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = false)")
    page.set_viewport_size(A4)
    page.emulate_media(media='print')
    return found + look(page, 'tooWide', 'lost')


@pytest.mark.parametrize('name', PAGES)
def test_page(visit, site, name):
    assert complaints(visit(site + name, permissions=CLIPBOARD)) == []


def dead(page):
    "What is wrong with a page where scripts do not run."
    return look(page, 'dead', 'maths')


@pytest.mark.parametrize('name', PAGES)
def test_without_scripts(visit, site, name):
    assert dead(visit(site + name, java_script_enabled=False)) == []


def test_lost(visit, site):
    lost = 'no/such/page'
    page = visit(site + lost, known=f'40[0-9] .*{lost}', permissions=CLIPBOARD)
    expect(page.locator('h1')).to_have_text('There is no such page')
    assert look(page, 'figures') + audit(page) == []


def test_print(visit, site):
    "To print unfolds what is folded, and folds it again."
    page = visit(site + 'linear.html')
    page.evaluate("document.querySelector('details').open = true")
    are_open = "[...document.querySelectorAll('details')].map(fold => fold.open)"
    before = page.evaluate(are_open)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert all(page.evaluate(are_open)) and len({*before}) == 2
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(are_open) == before


# ---- links


class Links(HTMLParser):
    "Where a page leads, and the places in it that others may lead to."

    def __init__(self, html):
        super().__init__()
        self.links, self.ids = set(), set()
        self.feed(re.sub(r'"data:[^"]*"', '""', html))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids.add(values.get('id'))
        if tag in ('a', 'area'): self.links.add(values.get('href') or '')
        content = values.get('content') or ''
        if tag == 'meta' and content.startswith('http'): self.links.add(content)


def dead_links(name, page, pages):
    "The links of a page that lead nowhere, on this site or in the repository."
    for link in page.links:
        url, anchor = urldefrag(link.replace(HOST, '/'))
        if match := re.match(REPO, url):
            if not (ROOT/unquote(match[1])).exists():
                yield f'{name}: broken link: {match[1]} is not in the repository'
        elif not re.match(r'\w+:|//', url):
            folder = DOCS if url.startswith('/') else (DOCS/name).parent
            path = (folder/unquote(url).lstrip('/')).resolve() if url else DOCS/name
            if path.is_dir(): path = path/'index.html'
            there = path.relative_to(DOCS).as_posix()
            if not path.is_file():
                yield f'{name}: broken link: {link}'
            elif anchor and there in pages and unquote(anchor) not in pages[there].ids:
                yield f'{name}: broken anchor: {link}'


def test_links(site):
    texts = {path.relative_to(DOCS).as_posix(): path.read_text('utf-8')
             for path in DOCS.rglob('*.html')}
    pages = {name: Links(text) for name, text in texts.items()}
    faults = [fault for name in pages for fault in dead_links(name, pages[name], pages)]
    assert faults == []
    others = [name for name in pages if name not in PAGES and 'widgets/' not in name]
    for name in others: assert 'refresh' in texts[name]  # it forwards to a new address


FIRST = {
    'overfitting': 'notation.html#',
    'overfiting': 'notation.html#',  # as people type it
    'install': 'index.html',
    'colab': 'index.html',
    'glossary': 'notation.html',
    'licence': 'index.html#data-and-licence',
    'heic': 'read.html',
    'neural network': 'nets.html',
    'what is mnist': 'data.html',
}


def title_of(name):
    html = (DOCS/name).read_text('utf-8')
    return re.search(r'<h1[^>]*>(.*?)</h1>', html, re.S)[1]


def test_search(visit, site):
    page = visit(site)
    wanted = [(name, title_of(name)) for name in PAGES if name != '404.html']
    for name, words in [*wanted, ('linear.html', 'relative_error')]:
        page.locator('#quarto-search input').fill(words)
        result = page.locator(f'.search-result[href*="{name}"]').first
        expect(result, f'{words!r} finds {name}').to_be_attached()
    for words, name in FIRST.items():
        page.locator('#quarto-search input').fill(words)
        first = page.locator('.search-result').first
        expect(first, f'{words!r} finds it first').to_have_attribute(
            'href', re.compile(name))
    assert (DOCS/'search.json').stat().st_size <= 384_000


# ---- the tests above notice a fault of each kind

DEAF = """<script>addEventListener('click', event =>
  event.target.closest('%s') && event.stopImmediatePropagation(), true)</script>"""
LIGHT = '<style>html:not(.quarto-dark) .planted { color: #ccc }</style>'
DARK = '<style>html.quarto-dark .planted { color: #444 }</style>'
FAULTS = {
    'console': '<script>console.error("planted")</script>',
    'script': '<script>setTimeout(() => { throw Error("planted") })</script>',
    'failed request': '<img src="planted.png" alt="planted">',
    'outside request': '<img src="https://example.com/planted.png" alt="planted">',
    'path of this machine': f'<p>{ROOT}</p>',
    'figure not loaded': '<img src="data:image/png;base64,planted" alt="planted">',
    'maths not typeset': '<p>planted $x^2$</p>',
    'copy button': DEAF % '.code-copy-button',
    'menu': DEAF % '.quarto-btn-toggle',
    'light axe': f'{LIGHT}<p class="planted">planted</p>',
    'dark axe': f'{DARK}<pre><b class="planted">planted</b></pre>',
    'too wide': '<div style="width: 900px">planted</div>',
    'too wide: code': f'<pre class="sourceCode" style="width: 9em">{"x"*88}</pre>',
    'raw link in code': '<pre class="sourceCode">[`p`](/p.html)</pre>',
    'tab stop without a purpose': '<p tabindex="0">planted</p>',
    'tab stop without a name': '<a href="#exercises" style="padding: 9px"></a>',
    'no skip link': '<script>document.querySelector(".skip").remove()</script>',
    'landmark without a name': '<nav>planted</nav>',
    'chapter out of sight': '<script>addEventListener("load", () => setTimeout(() => '
        'document.querySelector("#quarto-sidebar").scrollTop = 999))</script>',
    'white slab': '<p class="cell-output"><img src="favicon.svg" alt="planted" '
                  'style="filter: none"></p>',
    'cut without a sign': '<p style="overflow: auto"><b style="padding: 0 30em">p</b>',
    'copy button on code':
        '<style>pre.code-with-copy { padding: 0 !important }</style>',
    'folded on paper':
        '<style>@media print { ::details-content { display: none !important } '
        '}</style>',
    'lost on paper': '<style>@media print { .cell-output { height: 0 } }</style>',
    'cut on paper': '<p style="overflow: auto"><b style="padding: 0 60em">p</b></p>',
    'no address on paper': '<div class="widget">planted</div>',
    'too heavy': f'<i hidden>{os.urandom(350_000).hex()}</i>',
    'dead without scripts': '<button onclick="alert()">planted</button>',
    'broken link': '<a href="planted.html">planted</a>',
    'broken link: planted is': f'<a href="{CFG["git_url"]}/blob/main/planted">p</a>',
    'broken anchor': '<a href="#planted">planted</a>',
}


@pytest.mark.slow
@pytest.mark.parametrize('kind', FAULTS)
def test_notices(new_context, site, kind):
    html = (DOCS/'baseline.html').read_text('utf-8')
    html = html.replace('</main>', FAULTS[kind] + '</main>')
    links = Links(html)
    found = [*dead_links('baseline.html', links, {'baseline.html': links})]
    for look_at, more in ((complaints, {'permissions': CLIPBOARD}),
                          (dead, {'java_script_enabled': False})):
        page = new_context(**more).new_page()
        watch(page, found)
        page.route('**/baseline.html', lambda route: route.fulfill(body=html))
        page.goto(site + 'baseline.html')
        found += look_at(page)
    assert any(kind in fault for fault in found), found


def test_wide_pictures_are_cut_between_panels():
    panels = Image.new('L', (300, 50), 'white')
    for x in (16, 116, 216): panels.paste(0, (x, 5, x + 80, 45))
    assert docs.gap(panels) == 106  # of two gaps beside the middle, the first
    panels.paste(0, (104, 20, 106, 30))  # a label beside the second panel's axis
    assert docs.gap(panels) == 100
    panels.paste(255, (140, 0, 160, 50))
    assert docs.gap(panels) == 150
    panels.paste(0, (0, 0, 300, 1))  # a line over all panels leaves no gap
    assert docs.gap(panels) is None
