// Train here: the loop of 03_train on real digits, every step to be seen, the whole run in the address.

import {Trainer} from './maths.js';
import {Clock, button, calm, captioned, choice, colour, el, loadDigits, paintPixels, paintPlot, picture, readAddress, redBlue, row, slider, writeAddress} from './page.js';

const VALUES = {  // of each setting
  lr: [.001, .003, .01, .03, .1, .3, 1, 3, 10, 30, 100], bs: [1, 4, 16, 64, 256, 800], loss: ['mean', 'bce'],
  scale: [0, .01, .03, .1, .3, 1, 3], seed: [...Array(100).keys()], shuffle: [0, 1],
};
const START = {lr: .1, bs: 64, loss: 'bce', scale: .03, seed: 4, shuffle: 1};
const PRESETS = {
  'Documented recipe': {lr: 1, bs: 256, loss: 'mean', scale: 1, shuffle: 0},
  Repaired: {lr: 1, bs: 256, scale: 0},
  'Too fast': {lr: 10, bs: 4},
};
const MOST = 3000, GOAL = 6;  // steps of a run; errors of 200 to get down to
const EXPLODED = ' It has exploded: the loss rose to over three times what it was at the start. Each step leaps across the valley and lands higher. Lower the learning rate, and reset.';

function readRun() {  // ?lr=0.1&…&step=400&then=120:lr=0.01,300:bs=256, or whatever somebody wrote
  const asked = readAddress(), start = {}, changes = {}, valid = (name, text) => VALUES[name].find(value => value == text);
  for (const name in START) start[name] = valid(name, asked.get(name)) ?? START[name];
  for (const [, at, name, text] of (asked.get('then') ?? '').matchAll(/\b(\d{1,4}):(lr|bs|loss|shuffle)=([\w.]+)/g)) {
    if (valid(name, text) !== undefined) (changes[+at] ??= {})[name] = valid(name, text);
  }
  return [Math.max(0, Math.min(MOST, parseInt(asked.get('step')) || 0)), start, changes];
}

function stack({x, n}) {  // images one below the other, ink on nothing
  const canvas = el('canvas', {width: 28, height: 28*n}), image = new ImageData(28, 28*n);
  x.forEach((v, i) => { image.data[4*i + 3] = 255*v; });
  canvas.getContext('2d').putImageData(image, 0, 0);
  return canvas;
}

