"""The demo: draw a digit or send a picture of one, and read the answer.

Run it with `./setup.sh python app.py`.
"""
import os
from html import escape
from pathlib import Path

# no telemetry; these are to be set before gradio is imported
os.environ.setdefault('GRADIO_ANALYTICS_ENABLED', 'False')
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
from mnist_nbdev.prepare import NO_INK
from mnist_nbdev.read import MAX_BYTES
from mnist_nbdev.ship import load_model

AT_ONCE = 2  # questions answered at a time, each by one thread
IN_LINE = 64  # questions waiting; who comes after these is told that the page is busy
NOT_OURS = (
    'This request is not of the form that "Use via API" describes, at the foot of the '
    'page: first upload one image, then send the path that you get for it.'
)
BUSY = 'Busy: too many images are waiting already. Please try again in a few seconds.'
EXAMPLES = sorted(map(str, ASSETS.glob('example-*')))
UPLOADS = Path(get_upload_folder()).resolve()
torch.set_num_threads(1)

# the colours of the book; sheet, ink and pen are fixed, so their tools are hidden
CSS = """
:root { --color-accent: #00609b; }
.dark { --color-accent: #7cc0f4; }
.gradio-container { max-width: 1120px !important; }
#words { min-height: 6rem; }
#words h2 { font-size: 2rem; line-height: 1.2; margin: .2rem 0 .4rem; }
#words p { font-size: 1.05rem; margin: 0; }
#pad :is([aria-label="Pan"], [aria-label^="Zoom"], [aria-label="Color"],
         [aria-label="Brush Size"], .zoom-number, .separator) { display: none; }
#seen img { max-height: 180px; object-fit: contain; }
footer button { color: var(--body-text-color) !important; }
#legend .three { color: #b2182b; }
#legend .seven { color: #2166ac; }
:focus-visible {
  outline: 3px solid var(--color-accent) !important;
  outline-offset: 2px;
}
@media (max-width: 500px) {
  #pad { height: 330px !important; }
  #words h2 { font-size: 1.6rem; }
}
"""
# for those who hear the page: names for what Gradio leaves without one,
# and each answer is read as it comes
NAMES = """() => {
  const name = () => {
    document.querySelectorAll('.gallery-item img').forEach(image => {
      const file = decodeURI(image.src).match(/example-\\d+-([^/.]+)/)[1];
      image.closest('button').ariaLabel = file.replaceAll('-', ' ');
    });
    document.querySelectorAll('.empty[aria-label]').forEach(e => e.role = 'img');
    document.getElementById('words')?.setAttribute('aria-live', 'polite');
  };
  new MutationObserver(name).observe(document.body, {childList: true, subtree: true});
  name();
}"""


def heading(words, note=''):
    "The answer, as the page shows it."
    return f'<h2>{escape(words)}</h2><p>{escape(note)}</p>'


NOTHING = None, None, None, None, None  # no bars and no pictures
WAITING = (
    heading('Draw a 3 or a 7.', 'Or send a picture of one, or choose one below.'),
    *NOTHING,
)


def show(image):
    "All that depends on the image; or, in the answer's place, what is wrong with it."
    if image is None: return WAITING
    try: a = answer(image)
    except ValueError as error: return heading('No answer.', str(error)), *NOTHING
    seen, why_linear, why_cnn = a.pictures()
    network = bars(a.cnn) if a.cnn.in_scope else 'neither'
    return heading(a.words, a.note), bars(a.linear), why_linear, network, why_cnn, seen


def show_drawn(drawing):
    "The same for the sheet, where no ink yet is no mistake; and whether it was asked."
    if drawing is None: return gr.skip()  # Gradio sends it when the page opens
    shown = show(drawing)
    if shown[0] == heading('No answer.', NO_INK): shown = WAITING
    return True, *shown


def look_again(drawn, drawing):
    "Take an answer back if the sheet was cleared while it was on its way."
    return WAITING if drawn and drawing is None else gr.skip()


def refusal(words):
    "An error that a visitor or a program can read."
    return gr.Error(words, title='No answer', print_exception=False)


def ask(image):
    "The answer, for a program."
    if image is None: raise refusal(NOT_OURS)
    try: return facts(answer(image))
    except ValueError as error: raise refusal(str(error)) from error


def blank():
    "An empty sheet of paper."
    white = np.full((280, 280, 3), 255, np.uint8)
    return {'background': white, 'layers': [], 'composite': None}


def uploaded(file):
    "The path of a file that was uploaded here; of no other, whatever is asked."
    path = file and file.path and Path(file.path).resolve()
    if path and not (path.is_file() and path.is_relative_to(UPLOADS)):
        raise ValueError(NOT_OURS)
    return path


def uploaded_drawing(drawing):
    "The path of what was drawn; None where nothing was."
    return drawing and uploaded(drawing.composite)


# Not Gradio but `answer` opens files, and says what is wrong with them. This is set
# for the classes, because Gradio makes new objects of them for each visitor.
gr.Image.preprocess = lambda self, file: uploaded(file)
gr.ImageEditor.preprocess = lambda self, drawing: uploaded_drawing(drawing)


