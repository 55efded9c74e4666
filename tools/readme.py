"""Write README.md: its own front matter (for Hugging Face Spaces), then nbs/index.ipynb as Markdown.

    python tools/readme.py [--check]

Links are absolute, so that they work on GitHub, on the Space and on the package index alike.
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


def page(match):
    "A link to a notebook, as a link to its page on the site: nbs/00_data.ipynb is data.html."
    name = re.sub(r'(^|/)[0-9]+_', r'\1', match[1])
    return f']({SITE}{name}.html'


def readable(cell):
    "A cell as the README shows it, or None for one that is hidden."
    if cell.cell_type == 'markdown':
        cell.source = re.sub(r'\]\((?!\w+:|#)([\w/-]+)\.ipynb', page, NbdevLookup().linkify(cell.source))
        return cell
    directives = extract_directives(cell)
    if 'hide' in directives: return None
    cell.source = '\n'.join(line for line in cell.source.splitlines() if not line.startswith('#|'))
    cell.metadata['transient'] = {'remove_source': directives.get('echo:') == ['false']}
    cell.outputs = [output for output in cell.outputs if 'class="widget"' not in output.get('data', {}).get('text/html', '')]  # those live on the site
    for output in cell.outputs: output.get('metadata', {}).setdefault('alt', ' '.join(directives.get('fig-alt:', [])).strip('"'))
    return cell


def body():
    "The README below its front matter, and its pictures by name."
    nb = nbformat.read(CFG.nbs_path/'index.ipynb', 4)
    nb.metadata.language_info = {'name': 'python'}
    nb.cells = [cell for cell in map(readable, nb.cells) if cell is not None]
    alts = iter([o.metadata.alt for c in nb.cells if c.cell_type == 'code' for o in c.outputs if 'image/png' in o.get('data', {})])
    text, resources = MarkdownExporter().from_notebook_node(nb, {'output_files_dir': FILES, 'unique_key': 'index'})
    text = re.sub(rf'!\[png\]\(({FILES}/[^)]+)\)', lambda m: f'![{next(alts)}]({CFG.git_url}/raw/{CFG.branch}/{m[1]})', text)
    return re.sub(r'\n{3,}', '\n\n', text).strip() + '\n', resources['outputs']


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true', help='write nothing; fail if the README is out of date')
    args = parser.parse_args()
    readme = ROOT/'README.md'
    old = readme.read_text('utf-8')
    text, pictures = body()
    new = re.match(r'---\n.*?\n---\n', old, re.S).group() + '\n' + text
    if args.check:
        stale = [name for name, data in pictures.items() if not (ROOT/name).is_file() or (ROOT/name).read_bytes() != data]
        if new != old or stale: raise SystemExit('README.md is out of date: run python tools/readme.py')
    else:
        readme.write_text(new, 'utf-8')
        for name, data in pictures.items():
            (ROOT/name).parent.mkdir(exist_ok=True)
            (ROOT/name).write_bytes(data)
