"""The demo: upload a digit, read the answer. Run `./setup.sh python app.py`."""
import os
import tempfile
from pathlib import Path

os.environ.setdefault('GRADIO_ANALYTICS_ENABLED', 'False')  # no telemetry; to be set before gradio is imported
os.environ.setdefault('HF_HUB_DISABLE_TELEMETRY', '1')
import gradio as gr
from PIL import Image

from mnist_nbdev.data import load_sample
from mnist_nbdev.predict import MAX_BYTES, predict


def classify(image):
    "The probabilities of both digits, for the label."
    try: p = predict(image)
    except ValueError as error: raise gr.Error(str(error), title='No answer', print_exception=False) from error
    return {str(p.digit): p.probability, str(10 - p.digit): 1 - p.probability}


def write_examples(folder, every=250):
    "Validation images, enlarged, as PNG files for the gallery."
    paths = []
    for i, x in enumerate(load_sample().valid_x[::every]):
        paths.append(str(Path(folder)/f'digit-{i}.png'))
        Image.fromarray((x.reshape(28, 28)*255).byte().numpy()).resize((140, 140)).save(paths[-1])
    return paths


with gr.Blocks(title='3 or 7?', analytics_enabled=False) as demo:
    gr.Markdown('# A handwritten 3, or a 7?\nUpload or paste an image of one digit. 784 weights and a bias decide. '
                'Trained on [MNIST](https://en.wikipedia.org/wiki/MNIST_database) by [mnist_nbdev](https://github.com/mnist-nbdev/mnist_nbdev).')
    with gr.Row():
        image = gr.Image(type='filepath', sources=['upload', 'clipboard'], label='An image of one digit', elem_id='image', height=320)
        image.preprocess = lambda payload: payload and payload.path  # not Gradio but `predict` opens the file, and says what is wrong with it
        answer = gr.Label(label='Answer', elem_id='answer')
    gr.Examples(write_examples(tempfile.mkdtemp()), image, answer, classify, run_on_click=True, cache_examples=False, label='Digits that the model never saw', api_visibility='private')
    image.upload(classify, image, answer, api_name='predict')
    image.clear(lambda: None, None, answer, api_visibility='private')

demo.queue(max_size=64, default_concurrency_limit=2)

if __name__ == '__main__':
    system_fonts = gr.themes.Default(font=['system-ui', 'sans-serif'], font_mono=['ui-monospace', 'monospace'])  # asks the web for none
    demo.launch(theme=system_fonts, max_file_size=MAX_BYTES, max_threads=8, show_error=True, ssr_mode=False, footer_links=['api'])
