"""Build the documentation site into _docs/, offline and without Quarto.

    python tools/docs.py

nbdev turns the notebooks into pages in _proc/, and smalldocs renders those, from the
same _quarto.yml that `nbdev_docs` gives to Quarto. Whatever smalldocs warns of (a
broken link, an option that it does not know) fails the build. Then
`pytest tests/test_site.py` looks at the result in a browser.
"""
import base64
import contextlib
import html
import json
import os
import re
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import tinycss2
import yaml
from fontTools import subset
from nbdev.config import get_config
from nbdev.serve import proc_nbs
from PIL import Image
from py_mini_racer import MiniRacer
from smalldocs import highlight, layout
from smalldocs.config import load
from smalldocs.site import Site

from mnist_nbdev.exercises import student_edition

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = (  # NbdevSite reads the first; what Quarto reads, styles.css says too
    'output-file is not read by smalldocs', 'html.grid is ignored',
    'html-math-method is ignored', 'respect-user-color-scheme is ignored',
)
# Bootstrap's scripts do what page.html does too, and KaTeX's work is done here
DROPPED = '<script src="[^"]*(?:bootstrap|katex)[^"]*"[^>]*></script>'
OTHER_FONTS = r',\s*url\([^)]*\.(?:woff|ttf)\b[^)]*\) format\([^)]*\)'
SKIP = '<a class="skip" href="#quarto-document-content">Skip to the text</a>'
MATHS = r'(?<=>)\\([(\[])(.*?)\\[)\]](?=</span>)'
MENDED = {
    layout.KATEX: 'site_libs/katex',
    'fuse/fuse.min.js': 'search.js',
    'themes/slate': 'themes/default',  # styles.css has the colours of both schemes
    'role="img"></i>': 'aria-hidden="true"></i>',
    '<header id=': f'{SKIP}<header id=',
    '<nav class="navbar': '<nav aria-label="Site" class="navbar',
    '<nav class="quarto-secondary': '<nav aria-label="Here" class="quarto-secondary',
    '<nav id="quarto-sidebar"': '<nav aria-label="Chapters" id="quarto-sidebar"',
    '<nav id="TOC"': '<nav aria-label="On this page" id="TOC"',
    '<nav class="page-nav': '<nav aria-label="Next and previous" class="page-nav',
    '<main ': '<main aria-label="Text" ',
}
WIDGET = r'<div class="widget".*?><p>(.*?)</p></div>\s*<script.*?</script>'


class NbdevSite(Site):
    "A smalldocs site whose pages go where nbdev says: 00_data.ipynb to data.html."

    def read(self, src):
        "Read a page, name its output, and give it the site's card."
        page = super().read(src)
        page.front.setdefault('image', '/' + self.project.website['image'])
        page.out = page.out.with_name(page.front.get('output-file', page.out.name))
        return page

    def find_page(self, target):
        "Find a page by its source, as authors link, or by its output, as nbdev does."
        by_output = (page for page in self.pages.values() if page.out == target)
        return super().find_page(target) or next(by_output, None)

    def hidden(self, page):
        "Keep the page for lost readers out of the search and the site map."
        return page.out.name == '404.html' or super().hidden(page)

    def llms_copy(self, page):
        "Write a page as Markdown, with the sentence of each widget."
        text, files = super().llms_copy(page)
        return re.sub(WIDGET, r'\1', text, flags=re.S), files


def check_settings(cfg):
    "Stop where _quarto.yml and settings.ini disagree."
    web = yaml.safe_load((ROOT/'_quarto.yml').read_text('utf-8'))['website']
    expected = {
        'title': cfg.title,
        'description': cfg.description,
        'site-url': cfg.doc_host + cfg.doc_baseurl,
        'repo-url': cfg.git_url,
        'repo-branch': cfg.branch,
        'repo-subdir': cfg.nbs_path.name,
    }
    for key, value in expected.items():
        if web[key] != value: raise SystemExit(f'_quarto.yml: {key} is not {value!r}')


def at_home(text, home, shown):
    "A processed notebook with relative links to our pages and no path of this machine."
    def link(match):
        page, name, method = match.groups('')
        if name + method not in shown: method = ''  # nbdev gives a method no entry
        anchor = f'#{name}{method}' if name in shown else ''  # nor a private helper
        return f'](/{page}{anchor})'
    text = re.sub(rf'\]\({re.escape(home)}([\w/]+\.html)#(\w+)(\.\w+)?\)', link, text)
    return text.replace(f']({home}', '](/').replace(f'{ROOT}/', '')


