"""The demo: draw a digit or send a picture of one, and read the answer.

Run it with `./setup.sh python app.py`. What is to be seen is in nbs/widgets/demo.html,
and what happens in the browser in demo.js beside it.
"""
import ctypes
import os
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import anyio
import torch
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from gradio_client import handle_file

from mnist_nbdev.answer import answer, facts, for_page
from mnist_nbdev.data import ASSETS
from mnist_nbdev.read import MAX_BYTES
from mnist_nbdev.ship import load_model
from mnist_nbdev.widgets import LOADER, widget_html

os.environ.setdefault('GRADIO_ANALYTICS_ENABLED', 'False')  # no telemetry
os.environ.setdefault('HF_HUB_DISABLE_TELEMETRY', '1')
private = tempfile.TemporaryDirectory(prefix='demo-', ignore_cleanup_errors=True)
os.environ.setdefault('GRADIO_TEMP_DIR', private.name)  # it is deleted at exit
DIRECT = dict(NO_PROXY='*', no_proxy='*')  # the page asks itself only, and no proxy
with patch.dict(os.environ, DIRECT):
    import gradio as gr

ODD = gr.route_utils.FnIndexInferError, RequestValidationError  # not from the page
AT_ONCE = 2  # questions answered at a time, each by one thread
IN_LINE = 64  # questions waiting; who comes after these is told that the page is busy
KEPT, SWEPT = 3600, 600  # seconds: how long a file is kept; how often that is checked
BOOK = 'https://mnist-nbdev.github.io/mnist_nbdev'
REPOSITORY = 'https://github.com/mnist-nbdev/mnist_nbdev'
EXAMPLES = sorted(ASSETS.glob('example-*'))
EXAMPLE = f'{REPOSITORY}/raw/main/mnist_nbdev/assets/{EXAMPLES[3].name}'
WIDGETS = Path(__file__).parent.resolve()/'nbs'/'widgets'
UPLOADS = Path(os.environ['GRADIO_TEMP_DIR']).resolve()
NOT_OURS = (
    'This request is not of the form that "Use via API" describes, at the foot of the '
    'page: first upload one image, then send the path that you get for it.'
)
BUSY = 'Busy: too many images are waiting already. Please try again in a few seconds.'
INTRODUCTION = f"""# A handwritten 3, or a 7?
Two models that learned from [MNIST](https://en.wikipedia.org/wiki/MNIST_database) \
tell you, and show why. [How they work]({BOOK})"""
KEEPING = (
    f'What you draw or send goes to this server to be answered, and is deleted after '
    f'{(KEPT + SWEPT)//60} minutes at the latest. A link to a drawing holds the '
    'drawing itself.'
)
START = """
const {root} = window.gradio_config ?? {root: ''};
const url = path => `${root.replace(/[/]$/, '')}/gradio_api/file=${path}`;
import(url(`${props.folder}/demo.js`))
  .then(demo => demo.begin(element.firstElementChild, url, server, upload));
"""

line = anyio.CapacityLimiter(AT_ONCE)


def uploaded(path):
    "The path of a file that was uploaded here; of no other, whatever is asked."
    try: path = Path(path).resolve()
    except (TypeError, ValueError) as error: raise ValueError(NOT_OURS) from error
    if not (path.is_file() and path.is_relative_to(UPLOADS)): raise ValueError(NOT_OURS)
    return path


def read(path):
    "All that the page shows of an uploaded picture."
    try: return for_page(answer(uploaded(path)))
    except ValueError as error:
        return {'words': 'No answer.', 'note': str(error), 'advice': ''}


async def look(path):
    "The same, in its turn."
    if line.statistics().tasks_waiting >= IN_LINE:
        return {'words': 'No answer.', 'note': BUSY, 'advice': '', 'again': True}
    return await anyio.to_thread.run_sync(read, path, limiter=line)


def predict(image: gr.FileData = handle_file(EXAMPLE)) -> dict:
    "Answer about one uploaded picture, as numbers and words."
    try: return facts(answer(uploaded(image['path'])))
    except (ValueError, TypeError, KeyError) as error:
        words = str(error) if isinstance(error, ValueError) else NOT_OURS
        raise gr.Error(words, title='No answer', print_exception=False) from error


def say(words, status):
    "A handler of errors that replies with a sentence."
    return lambda request, error: JSONResponse({'detail': words}, status)


handlers = dict.fromkeys(ODD, say(NOT_OURS, 422)) | {503: say(BUSY, 503)}
sheet = widget_html(
    'demo', 'This page needs JavaScript.', examples=[str(path) for path in EXAMPLES],
    most=MAX_BYTES, book=BOOK, issues=f'{REPOSITORY}/issues/new',
    many=sum(p.numel() for p in load_model('cnn').parameters()),
).removesuffix(LOADER)  # START does that here
gr.set_static_paths([WIDGETS, *EXAMPLES])
parts = dict(js_on_load=START, server_functions=[look], apply_default_css=False)
more = dict(analytics_enabled=False, delete_cache=(SWEPT, KEPT))
with gr.Blocks(title='3 or 7?', **more) as demo:
    gr.Markdown(INTRODUCTION)
    gr.HTML(sheet, folder=WIDGETS.as_posix(), **parts)
    gr.Markdown(KEEPING)
    gr.api(predict, api_name='predict', concurrency_limit=AT_ONCE)

demo.queue(max_size=IN_LINE, default_concurrency_limit=AT_ONCE)
demo.max_threads = 8


def start():
    "Read the models; then what Gradio is told, wherever the page is served."
    for_page(answer(EXAMPLES[0]))  # now, before the first visitor
    fonts = {'font': ['system-ui', 'sans-serif'], 'font_mono': ['ui-monospace']}
    return dict(
        theme=gr.themes.Default(primary_hue='blue', **fonts), footer_links=['api'],
        max_file_size=MAX_BYTES, show_error=True, ssr_mode=False,
        app_kwargs={'exception_handlers': handlers},
    )


def mount(app, path):
    "Make the page a part of a FastAPI app of yours, at a path such as '/digits'."
    return gr.mount_gradio_app(app, demo, path, **start())


def launch(**more):
    "Start the page as a program of its own, which asks nobody through a proxy."
    os.environ.update(DIRECT)
    torch.set_num_threads(1)
    with suppress(AttributeError, OSError, TypeError):  # glibc only; M_MMAP_THRESHOLD:
        ctypes.CDLL(None).mallopt(-3, 2**18)  # pictures are given back to the system
    return demo.launch(max_threads=demo.max_threads, **start(), **more)


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    launch()
