"""Upload what the demo needs to a Hugging Face Space.

    HF_TOKEN=… python tools/upload_space.py OWNER/NAME
"""
import sys
from pathlib import Path

from huggingface_hub import HfApi

FILES = ['README.md', 'LICENSE', 'app.py', 'requirements.txt', 'mnist_nbdev/**']

if __name__ == '__main__':
    if len(sys.argv) != 2: raise SystemExit(__doc__)
    commit = HfApi().upload_folder(
        repo_id=sys.argv[1],
        repo_type='space',
        folder_path=Path(__file__).parents[1],
        allow_patterns=FILES,
        ignore_patterns=['**/__pycache__/**'],
        delete_patterns=['mnist_nbdev/**'],
    )
    print(commit.commit_url)
