"""Hand settings.ini, where every fact about the package stands, to setuptools."""
import re
import shlex
from configparser import ConfigParser
from pathlib import Path

import setuptools

here = Path(__file__).parent
config = ConfigParser(delimiters=['='])
config.read(here/'settings.ini', encoding='utf-8')
cfg = config['DEFAULT']
readme = (here/'README.md').read_text(encoding='utf-8')
statuses = ['Planning', 'Pre-Alpha', 'Alpha', 'Beta', 'Production/Stable', 'Mature']
oldest, newest = (int(cfg[key].split('.')[1]) for key in ('min_python', 'max_python'))
extras = [key for key in cfg if key.endswith('_requirements')]

setuptools.setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=cfg['description'],
    keywords=cfg['keywords'],
    author=cfg['author'],
    author_email=cfg['author_email'],
    license=cfg['license'].upper(),
    license_files=['LICENSE'],
    url=cfg['git_url'],
    project_urls={'Documentation': cfg['doc_host'] + cfg['doc_baseurl']},
    classifiers=[
        f"Development Status :: {cfg['status']} - {statuses[int(cfg['status']) - 1]}",
        'Intended Audience :: ' + cfg['audience'],
        'Natural Language :: ' + cfg['language'],
        'Programming Language :: Python :: 3',
        *(f'Programming Language :: Python :: 3.{minor}'
          for minor in range(oldest, newest + 1)),
    ],
    packages=[cfg['lib_path']],
    package_data={cfg['lib_path']: ['assets/*', 'book.mplstyle', 'py.typed']},
    python_requires=f'>=3.{oldest},<3.{newest + 1}',
    install_requires=shlex.split(cfg['requirements']),
    extras_require={
        key.removesuffix('_requirements'): shlex.split(cfg[key]) for key in extras
    },
    # without the front matter, which is for Hugging Face Spaces
    long_description=re.sub(r'\A---\n.*?\n---\n', '', readme, flags=re.S),
    long_description_content_type='text/markdown',
    entry_points={
        'console_scripts': cfg['console_scripts'].split(),
        'nbdev': [f"{cfg['lib_path']}={cfg['lib_path']}._modidx:d"],
    },
    zip_safe=False,
)