export default async function train(root) {
  const data = await loadDigits(), {n, y} = data.valid, images = stack(data.valid), room = root.getBoundingClientRect().width - 36;
  let [goal, ...asked] = readRun(), run = new Trainer(data, ...asked), playing = false, later;

  function paintCrowd(context, width, height) {  // each held-back image at its logit, squeezed
    const half = height/2 - 9, side = 20, x = z => width/2 + (width - 24)/Math.PI*Math.atan((z || 0)/3);
    const places = Array.from(run.z, (z, i) => [x(z) - side/2, (1 - y[i])*half + .618*i % 1*(half - side), side, side]);
    places.forEach((place, i) => context.drawImage(images, 0, 28*i, 28, 28, ...place));
    context.globalCompositeOperation = 'source-atop';  // colours what is there
    ['w-three', 'w-seven'].forEach((name, i) => { context.fillStyle = colour(root, name); context.fillRect(0, i*half, width, half); });
    Object.assign(context, {globalCompositeOperation: 'source-over', strokeStyle: colour(root, 'w-ink'), fillStyle: colour(root, 'w-soft'), font: '12px system-ui', textAlign: 'center'});
    places.forEach((place, i) => { if (run.z[i] > 0 !== y[i] > 0) context.strokeRect(...place); });
    context.fillRect(width/2, 0, 1, 2*half);
    for (const p of [.001, .1, .5, .9, .999]) context.fillText(`${100*p}%`, x(Math.log(p/(1 - p))), height - 4);
  }

  function plot({canvas, caption}, text, yticks, ...lines) {
    const {curve, steps} = run, some = [...curve.entries()].filter(([i]) => i === steps || i % Math.ceil(steps/300) === 0);
    caption.textContent = text;
    canvas.draw((...place) => paintPlot(...place, root, {xlim: [0, Math.max(100, steps)], ylim: [0, yticks[2]], yticks, xlabel: 'step',
      lines: lines.map(([name, ink, width]) => ({points: some.map(([i, at]) => [i, at[name]]), colour: colour(root, ink), width}))}), text);
  }

  function paint() {
    const {curve, model: {w}, seen, settings, steps} = root.run = run, {errors, loss} = curve[steps], most = Math.max(1e-9, ...w.map(Math.abs));
    const top = 2**Math.ceil(Math.log2(Math.max(1, ...curve.map(at => at.loss).filter(isFinite)))), reached = curve.findIndex(at => at.errors <= GOAL);
    crowd.canvas.draw(paintCrowd, `${errors} of ${n} held-back images on the wrong side`);
    weights.canvas.draw((context, _, side) => paintPixels(context, w.map(v => v/most), redBlue, 0, 0, side), `Weights from ${(-most).toFixed(2)}, blue, to ${most.toFixed(2)}, red`);
    plot(losses, `Loss: batch (thin), held back ${loss.toFixed(2)}`, [0, top/2, top], ['batch', 'w-soft', 1], ['loss', 'w-link', 2.5]);
    plot(mistakes, `${errors} of ${n} wrong at step ${steps}`, [GOAL, n/2, n], ['errors', 'w-link', 2.5]);
    for (const name in knobs) if (knobs[name].value != settings[name]) knobs[name].value = settings[name];
    play.textContent = playing ? 'Pause' : 'Play';
    const news = reached < 0 ? 'It learns.' : `97% of the held-back images are right after ${reached} steps.`, all = `Step ${steps}, epoch ${(seen/data.train.n).toFixed(1)}: ${errors} of ${n} held-back images wrong, ${100 - 100*errors/n}% right.`;
    const text = (playing ? news : all) + (curve.slice(-100).every(at => at.loss <= 3*curve[0].loss) ? '' : EXPLODED);
    if (words.textContent !== text) words.textContent = text;
  }

  const clock = new Clock(seconds => {  // 60 steps a second; what comes out depends on their number, never on the time they take
    if (playing) goal = Math.min(MOST, goal + 60*seconds, run.steps + 30);
    for (const until = performance.now() + (calm() ? 40 : 4); run.steps < Math.floor(goal) && performance.now() < until;) run.step();
    playing &&= run.steps < MOST;
    if (!playing && run.steps >= goal) { clock.stop(); if (later) write(); }
    paint();
  });

  function go(on, to = run.steps) {  // plays on, or only as far as that
    [playing, goal] = [on, to];
    clearTimeout(later); later = setTimeout(write, 200);
    share.textContent = 'Copy link';
    clock.start();
  }

  function write() {
    clearTimeout(later);
    writeAddress({...run.start, step: run.steps, then: Object.entries(run.changes).flatMap(([at, some]) => Object.entries(some).map(([name, value]) => `${at}:${name}=${value}`)).join() || null});
  }

  function begin(start, on = playing) { run = new Trainer(data, start); go(on); }

  function set(name, value) {
    if (!run.steps || name === 'scale' || name === 'seed') return begin({...run.settings, [name]: value});
    run.change(name, value);
    go(playing);
  }

  const share = button('Copy link', async () => {
    go(false); write();
    try { await navigator.clipboard.writeText(location.href); share.textContent = 'Link copied'; } catch { prompt('The link to this run', location.href); }
  });
  const play = button('Play', () => go(!playing)), words = el('p', {'aria-live': 'polite', style: 'min-height: 3em'});
  const knob = (name, label, options) => (options ? choice : slider)(label, options ?? VALUES[name], START[name], value => set(name, options && name !== 'loss' ? +value : value));
  const knobs = {
    lr: knob('lr', 'Learning rate'), bs: knob('bs', 'Batch size'), loss: knob('loss', 'Loss', {mean: 'mean |y − p|', bce: 'cross-entropy'}),
    scale: knob('scale', 'Initial scale'), seed: knob('seed', 'Seed'), shuffle: knob('shuffle', 'Shuffle', {1: 'every epoch', 0: 'no: threes first'}),
  };
  const show = (text = '', width = 230, height = 200) => captioned(picture(text, Math.min(room, width), height), text);
  const crowd = show('Held-back images by probability of a three: threes above, sevens below; boxed where wrong', 760, 234), weights = show('Weights, red for a three'), losses = show(), mistakes = show();
  root.append(
    el('p', {}, `${data.train.n} threes and sevens train the 784 weights and the bias; ${n} others, held back, judge them.`),
    row(play, button('Step', () => go(false, Math.min(MOST, run.steps + 1))), button('Reset', () => begin(run.settings, false)), share),
    row(...Object.entries(PRESETS).map(([name, preset]) => button(name, () => begin({...START, ...preset, seed: run.start.seed}, true)))),
    row(...Object.values(knobs)), words, crowd, row(weights, losses, mistakes));
  clock.start();
}