class Page(gr.Blocks):
    "A page that says what is wrong with a request that is not of its form."
    async def preprocess_data(self, *args, **kwargs):
        try: return await super().preprocess_data(*args, **kwargs)
        except Exception as error: raise refusal(NOT_OURS) from error


def refuse(request, error):
    "The reply to a request that is not of the page's form."
    return JSONResponse({'detail': NOT_OURS}, 422)


def busy(request, error):
    "The reply to a request for which there is no room."
    return JSONResponse({'detail': BUSY}, 503)


INTRODUCTION = """# A handwritten 3, or a 7?
Two models that learned from [MNIST](https://en.wikipedia.org/wiki/MNIST_database) \
will tell you, and show you why. \
[How they work](https://mnist-nbdev.github.io/mnist_nbdev)"""
LEGEND = (
    '<span class="three">■</span> speaks for a 3, '
    '<span class="seven">■</span> for a 7; the outline is the ink.'
)
WHY = 'Why the {} said so: red speaks for a 3, blue for a 7.'
CNN_NUMBERS = sum(p.numel() for p in load_model('cnn').parameters())


def picture(label, id, alt):
    "A picture that the page draws."
    return gr.Image(label=label, elem_id=id, alt_text=alt, format='png', buttons=[],
                    interactive=False)


def sheet():
    "A sheet to draw on."
    return gr.Sketchpad(
        blank(),
        label='A sheet to draw on, with mouse, pen or finger',
        show_label=False,
        elem_id='pad',
        height=390,
        canvas_size=(280, 280),
        fixed_canvas=True,
        layers=False,
        transforms=(),
        brush=gr.Brush(default_size=11, colors=['#000000'], color_mode='fixed'),
    )


def sender():
    "A place for a picture: a file, a photo or the clipboard."
    away = {'video': {'facingMode': 'environment'}}  # the camera at the back
    return gr.Image(
        label='A picture of one digit',
        show_label=False,
        elem_id='image',
        height=390,
        sources=['upload', 'webcam', 'clipboard'],
        webcam_options=gr.WebcamOptions(mirror=False, constraints=away),
    )


# what was sent is kept for an hour at most
with Page(title='3 or 7?', analytics_enabled=False, delete_cache=(600, 3600)) as demo:
    gr.Markdown(INTRODUCTION)
    with gr.Row():
        with gr.Column(scale=2, min_width=300), gr.Tabs() as tabs:
            with gr.Tab('Draw', id='draw'):
                pad = sheet()
            with gr.Tab('Send a picture', id='picture'):
                image = sender()
        with gr.Column(scale=3, min_width=300):
            words = gr.HTML(WAITING[0], elem_id='words', padding=False)
            with gr.Row():
                with gr.Column(min_width=140):
                    linear = gr.Label(label='Linear model: 785', elem_id='line')
                    why_linear = picture('why', 'why-line', WHY.format('linear model'))
                with gr.Column(min_width=140):
                    cnn = gr.Label(label=f'Network: {CNN_NUMBERS:,}', elem_id='cnn')
                    why_cnn = picture('why', 'why-cnn', WHY.format('network'))
                with gr.Column(min_width=140):
                    seen = picture(
                        'what they saw', 'seen',
                        'The image as the models saw it, 28 by 28 pixels.')
                    gr.Markdown(LEGEND, elem_id='legend')
    examples = gr.Examples(EXAMPLES, image, label='Or try one of these')
    outputs = [words, linear, why_linear, cnn, why_cnn, seen]
    quiet = dict(api_visibility='private', show_progress='hidden')
    last = dict(trigger_mode='always_last', **quiet)
    image.change(show, image, outputs, **last)
    drawn = gr.State(False)
    shown = pad.input(show_drawn, pad, [drawn, *outputs], **last)
    shown.then(look_again, [drawn, pad], outputs, **quiet)
    pad.clear(lambda: (blank(), *WAITING), None, [pad, *outputs], **quiet)
    show_tab = lambda: gr.Tabs(selected='picture')
    examples.dataset.click(show_tab, None, tabs, **quiet)
    program, reply = gr.Button(visible=False), gr.JSON(visible=False)
    program.click(ask, image, reply, api_name='predict')
    program.click(ask, pad, reply, api_name='predict_drawing')

demo.queue(max_size=IN_LINE, default_concurrency_limit=AT_ONCE)


def launch(**options):
    "Start the page, as it is meant to be."
    answer(EXAMPLES[0]).pictures()  # reads the models now, before the first visitor
    system_fonts = gr.themes.Default(  # they ask the web for none
        primary_hue='blue',
        font=['system-ui', 'sans-serif'],
        font_mono=['ui-monospace', 'monospace'],
    )
    handlers = {FnIndexInferError: refuse, RequestValidationError: refuse, 503: busy}
    return demo.launch(
        theme=system_fonts,
        css=CSS,
        js=NAMES,
        max_file_size=MAX_BYTES,
        max_threads=8,
        show_error=True,
        ssr_mode=False,
        footer_links=['api'],
        app_kwargs={'exception_handlers': handlers},
        **options,
    )


if __name__ == '__main__': launch()
