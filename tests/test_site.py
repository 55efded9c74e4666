"""Every page of the site, as readers meet it: wide and narrow, light and dark."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag

import pytest
from helpers import BASE, CFG, DOCS, NARROW, ROOT, TOO_WIDE, audit, unfold, watch
from playwright.sync_api import expect

SOURCES = [p for p in (ROOT/'nbs').iterdir() if p.suffix in ('.ipynb', '.qmd')]
PAGES = sorted(re.sub(r'^\d+_', '', path.stem) + '.html' for path in SOURCES)
HOST = CFG['doc_host'] + BASE
REPO = f'{CFG["git_url"]}/(?:blob|edit|tree|raw)/{CFG["branch"]}/([^?#]*)'

CLIPBOARD = ['clipboard-read', 'clipboard-write']
FIGURES = """() => [...document.images].filter(i => !(i.complete && i.naturalWidth))
  .map(i => `figure not loaded: ${i.alt || i.src.slice(0, 60)}`)"""
MATHS = r"""() => {
  const main = document.querySelector('main');
  const found = [...main.querySelectorAll('.katex-error, .math:not(:has(.katex))')];
  const texts = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const {data, parentElement} = texts.currentNode;
    const raw = /\$[^\s$][^$]*\$|\$\$|\\[([]/.test(data);
    if (raw && !parentElement.closest('pre, code, .katex, script'))
      found.push(parentElement);
  }
  return found.map(e => `maths not typeset: ${e.textContent.trim().slice(0, 60)}`);
}"""
SCROLLING_CODE = """() => [...document.querySelectorAll('main pre.sourceCode')]
  .filter(pre => pre.scrollWidth > pre.clientWidth + 1)
  .filter(pre => Math.max(...pre.textContent.split('\\n').map(l => l.length)) <= 88)
  .map(pre => `too wide: code that begins ${pre.textContent.slice(0, 60)}`)"""
COLOURS = ['color-contrast', 'link-in-text-block']  # axe's rules that see colours


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


def complaints(page):
    "All that is wrong with an open page, in three looks."
    page.wait_for_load_state('networkidle')
    unfold(page)
    wide = [TOO_WIDE, SCROLLING_CODE, FIGURES, MATHS]
    found = [text for script in wide for text in page.evaluate(script)]
    if str(ROOT) in page.inner_text('body'): found.append('path of this machine')
    found += [*copy_button(page), *(f'light {fault}' for fault in audit(page))]
    page.emulate_media(color_scheme='dark')
    found += [f'dark {fault}' for fault in audit(page, runOnly=COLOURS)]
    page.set_viewport_size(NARROW)
    return found + page.evaluate(TOO_WIDE) + [*menu(page)]


@pytest.mark.parametrize('name', PAGES)
def test_page(visit, site, name):
    assert complaints(visit(site + name, permissions=CLIPBOARD)) == []


def test_lost(visit, site):
    lost = 'no/such/page'
    page = visit(site + lost, known=f'40[0-9] .*{lost}', permissions=CLIPBOARD)
    expect(page.locator('h1')).to_have_text('There is no such page')
    assert page.evaluate(FIGURES) + audit(page) == []


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
    dead = [fault for name in pages for fault in dead_links(name, pages[name], pages)]
    assert dead == []
    others = [name for name in pages if name not in PAGES and 'widgets/' not in name]
    for name in others: assert 'refresh' in texts[name]  # it forwards to a new address


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
    page = new_context(permissions=CLIPBOARD).new_page()
    watch(page, found)
    page.route('**/baseline.html', lambda route: route.fulfill(body=html))
    page.goto(site + 'baseline.html')
    found += complaints(page)
    assert any(kind in fault for fault in found), found
