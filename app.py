"""The demo: draw a digit or send a picture of one, and read the answer. Run `./setup.sh python app.py`."""
import os
from html import escape
from pathlib import Path

os.environ.setdefault('GRADIO_ANALYTICS_ENABLED', 'False')  # no telemetry; to be set before gradio is imported
os.environ.setdefault('HF_HUB_DISABLE_TELEMETRY', '1')
import gradio as gr
import numpy as np
import torch
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from gradio.route_utils import FnIndexInferError
from gradio.utils import get_upload_folder

from mnist_nbdev.answer import answer, bars, facts
from mnist_nbdev.data import ASSETS
from mnist_nbdev.predict import load_model
from mnist_nbdev.prepare import NO_INK
from mnist_nbdev.read import MAX_BYTES

AT_ONCE, IN_LINE = 2, 64  # questions answered at a time, each by one thread, and waiting; who comes after these is told so
NOT_OURS = 'This request is not of the form that "Use via API" describes, at the foot of the page: first upload one image, then send the path that you get for it.'
BUSY = 'Busy: too many images are waiting already. Please try again in a few seconds.'
EXAMPLES = sorted(map(str, ASSETS.glob('example-*')))
UPLOADS = Path(get_upload_folder()).resolve()
torch.set_num_threads(1)

CSS = """
:root { --color-accent: #00609b; } .dark { --color-accent: #7cc0f4; }  /* the colours of the book */
.gradio-container { max-width: 1120px !important; }
#words { min-height: 6rem; }
#words h2 { font-size: 2rem; line-height: 1.2; margin: .2rem 0 .4rem; }
#words p { font-size: 1.05rem; margin: 0; }
#pad :is([aria-label="Pan"], [aria-label^="Zoom"], [aria-label="Color"], [aria-label="Brush Size"], .zoom-number, .separator) { display: none; }  /* sheet, ink and pen are fixed */
#seen img { max-height: 180px; object-fit: contain; }
footer button { color: var(--body-text-color) !important; }
#legend .three { color: #b2182b; } #legend .seven { color: #2166ac; }
:focus-visible { outline: 3px solid var(--color-accent) !important; outline-offset: 2px; }
@media (max-width: 500px) { #pad { height: 330px !important; } #words h2 { font-size: 1.6rem; } }
"""
NAMES = """() => {  // for those who hear the page: names for what Gradio leaves without one, and each answer as it comes
  const name = () => {
    document.querySelectorAll('.gallery-item img').forEach(i => i.closest('button').ariaLabel = decodeURI(i.src).match(/example-\\d+-([^/.]+)/)[1].replaceAll('-', ' '));
    document.querySelectorAll('.empty[aria-label]').forEach(e => e.role = 'img');
    document.getElementById('words')?.setAttribute('aria-live', 'polite');
  };
  new MutationObserver(name).observe(document.body, {childList: true, subtree: true});
  name();
}"""

picture = dict(format='png', buttons=[], interactive=False)  # what the page draws


def heading(words, note=''):
    "The answer, as the page shows it."
    return f'<h2>{escape(words)}</h2><p>{escape(note)}</p>'


WAITING = heading('Draw a 3 or a 7.', 'Or send a picture of one, or choose one below.'), None, None, None, None, None


def show(image):
    "Everything on the page that depends on the image; what is wrong with it stands where the answer would."
    if image is None: return WAITING
    try: a = answer(image)
    except ValueError as error: return heading('No answer.', str(error)), *WAITING[1:]
    seen, line, cnn = a.pictures()
    return heading(a.words, a.note), bars(a.line), line, bars(a.cnn) if a.cnn.in_scope else 'neither', cnn, seen


def show_drawn(drawing):
    "The same for the sheet, where having no ink yet is no mistake; and whether it was asked. Gradio sends None when the page opens."
    if drawing is None: return gr.skip()
    shown = show(drawing)
    return True, *(WAITING if shown[0] == heading('No answer.', NO_INK) else shown)


def look_again(drawn, drawing):
    "Take an answer back if the sheet was cleared while it was on its way."
    return WAITING if drawn and drawing is None else gr.skip()


def ask(image):
    "The answer, for a program."
    if image is None: raise gr.Error(NOT_OURS, title='No answer', print_exception=False)
    try: return facts(answer(image))
    except ValueError as error: raise gr.Error(str(error), title='No answer', print_exception=False) from error


def blank():
    "An empty sheet of paper."
    return {'background': np.full((280, 280, 3), 255, np.uint8), 'layers': [], 'composite': None}


def uploaded(file):
    "The path of a file that was uploaded here; of no other on this machine, whatever the request says."
    path = file and file.path and Path(file.path).resolve()
    if path and not (path.is_file() and path.is_relative_to(UPLOADS)): raise ValueError(NOT_OURS)
    return path


