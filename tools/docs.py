"""Build the documentation site into _docs/, offline and without Quarto.

    python tools/docs.py

nbdev turns the notebooks into pages in _proc/, and smalldocs renders those, from the
same _quarto.yml that `nbdev_docs` gives to Quarto. Whatever smalldocs warns of (a
broken link, an option that it does not know) fails the build. Then
`pytest tests/test_site.py` looks at the result in a browser.
"""
import contextlib
import os
import re
import shutil
from pathlib import Path

import yaml
from nbdev.config import get_config
from nbdev.serve import proc_nbs
from smalldocs import layout
from smalldocs.config import load
from smalldocs.site import Site

ROOT = Path(__file__).resolve().parents[1]
READ_HERE = ('output-file is not read by smalldocs',)  # NbdevSite reads it
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
        if web[key] != value:
            found = web[key]
            raise SystemExit(f'_quarto.yml: website.{key} is {found!r}, not {value!r}')


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
        proc = proc_nbs(force=True)
    pages = {path: path.read_text('utf-8') for path in proc.rglob('*.ipynb')}
    calls = [re.findall(r'show_doc\(([\w.]+)', text) for text in pages.values()]
    shown = {name.lower() for names in calls for name in names}
    home = f'{cfg.doc_host}{cfg.doc_baseurl}/'
    for path, text in pages.items():
        path.write_text(at_home(text, home, shown), 'utf-8')
    return proc


def finish(out, cfg):
    "Serve KaTeX from the site, and let 404.html find its style wherever it is shown."
    shutil.copytree(cfg.nbs_path/'katex', out/'site_libs'/'katex')
    for path in out.rglob('*.llms.md'):  # of a widget keep the sentence
        text = re.sub(WIDGET, r'\1', path.read_text('utf-8'), flags=re.S)
        path.write_text(text, 'utf-8')
    for path in out.rglob('*.html'):
        up = '../'*(len(path.relative_to(out).parts) - 1)
        text = path.read_text('utf-8').replace(layout.KATEX, f'{up}site_libs/katex')
        text = text.replace('role="img"></i>', 'aria-hidden="true"></i>')
        if path.name == '404.html':
            text = text.replace('<head>', f'<head><base href="{cfg.doc_baseurl}/">')
        path.write_text(text, 'utf-8')


def build():
    "Build the site, and return what smalldocs warned of."
    cfg = get_config()
    check_settings(cfg)
    site = NbdevSite(load(process(cfg)), quiet=True)
    site.build()
    finish(site.out, cfg)
    shutil.rmtree(cfg.doc_path, ignore_errors=True)
    shutil.move(site.out, cfg.doc_path)
    print(f'{len(site.pages)} pages in {cfg.doc_path.name}/')
    return [warning for warning in site.warnings if not warning.endswith(READ_HERE)]


if __name__ == '__main__':
    os.chdir(ROOT)
    if warnings := build(): raise SystemExit('\n'.join(warnings))