def process(cfg):
    "Let nbdev make _proc/ afresh, with links for names and headings for exports."
    with contextlib.chdir(cfg.nbs_path):
        proc = proc_nbs(force=True, n_workers=0)  # each would import PyTorch
    pages = {path: path.read_text('utf-8') for path in proc.rglob('*.ipynb')}
    calls = [re.findall(r'show_doc\(([\w.]+)', text) for text in pages.values()]
    shown = {name.lower() for names in calls for name in names}
    home = f'{cfg.doc_host}{cfg.doc_baseurl}/'
    for path, text in pages.items():
        path.write_text(at_home(text, home, shown), 'utf-8')
    student_edition(cfg.nbs_path, proc/'students.zip')
    return proc


def typeset(text, katex):
    "Draw the formulae, so that no reader's browser has to."
    def draw(match):
        options = {'displayMode': match[1] == '['}
        return katex.call('katex.renderToString', html.unescape(match[2]), options)
    return re.sub(MATHS, draw, text, flags=re.S)


def gap(picture):
    "Where a wide picture of several panels can be cut: a white gap near its middle."
    white = (np.asarray(picture.convert('L')) >= 250).all(0)
    edges = np.flatnonzero(np.diff(white, prepend=False, append=False))
    gaps = [g for g in edges.reshape(-1, 2).tolist() if g[1] - g[0] > 1]
    for near in (.05, .18):
        found = [g for g in gaps if abs(sum(g)/2/len(white) - .5) < near]
        least = max((end - start for start, end in found), default=0)/2
        for start, end in found:  # the first: the next may follow a panel's label
            if end - start >= least: return (start + end)//2
    return None


def source(path, tag='img', more=''):
    "A tag for a picture, with the room that it takes."
    with Image.open(path) as picture: width, height = picture.size
    name = 'src' if tag == 'img' else 'srcset'
    place = f'{name}="{path.parent.name}/{path.name}"'
    return f'<{tag} {place} width="{width}" height="{height}" {more}>'


def for_phones(path):
    "A tag for a wide picture whose halves stand one above the other; or nothing."
    with Image.open(path) as picture: wide = picture.copy()
    width, height = wide.size
    at = gap(wide) if width > max(480, 1.9*height) else None
    if not at: return ''
    halves = wide.crop((0, 0, at, height)), wide.crop((at, 0, width, height))
    tall = wide.resize((max(at, width - at), 2*height))
    tall.paste(wide.getpixel((at, 0)), (0, 0, *tall.size))
    for i, half in enumerate(halves): tall.paste(half, (0, i*height))
    path = path.with_stem(f'{path.stem}_tall')
    tall.save(path, optimize=True)
    return source(path, 'source', 'media="(max-width: 575.98px)"')


def unpacked(text, pictures):
    "Name the pictures in place of spelling them out: each comes when its reader does."
    def name(match):
        before, data, after = match.groups()
        path = pictures.get(base64.b64decode(data))
        if not path: return match[0]
        image = source(path, more=f'loading="lazy" {before}{after}')
        return f'<picture>{for_phones(path)}{image}</picture>'
    return re.sub('<img ([^>]*)src="data:image/png;base64,([^"]*)"([^>]*)>', name, text)


def plain(text):
    "The words of some HTML."
    return ' '.join(html.unescape(re.sub('<[^>]+>', ' ', text)).split())


def sections(text, name):
    "What the search knows of a page: each section's terms, prose, and other words."
    main = text.partition('<main')[2].partition('</main>')[0]
    main = re.sub(r'<(script|nav|button)\b.*?</\1>', '', main, flags=re.S)
    main = re.sub(MATHS, '', main, flags=re.S)
    title, _, body = main.partition('</h1>')
    title = plain(title.rpartition('<h1')[2].partition('>')[2])
    head = r'<h[2-4][^>]*data-anchor-id="([^"]*)"[^>]*>(.*?)</h[2-4]>'
    terms = r'<strong>.*?</strong>|description">.*?</'
    parts = ['', '', *re.split(head, body, flags=re.S)]
    known = set()
    for anchor, section, part in zip(parts[::3], parts[1::3], parts[2::3]):
        prose = plain(re.sub(r'<(pre|table|details).*?</\1>', ' ', part, flags=re.S))
        known |= {*re.findall(r'\w+', prose)}
        words = dict.fromkeys(re.findall(r'[^\W\d]\w{7,}', plain(part)))
        new = [word for word in words if word not in known]
        known |= {*new}
        href = f'{name}#{anchor}'.strip('#')
        explained = plain(' '.join(re.findall(terms, part, re.S)))
        yield href, title, plain(section), explained, prose, ' '.join(new)