# Not Gradio but `predict` opens files, and says what is wrong with them. Set for the classes, for Gradio makes new objects of them for each visitor.
gr.Image.preprocess = lambda self, file: uploaded(file)
gr.ImageEditor.preprocess = lambda self, drawing: drawing and uploaded(drawing.composite)  # None where nothing is drawn


class Page(gr.Blocks):
    "A page that says in a sentence what is wrong with a request that is not of its form."
    async def preprocess_data(self, *args, **kwargs):
        try: return await super().preprocess_data(*args, **kwargs)
        except Exception as error: raise gr.Error(NOT_OURS, title='No answer', print_exception=False) from error


def refuse(request, error): return JSONResponse({'detail': NOT_OURS}, 422)


def busy(request, error): return JSONResponse({'detail': BUSY}, 503)


with Page(title='3 or 7?', analytics_enabled=False, delete_cache=(600, 3600)) as demo:  # what was sent is kept for an hour at most
    gr.Markdown('# A handwritten 3, or a 7?\nTwo models that learned from [MNIST](https://en.wikipedia.org/wiki/MNIST_database) will tell you, and show you why. '
                '[How they work](https://mnist-nbdev.github.io/mnist_nbdev)')
    with gr.Row():
        with gr.Column(scale=2, min_width=300), gr.Tabs() as tabs:
            with gr.Tab('Draw', id='draw'):
                pad = gr.Sketchpad(blank(), canvas_size=(280, 280), fixed_canvas=True, layers=False, transforms=(), height=390, elem_id='pad', show_label=False,
                                   label='A sheet to draw on, with mouse, pen or finger', brush=gr.Brush(default_size=11, colors=['#000000'], color_mode='fixed'))
            with gr.Tab('Send a picture', id='picture'):
                image = gr.Image(sources=['upload', 'webcam', 'clipboard'], webcam_options=gr.WebcamOptions(mirror=False, constraints={'video': {'facingMode': 'environment'}}),
                                 height=390, elem_id='image', show_label=False, label='A picture of one digit')
        with gr.Column(scale=3, min_width=300):
            words = gr.HTML(WAITING[0], elem_id='words', padding=False)
            with gr.Row():
                with gr.Column(min_width=140):
                    line = gr.Label(label='785 numbers', elem_id='line')
                    why_line = gr.Image(label='why', elem_id='why-line', alt_text='Why the line said so: red speaks for a 3, blue for a 7.', **picture)
                with gr.Column(min_width=140):
                    cnn = gr.Label(label=f'CNN: {sum(p.numel() for p in load_model("cnn").parameters()):,}', elem_id='cnn')
                    why_cnn = gr.Image(label='why', elem_id='why-cnn', alt_text='Why the CNN said so: red speaks for a 3, blue for a 7.', **picture)
                with gr.Column(min_width=140):
                    seen = gr.Image(label='what they saw', elem_id='seen', alt_text='The image as the models saw it, 28 by 28 pixels.', **picture)
                    gr.Markdown('<span class="three">■</span> speaks for a 3, <span class="seven">■</span> for a 7; the outline is the ink.', elem_id='legend')
    examples = gr.Examples(EXAMPLES, image, label='Or try one of these')
    outputs = [words, line, why_line, cnn, why_cnn, seen]
    quiet = dict(api_visibility='private', show_progress='hidden')
    image.change(show, image, outputs, trigger_mode='always_last', **quiet)
    drawn = gr.State(False)
    pad.input(show_drawn, pad, [drawn, *outputs], trigger_mode='always_last', **quiet).then(look_again, [drawn, pad], outputs, **quiet)
    pad.clear(lambda: (blank(), *WAITING), None, [pad, *outputs], **quiet)
    examples.dataset.click(lambda: gr.Tabs(selected='picture'), None, tabs, **quiet)
    program, reply = gr.Button(visible=False), gr.JSON(visible=False)
    program.click(ask, image, reply, api_name='predict')
    program.click(ask, pad, reply, api_name='predict_drawing')

demo.queue(max_size=IN_LINE, default_concurrency_limit=AT_ONCE)


def launch(**options):
    "Start the page, as it is meant to be."
    answer(EXAMPLES[0]).pictures()  # read the models now, not while the first visitor waits
    system_fonts = gr.themes.Default(primary_hue='blue', font=['system-ui', 'sans-serif'], font_mono=['ui-monospace', 'monospace'])  # asks the web for none
    return demo.launch(theme=system_fonts, css=CSS, js=NAMES, max_file_size=MAX_BYTES, max_threads=8, show_error=True, ssr_mode=False, footer_links=['api'],
                       app_kwargs={'exception_handlers': {FnIndexInferError: refuse, RequestValidationError: refuse, 503: busy}}, **options)


if __name__ == '__main__': launch()
