"""Write README.md: its front matter (for Hugging Face Spaces), then nbs/index.ipynb.

    python tools/readme.py [--check]

Links are absolute, so that they work on GitHub, on the Space and on the package index.
"""
import argparse
import re
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter
from nbdev.config import get_config
from nbdev.doclinks import NbdevLookup
from nbdev.process import extract_directives

CFG = get_config()
ROOT = Path(CFG.config_path)
SITE = f'{CFG.doc_host}{CFG.doc_baseurl}/'
FILES = 'index_files'


def at_site(text):
    "Links to notebooks and .qmd pages, as links to their pages on the site."
    link = r'\]\((?!\w+:|#)(?:\d+_)?(\w+)\.(?:ipynb|qmd)'
    return re.sub(link, rf']({SITE}\1.html', text)


def is_widget(output):
    return 'class="widget"' in output.get('data', {}).get('text/html', '')


def readable(cell):
    "A cell as the README shows it, or None for one that is hidden."
    if cell.cell_type == 'markdown':
        cell.source = at_site(NbdevLookup().linkify(cell.source))
        return cell
    directives = extract_directives(cell)
    if 'hide' in directives: return None
    lines = cell.source.splitlines()
    cell.source = '\n'.join(line for line in lines if not line.startswith('#|'))
    hidden = directives.get('echo:') == ['false'] or 'code-fold:' in directives
    cell.metadata['transient'] = {'remove_source': hidden}
    cell.outputs = [output for output in cell.outputs if not is_widget(output)]
    alt = ' '.join(directives.get('fig-alt:', [])).strip('"')
    for output in cell.outputs:
        output.get('metadata', {}).setdefault('alt', alt)
        if text := output.get('data', {}).get('text/markdown'):
            output.data['text/markdown'] = at_site(text)
    return cell


def body():
    "The README below its front matter, and its pictures by name."
    nb = nbformat.read(CFG.nbs_path/'index.ipynb', 4)
    nb.metadata.language_info = {'name': 'python'}
    nb.cells = [cell for cell in map(readable, nb.cells) if cell is not None]
    outputs = [o for c in nb.cells if c.cell_type == 'code' for o in c.outputs]
    alts = iter([o.metadata.alt for o in outputs if 'image/png' in o.get('data', {})])
    where = {'output_files_dir': FILES, 'unique_key': 'index'}
    text, resources = MarkdownExporter().from_notebook_node(nb, where)

    def picture(match):
        return f'![{next(alts)}]({CFG.git_url}/raw/{CFG.branch}/{match[1]})'
    text = re.sub(rf'!\[png\]\(({FILES}/[^)]+)\)', picture, text)
    return re.sub(r'\n{3,}', '\n\n', text).strip() + '\n', resources['outputs']


def stale(name, data):
    return not (ROOT/name).is_file() or (ROOT/name).read_bytes() != data


if __name__ == '__main__':
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true', help='fail if out of date')
    args = parser.parse_args()
    readme = ROOT/'README.md'
    old = readme.read_text('utf-8')
    text, pictures = body()
    new = re.match(r'---\n.*?\n---\n', old, re.S).group() + '\n' + text
    if args.check:
        if new != old or any(stale(*picture) for picture in pictures.items()):
            raise SystemExit('README.md is out of date: run python tools/readme.py')
    else:
        readme.write_text(new, 'utf-8')
        for name, data in pictures.items():
            (ROOT/name).parent.mkdir(exist_ok=True)
            (ROOT/name).write_bytes(data)
