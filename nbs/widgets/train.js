// Train here: the loop of 04_train, step by step; the address of the page holds the run.

import {Trainer, clamp} from './maths.js';
import {Clock, calm, ink, loadDigits, redBlue, write, writeAddress} from './page.js';

const START = {lr: .1, bs: 64, loss: 'bce_loss', scale: .03, seed: 4, shuffle: 'yes'};
const MOST = 3000, GOAL = 6;  // steps; errors

function readRun(knobs) {  // ?lr=0.1&…&step=400&then=120-lr-0.01_300-bs-256; values that the page does not offer are ignored
  const asked = new URLSearchParams(location.search), start = {...START}, changes = {}, set = (settings, name, text) => {
    const {values, options} = knobs[name], value = (values ?? Array.from(options, o => o.value)).find(v => `${v}` === text);
    if (value !== undefined) settings[name] = value;
  };
  for (const name in START) set(start, name, asked.get(name));
  for (const [, at, name, text] of (asked.get('then') ?? '').matchAll(/(?:^|_)(\d{1,4})-(lr|bs|loss|shuffle)-([a-z\d.]*(?:_loss)?)/g)) set(changes[+at] ??= {}, name, text);
  return [clamp(parseInt(asked.get('step')) || 0, 0, MOST), start, changes];
}

const writeRun = ({start, steps, changes}) => writeAddress({...start, step: steps, then: Object.entries(changes).flatMap(([at, some]) => Object.entries(some).map(change => [at, ...change].join('-'))).join('_') || null});

export default async function train({many, few, play, step, reset, share, presets, lr, bs, loss, scale, seed, shuffle, words, exploded, crowd, weights, losses, mistakes}, _, root) {
  const data = await loadDigits(), {n, x, y} = data.valid, knobs = {lr, bs, loss, scale, seed, shuffle}, images = document.createElement('canvas'), pixels = new ImageData(28, 28*n);
  Object.assign(images, {width: 28, height: 28*n});
  x.forEach((v, i) => { pixels.data[4*i + 3] = 255*v; });  // one below the other, on a transparent ground
  images.getContext('2d').putImageData(pixels, 0, 0);
  let [goal, ...asked] = readRun(knobs), run = new Trainer(data, ...asked), playing = false, later;

  function paintCrowd(c, width, height) {  // each image at its logit, squeezed into the width
    const half = height/2, side = 20;
    run.z.forEach((z, i) => {
      const place = [(width - side)*(.5 + Math.atan(z/3)/Math.PI), (1 - y[i])*half + .618*i % 1*(half - side), side, side];
      c.drawImage(images, 0, 28*i, 28, 28, ...place);
      if (z > 0 !== y[i] > 0) c.strokeRect(...place);
    });
    c.globalCompositeOperation = 'source-atop';  // colours only the ink
    ['w-three', 'w-seven'].forEach((name, i) => { c.fillStyle = ink(c, name); c.fillRect(0, i*half, width, half); });
    c.globalCompositeOperation = 'source-over';
    c.fillStyle = ink(c, 'w-ink'); c.fillRect(width/2, 0, 1, height);
  }

  function plot(canvas, text, axis, ...lines) {
    write(canvas.previousElementSibling, text);
    canvas.plot({...axis, xlim: [0, Math.max(100, run.steps)], xlabel: 'step', lines: lines.map(([name, colour, width]) => ({points: run.curve.map((at, i) => [i, at[name]]), colour, width}))}, text);
  }

  function paint() {
    const {curve, model: {w}, seen, settings, steps} = root.run = run, {errors, loss} = curve[steps], wrong = `${errors} of ${n} held-back images wrong`;
    const most = Math.max(1e-9, ...w.map(Math.abs)), reached = curve.findIndex(at => at.errors <= GOAL);
    crowd.draw(paintCrowd, wrong);
    weights.pixels(w, redBlue, `Weights up to ${most.toFixed(2)}: red for a three, blue for a seven`, most);
    plot(losses, `Loss ${loss.toFixed(2)} (thin: of the batch)`, {ylim: [0, Math.max(1, ...curve.map(at => at.loss || 0))]}, ['batch', 'w-soft', 1], ['loss', 'w-link', 3]);
    plot(mistakes, wrong, {ylim: [1, n], yticks: [1, GOAL, n], log: true}, ['errors', 'w-link', 3]);
    for (const name in knobs) knobs[name]['chosen' in knobs[name] ? 'chosen' : 'value'] = settings[name];
    write(play, playing ? 'Pause' : 'Play');
    exploded.hidden = settings.loss !== run.start.loss || curve.slice(-99).every(at => at.loss <= 3*curve[0].loss);
    write(words, !playing ? `Step ${steps}, epoch ${(seen/data.train.n).toFixed(1)}: ${wrong}, ${100 - 100*errors/n}% right.` : reached < 0 ? 'Learning.' : `97% right after ${reached} steps.`);
  }

  const clock = new Clock(seconds => {  // 60 steps a second; what comes out depends on their number alone
    if (playing) goal = Math.min(MOST, goal + 60*seconds, run.steps + 30);
    for (const until = performance.now() + (calm() ? 40 : playing ? 4 : 12); run.steps < Math.floor(goal) && performance.now() < until;) run.step();
    playing &&= run.steps < MOST;
    if (!playing && run.steps >= goal) { clock.stop(); if (later) writeRun(run); }
    paint();
  });

  function go(on, to = run.steps) {  // plays, or goes as far as that
    [playing, goal] = [on, to];
    clearTimeout(later); later = setTimeout(() => writeRun(run), 200);
    write(share, 'Copy link');
    clock.start(); paint();
  }

  function begin(start, on = playing) { run = new Trainer(data, start); go(on); }

  function set(name, value) {
    if (!run.steps || /scale|seed/.test(name)) return begin({...run.settings, [name]: value});
    run.change(name, value);
    go(playing);
  }

  write(many, data.train.n); write(few, n);
  play.onclick = () => go(!playing);
  step.onclick = () => go(false, Math.min(MOST, run.steps + 1));
  reset.onclick = () => begin(run.settings, false);
  share.onclick = async () => {
    go(false); writeRun(run);
    const link = new URL(location.href);
    link.hash ||= root.id;  // it opens here, not at the top of the page
    try { await navigator.clipboard.writeText(link.href); write(share, 'Link copied'); } catch { prompt('Link', link.href); }
  };
  presets.onclick = ({target}) => target.value && begin({...START, ...JSON.parse(target.value)}, true);
  for (const [name, knob] of Object.entries(knobs)) knob.oninput = () => set(name, knob.chosen ?? knob.value);
  clock.start(); paint();
}
