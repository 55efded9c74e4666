// Train here: the loop of 03_train, each step to be seen, each run in the address.

import {Trainer} from './maths.js';
import {Clock, button, calm, captioned, choice, colour, el, loadDigits, paintPixels, paintPlot, picture, readAddress, redBlue, row, slider, writeAddress} from './page.js';

const SETTINGS = {
  lr: ['Learning rate', [.001, .01, .03, .1, .3, 1, 3, 10, 30, 100]], bs: ['Batch size', [1, 4, 16, 64, 256, 800]], loss: ['Loss', {mean: 'mean |y − p|', bce: 'cross-entropy'}],
  scale: ['Initial scale', [0, .01, .03, .1, .3, 1, 3]], seed: ['Seed', [...Array(100).keys()]], shuffle: ['Shuffle', {yes: 'every epoch', '': 'no: threes first'}],
};
const START = {lr: .1, bs: 64, loss: 'bce', scale: .03, seed: 4, shuffle: 'yes'};
const PRESETS = {'Documented recipe': {lr: 1, bs: 256, loss: 'mean', scale: 1, shuffle: ''}, Repaired: {lr: 1, bs: 256, scale: 0}, 'Too fast': {lr: 10, bs: 4}};
const MOST = 3000, GOAL = 6;  // steps; errors

function readRun() {  // ?lr=0.1&…&step=400&then=120:lr=0.01,300:bs=256, from anybody
  const asked = readAddress(), start = {...START}, changes = {}, set = (settings, name, text) => {
    const [, values] = SETTINGS[name], value = (values.find ? values : Object.keys(values)).find(v => v == text);
    if (value !== undefined) settings[name] = value;
  };
  for (const name in START) set(start, name, asked.get(name));
  for (const [, at, name, text] of (asked.get('then') ?? '').matchAll(/\b(\d{1,4}):(lr|bs|loss|shuffle)=([\w.]*)/g)) set(changes[+at] ??= {}, name, text);
  return [Math.min(MOST, parseInt(asked.get('step')) || 0), start, changes];
}