def used(selector, names):
    "Whether pages have its classes and ids; what is in brackets does not count."
    bare = re.sub(r'\[.*?\]|\(.*\)', '', selector)
    return names.issuperset(re.findall(r'[.#]([a-zA-Z_][\w-]*)', bare))


def needed(css, names):
    "The rules of a style sheet for what the pages have."
    for rule in tinycss2.parse_rule_list(css, skip_comments=True, skip_whitespace=True):
        head = tinycss2.serialize(rule.prelude).strip()
        if rule.type == 'qualified-rule':
            selectors = re.split(r',(?![^(]*\))', head)
            head = ','.join(one for one in selectors if used(one, names))
            rules = tinycss2.serialize(rule.content).strip()
            if head and rules: yield f'{head}{{{rules}}}'
        elif rule.at_keyword == 'media':
            rules = ''.join(needed(rule.content, names))
            if rules: yield f'@media {head}{{{rules}}}'
        else:
            yield rule.serialize()


def slim(out, pages):
    "Keep of styles and fonts what the pages make use of."
    libs = out/'site_libs'
    for name in ('bootstrap', 'fuse', 'katex/contrib'): shutil.rmtree(libs/name)
    for name in ('katex.min.js', 'slate.min.css', '*.woff'):
        for path in libs.rglob(name): path.unlink()
    scripts = [path.read_text('utf-8') for path in out.rglob('*.js')]
    scripts += re.findall('<script>.*?</script>', pages, re.S)
    attributes = re.findall('(?:class|id)="?([^">]*)', pages)
    names = set(re.findall(r'[\w-]+', ' '.join(attributes + scripts)))
    letters = {*pages}
    for path in (*libs.rglob('*.css'), out/'styles.css'):
        css = ''.join(needed(path.read_text('utf-8'), names))
        css = re.sub(OTHER_FONTS, '', css)
        path.write_text(css, 'utf-8')
        letters |= {*css}  # those of icons
    text = ''.join(letters)
    for path in map(str, libs.rglob('*.woff2')):
        subset.main([path, f'--text={text}', '--flavor=woff2', f'--output-file={path}'])


def mended(text, name, cfg):
    "A page with names for its parts, and without scripts that it has no use for."
    text = re.sub(DROPPED, '', text)
    for old, new in MENDED.items(): text = text.replace(old, new)
    address = f'{cfg.doc_host}{cfg.doc_baseurl}/{name}'
    text = text.replace('class="widget"', f'class="widget" data-address="{address}"')
    if name != '404.html': return text
    text = text.replace('href="#', 'href="404.html#')  # it is shown at any address
    return text.replace('<head>', f'<head><base href="{cfg.doc_baseurl}/">')


def finish(out, cfg):
    "Draw what can be drawn now, and drop what no page needs."
    libs = out/'site_libs'
    shutil.move(out/'katex', libs)
    shutil.copy(cfg.nbs_path/'search.js', libs)
    pages = {path: mended(path.read_text('utf-8'), path.name, cfg)
             for path in sorted(out.glob('*.html'))}
    rows = [row for path in pages if path.name != '404.html'
            for row in sections(pages[path], path.name)]
    index = json.dumps(rows, ensure_ascii=False, separators=',:')
    (out/'search.json').write_text(index, 'utf-8')
    katex = MiniRacer()
    katex.eval((libs/'katex'/'katex.min.js').read_text('utf-8') + '; 0')
    pictures = {path.read_bytes(): path for path in out.glob('*_files/*.png')}
    for path, text in pages.items():
        pages[path] = typeset(unpacked(text, pictures), katex)
        path.write_text(pages[path], 'utf-8')
    slim(out, ''.join(pages.values()))


def build():
    "Build the site, and return what smalldocs warned of."
    highlight.css_class = cache(highlight.css_class)  # it is asked 200,000 times
    cfg = get_config()
    check_settings(cfg)
    site = NbdevSite(load(process(cfg)), quiet=True)
    site.build()
    finish(site.out, cfg)
    shutil.rmtree(cfg.doc_path, ignore_errors=True)
    shutil.move(site.out, cfg.doc_path)
    print(f'{len(site.pages)} pages in {cfg.doc_path.name}/')
    return [warning for warning in site.warnings if not warning.endswith(ELSEWHERE)]


if __name__ == '__main__':
    os.chdir(ROOT)
    if warnings := build(): raise SystemExit('\n'.join(warnings))
