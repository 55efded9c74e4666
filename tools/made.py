"""What the tools share: how they are called, and how they write what they make."""
import argparse
import operator
import re
import sys


def parser(doc):
    "A parser of arguments whose help is a tool's docstring."
    keep_lines = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(description=doc, formatter_class=keep_lines)


def replaced(path, pattern, new, text=None):
    "A file's text, or another, with the one match of a pattern replaced."
    text, n = re.subn(pattern, new, text or path.read_text('utf-8'), flags=re.M)
    if n != 1: raise SystemExit(f'{path.name} has {n} places like {pattern}, not 1')
    return text


def write(files, check, same=operator.eq):
    "Write pairs of a path and its bytes; to check, stop where a file holds others."
    for path, data in files:
        if path.is_file() and same(path.read_bytes(), data): continue
        if check: raise SystemExit(f'{path.name}: run python {sys.argv[0]}')
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        print(f'{path.name}: {len(data):,} bytes')
