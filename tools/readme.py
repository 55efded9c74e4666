"""Write how long each chapter takes, and README.md from nbs/index.ipynb.

    python tools/readme.py [--check]

The minutes stand at the head of a chapter, and in the list of index.ipynb; the rule is
in that page, in the cell that defines `minutes`. README.md begins with its front matter
(for Hugging Face Spaces). Its links are absolute, so that they work on GitHub, on the
Space and on the package index.
"""
import re
from pathlib import Path

import nbformat
from made import parser, replaced, write
from nbconvert import MarkdownExporter
from nbdev.config import get_config
from nbdev.doclinks import NbdevLookup
from nbdev.process import extract_directives

CFG = get_config()
ROOT = Path(CFG.config_path)
INDEX = CFG.nbs_path/'index.ipynb'
SITE = f'{CFG.doc_host}{CFG.doc_baseurl}/'
FILES = 'index_files'
HEAD = r'("\*Chapter \d\d[^:"]*:) .*? (You will be able to )'
UNTIMED = '39_exercises', '40_checks'  # for teachers, and to look things up


def rule():
    "The function of index.ipynb that counts minutes."
    cells = (cell.source for cell in nbformat.read(INDEX, 4).cells)
    names = {}
    exec(next(source for source in cells if '\ndef minutes(' in source), names)
    return names['minutes']


def timed():
    "The chapters and the index, with the minutes that they take."
    minutes, index = rule(), None
    for path in sorted(CFG.nbs_path.glob('[0-9]*.ipynb')):
        if path.stem in UNTIMED: continue
        read, exercises = minutes(path)
        listed = rf'(\({path.name}\)), \d+ minutes:'
        index = replaced(INDEX, listed, rf'\1, {read} minutes:', index)
        time = f'{read} minutes to read'
        if exercises: time += f', {exercises} for the exercises'
        yield path, replaced(path, HEAD, rf'\1 {time}. \2').encode()
    yield INDEX, index.encode()


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
    nb = nbformat.read(INDEX, 4)
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


def readme():
    "README.md and its pictures, from the index as it is by then."
    text, pictures = body()
    path = ROOT/'README.md'
    front = re.match(r'---\n.*?\n---\n', path.read_text('utf-8'), re.S)[0]
    yield path, f'{front}\n{text}'.encode()
    for name, data in pictures.items(): yield ROOT/name, data


if __name__ == '__main__':
    usage = parser(__doc__)
    usage.add_argument('--check', action='store_true', help='fail if out of date')
    check = usage.parse_args().check
    for files in (timed(), readme()): write(files, check)
