// Twenty digits by the reader's hand: which does the linear model read? And a table of them, for mnist_train.
// On a page of its own.

import {Random, logits, sigmoid, toMnist, wilson} from './maths.js';
import {Pad, formatPercent, grey, load, loadLinear, once, picture} from './page.js';

const N = 20, KEY = 'mnist_nbdev: handwriting';

function fresh() {  // ten threes and ten sevens, shuffled; the drawing `at` is asked for
  const order = Array.from(new Random(Date.now()).permutation(N));
  return {at: 0, drawings: order.map(i => ({asked: i < N/2 ? 3 : 7, strokes: []}))};
}

// ---- a table to take home

const head = ['label', ...Array.from({length: 784}, (_, i) => `pixel${i}`)];

const csv = answers => [head, ...answers.map(a => [a.asked, a.pixels]), ''].join('\n');  // a row a drawing

function download(name, text) {
  const href = URL.createObjectURL(new Blob([text]));
  Object.assign(document.createElement('a'), {href, download: name}).click();
}

// ---- the result

function judge(model, drawings) {
  const z = logits(model, drawings.flatMap(d => d.pixels).map(v => v/255));
  return drawings.map((d, i) => ({...d, answer: z[i] > 0 ? 3 : 7, p: sigmoid(Math.abs(z[i]))}));
}

const right = answers => answers.filter(a => a.answer === a.asked).length;

function addCard(cards, {asked, answer, p, sample, pixels}) {  // a drawing as the model saw it
  const wrong = answer !== asked, words = `${wrong ? 'Wrong: ' : ''}${asked} read as ${answer}, ${formatPercent(p)} sure${sample ? ', sample' : ''}`;
  cards.insertAdjacentHTML('beforeend', `<figure class="widget-card ${wrong ? 'wrong' : ''}"><canvas data-size="80 80" role="img"></canvas><figcaption>${words}</figcaption></figure>`);
  const canvas = cards.lastChild.firstChild;
  picture(canvas);
  canvas.pixels(pixels, grey, words, 255);
}

// ---- the widget

export default async function handwriting(parts) {
  const {task, asking, paper, next, back, undo, clear, sample, forget} = parts;
  const {result, low, high, mine, counts, cards, table} = parts;
  const [model, samples] = await Promise.all([loadLinear(), load('drawings.json')]);
  let state, answers, tried = 0;
  const now = () => state.drawings[state.at];

  const keep = once(() => { try { localStorage.setItem(KEY, JSON.stringify(state)); } catch {} });  // where the browser lets us

  const pad = new Pad(paper, ({strokes, empty}) => {
    Object.assign(now(), {strokes, sample: now().sample && !empty});
    paper.setAttribute('aria-label', `Pad for a ${now().asked}; strokes on it: ${strokes.length}`);
    keep();
  });

  function go(step) {
    try {
      if (step > 0) now().pixels = Array.from(toMnist(pad.pixels, Pad.size, Pad.size).pixels, v => Math.round(255*v));  // bytes
      state.at = Math.max(0, state.at + step);
      show();
    } catch ({message}) { show(message); }
    (state.at < N ? paper : task).focus({preventScroll: true});
  }

  function show(problem = '') {
    keep();
    asking.hidden = state.at === N; result.hidden = state.at < N;
    if (state.at === N) return judgeAll();
    pad.set(now().strokes);
    pad.pen = [70, 70];
    task.textContent = `${state.at + 1} of ${N}: please draw a ${now().asked}, as you write it. ${problem}`;
  }

  function judgeAll() {
    answers = judge(model, state.drawings);
    const own = answers.filter(a => !a.sample);
    task.textContent = `The model read ${right(answers)} of ${N} right: ${formatPercent(right(answers)/N)}.`;
    [low.textContent, high.textContent] = wilson(right(answers), N).map(formatPercent);
    mine.textContent = own.length % N ? `Of your own ${own.length} it read ${right(own)} right; the others are samples.` : '';
    [33, 37, 73, 77].forEach((both, i) => { counts.querySelectorAll('td')[i].textContent = answers.filter(a => 10*a.asked + a.answer === both).length; });
    cards.replaceChildren();
    for (const one of answers) addCard(cards, one);
  }

  const begin = from => { state = from; show(); };

  next.onclick = () => go(1);
  back.onclick = () => go(-1);
  undo.onclick = () => pad.undo();
  clear.onclick = () => pad.clear();
  sample.onclick = () => {  // another each time
    now().sample = true;
    pad.set(samples.filter(s => s.digit === now().asked)[(state.at + 7*tried++) % 50].strokes);
  };
  paper.addEventListener('keydown', ({key}) => { if (key === 'Enter') go(1); });
  table.onclick = () => download('my-digits.csv', csv(answers));
  forget.onclick = () => confirm('Forget them, and start again?') && begin(fresh());
  try { begin(JSON.parse(localStorage.getItem(KEY))); } catch { begin(fresh()); }  // nothing was kept
}
