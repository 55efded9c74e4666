"""What the tools that store tables for the book share: JSON that git can compare line by line, and the name of the processor."""
import json
import platform
from pathlib import Path


def as_text(value, indent=1, depth=2):
    "JSON with a line for each row of a table."
    rows = list(value.items()) if isinstance(value, dict) else [(None, v) for v in value] if isinstance(value, list) else []
    if not depth or not any(isinstance(v, (dict, list)) for _, v in rows): return json.dumps(value)
    lines = [' '*indent + ('' if key is None else f'{json.dumps(key)}: ') + as_text(v, indent + 1, depth - 1) for key, v in rows]
    return ',\n'.join(lines).join(('{\n', '\n' + ' '*(indent - 1) + '}') if isinstance(value, dict) else ('[\n', '\n' + ' '*(indent - 1) + ']'))


def processor():
    "What the processor calls itself."
    lines = Path('/proc/cpuinfo').read_text().splitlines() if Path('/proc/cpuinfo').exists() else []
    return next((line.split(':')[1].strip() for line in lines if line.startswith('model name')), platform.processor() or platform.machine())