export default async function train(root) {
  const data = await loadDigits(), {n, x, y} = data.valid, images = el('canvas', {width: 28, height: 28*n}), ink = new ImageData(28, 28*n);
  x.forEach((v, i) => { ink.data[4*i + 3] = 255*v; });  // one below the other, ink on nothing
  images.getContext('2d').putImageData(ink, 0, 0);
  let [goal, ...asked] = readRun(), run = new Trainer(data, ...asked), playing = false, later;

  function paintCrowd(context, width, height) {  // each at its logit, squeezed
    const half = height/2, side = 20;
    run.z.forEach((z, i) => {
      const place = [(width - side)*(.5 + Math.atan(z/3)/Math.PI), (1 - y[i])*half + .618*i % 1*(half - side), side, side];
      context.drawImage(images, 0, 28*i, 28, 28, ...place);
      if (z > 0 !== y[i] > 0) context.strokeRect(...place);
    });
    context.globalCompositeOperation = 'source-atop';  // colours what is there
    ['w-three', 'w-seven'].forEach((name, i) => { context.fillStyle = colour(root, name); context.fillRect(0, i*half, width, half); });
    context.globalCompositeOperation = 'source-over';
    context.fillStyle = colour(root, 'w-ink'); context.fillRect(width/2, 0, 1, height);
  }

  function plot({canvas, caption}, text, axis, ...lines) {
    caption.textContent = text;
    canvas.draw((...place) => paintPlot(...place, root, {...axis, xlim: [0, Math.max(100, run.steps)], xlabel: 'step',
      lines: lines.map(([name, ink, width]) => ({points: run.curve.map((at, i) => [i, at[name]]), colour: colour(root, ink), width}))}), text);
  }

  function paint() {
    const {curve, model: {w}, seen, settings, steps} = root.run = run, {errors, loss} = curve[steps], wrong = `${errors} of ${n} held-back images wrong`;
    const most = Math.max(1e-9, ...w.map(Math.abs)), reached = curve.findIndex(at => at.errors <= GOAL);
    crowd.canvas.draw(paintCrowd, wrong);
    weights.canvas.draw((context, _, side) => paintPixels(context, w.map(v => v/most), redBlue, 0, 0, side), `Weights up to ${most.toFixed(2)}: red for a three, blue for a seven`);
    plot(losses, `Loss ${loss.toFixed(2)} (thin: of the batch)`, {ylim: [0, Math.max(1, ...curve.map(at => at.loss || 0))]}, ['batch', 'w-soft', 1], ['loss', 'w-link', 3]);
    plot(mistakes, wrong, {ylim: [1, n], yticks: [1, GOAL, n], log: true}, ['errors', 'w-link', 3]);
    for (const knob of knobs) if (knob.value !== settings[knob.name]) knob.value = settings[knob.name];
    play.textContent = playing ? 'Pause' : 'Play';
    const text = (!playing ? `Step ${steps}, epoch ${(seen/data.train.n).toFixed(1)}: ${wrong}, ${100 - 100*errors/n}% right.`
      : reached < 0 ? 'Learning.' : `97% right after ${reached} steps.`) + (curve.slice(-99).every(at => at.loss <= 3*curve[0].loss) ? '' : ' It has exploded: the loss is over three times what it was at first. Lower the learning rate and reset.');
    if (words.textContent !== text) words.textContent = text;
  }

  const clock = new Clock(seconds => {  // 60 steps a second; what comes out depends on their number alone
    if (playing) goal = Math.min(MOST, goal + 60*seconds, run.steps + 30);
    for (const until = performance.now() + (calm() ? 40 : 4); run.steps < Math.floor(goal) && performance.now() < until;) run.step();
    playing &&= run.steps < MOST;
    if (!playing && run.steps >= goal) { clock.stop(); if (later) write(); }
    paint();
  });

  function go(on, to = run.steps) {  // plays, or goes as far as that
    [playing, goal] = [on, to];
    clearTimeout(later); later = setTimeout(write, 200);
    share.textContent = 'Copy link';
    clock.start(); paint();
  }

  function write() {
    writeAddress({...run.start, step: run.steps, then: Object.entries(run.changes).flatMap(([at, some]) => Object.entries(some).map(([name, value]) => `${at}:${name}=${value}`)).join() || null});
  }

  function begin(start, on = playing) { run = new Trainer(data, start); go(on); }

  function set(name, value) {
    if (!run.steps || /scale|seed/.test(name)) return begin({...run.settings, [name]: value});
    run.change(name, value);
    go(playing);
  }

  const share = button('Copy link', async () => {
    go(false); write();
    try { await navigator.clipboard.writeText(location.href); share.textContent = 'Link copied'; } catch { prompt('Link', location.href); }
  });
  const play = button('Play', () => go(!playing)), words = el('p', {'aria-live': 'polite', style: 'min-height: 3em'});
  const knobs = Object.entries(SETTINGS).map(([name, [label, values]]) => Object.assign((values.find ? slider : choice)(label, values, START[name], set.bind(null, name)), {name}));
  const show = (text = '', width = 210, height = 200) => captioned(picture(text, width, height), text);
  const crowd = show('Held-back images, from surely seven to surely three; boxed where wrong', Math.min(760, root.clientWidth - 34)), weights = show('Weights, red: three'), losses = show(), mistakes = show();
  root.append(
    el('p', {}, `${data.train.n} digits train 784 weights and a bias; ${n} others, held back, judge them.`),
    row(play, button('Step', () => go(false, Math.min(MOST, run.steps + 1))), button('Reset', () => begin(run.settings, false)), share),
    row(...Object.entries(PRESETS).map(([name, preset]) => button(name, () => begin({...START, ...preset}, true)))),
    row(...knobs), words, crowd, row(weights, losses, mistakes));
  clock.start(); paint();
}
