// One step of learning, on one image: forward, backward, update, each number a picture. Beside 02_linear, whose cell computes the same.

import {LOSSES, backward, evidence, logits, sgdStep, sigmoid} from './maths.js';
import {Spoken, button, captioned, choice, colour, column, el, grey, paintPixels, paintPlot, picture, pointing, redBlue, row, slider} from './page.js';

const signed = v => (v < 0 ? '−' : '+') + Math.abs(v).toFixed(4);

function takeStep(model, x, y, {loss, grad}, lr) {  // every number of it
  const z = logits(model, x), dz = grad(z, [y]), slopes = backward(x, dz, x.length), next = {w: model.w.slice(), b: model.b};
  sgdStep(next, slopes, lr);
  const see = z => ({z: z[0], p: sigmoid(z[0]), loss: loss(z, [y])});
  return {product: evidence(model, x), slopes, dz: dz[0], next, before: see(z), after: see(logits(next, x))};
}

export default function step(root, {images, labels, w, b, lr}) {
  const name = y => y ? 'a three' : 'a seven', xs = images.map(bytes => Float64Array.from(bytes, v => v/255));
  let model, stage, at = 406;  // stage: how many of the three are done; at: the pixel that is looked into
  const view = text => captioned(picture('', 130), text), graph = text => captioned(picture('', 250, 150), text), words = () => el('p', {className: 'widget-numbers'});
  const image = view('the image x'), weights = view('the weights w'), product = view('the product w·x'), gradient = view('gradient: slope · x'), moved = view('w − lr · gradient');
  const sigma = graph('the sigmoid: p = σ(z)'), hill = graph('the loss of this image, by logit'), inspected = words(), spoken = new Spoken();
  const parts = [column(row(product, words()), row(sigma, hill)), row(gradient, words()), row(moved, words())];

  const which = choice('Image', Object.fromEntries(labels.map((y, i) => [i, `${name(y)}, y = ${y}`])), 0, begin);
  const loss = choice('Loss', Object.fromEntries(Object.entries(LOSSES).map(([key, {name}]) => [key, name])), 'mean', begin);
  const rate = slider('Learning rate', [.001, .003, .01, .03, .1, .3, 1], lr, () => show());
  const current = () => takeStep(model, xs[which.value], labels[which.value], LOSSES[loss.value], rate.value);
  const go = ['Forward', 'Backward', 'Update'].map((name, i) => button(name, () => {
    if (stage === 3) model = current().next;
    stage = i + 1;
    show();
    spoken.say(`${name}. ${parts[i].querySelector('p').textContent}`);
    go[stage % 3].focus();  // what comes next
  }));

  function begin() {
    model = {w: Float64Array.from(w), b};
    stage = 0;
    show();
  }

  function see({canvas}, text, values, colours, strongest) {
    canvas.draw((c, side) => {
      paintPixels(c, values.map(v => v/strongest), colours, 0, 0, side);
      Object.assign(c, {strokeStyle: '#1f9d55', lineWidth: 2});
      c.strokeRect(at % 28*side/28 - .5, Math.floor(at/28)*side/28 - .5, side/28 + 1, side/28 + 1);
    }, text);
  }

  function curve({canvas}, text, f, dots, top, slope) {  // f of the logit, where this image is on it, and the slope there
    const ends = [Math.floor(Math.min(-6, ...dots.map(([z]) => z - 1))), Math.ceil(Math.max(6, ...dots.map(([z]) => z + 1)))], zs = Array.from({length: 121}, (_, i) => ends[0] + i/120*(ends[1] - ends[0])), [[z, v]] = dots;
    canvas.draw((c, width, height) => paintPlot(c, width, height, root, {xlim: ends, ylim: [0, top], xlabel: 'logit z', lines: [
      {points: zs.map(z => [z, f(z)]), colour: colour(root, 'w-soft')}, ...slope ? [{points: [-2, 2].map(d => [z + d, v + d*slope]), colour: colour(root, 'w-ink')}] : [],
      ...dots.map((dot, i) => ({points: [dot], dots: 5, colour: colour(root, i ? 'w-seven' : 'w-three')}))]}), text);
  }

  function show() {
    const {before, after, dz, slopes, next, product: parts_} = current(), x = xs[which.value], y = labels[which.value], then = stage > 2, dots = key => [before, ...then ? [after] : []].map(v => [v.z, v[key]]);
    go.forEach((b, i) => { b.disabled = i !== stage % 3; });
    parts.forEach((part, i) => { part.hidden = stage <= i; });
    see(image, `The image: ${name(y)}`, x, grey, 1);
    see(weights, 'The weights, red above zero and blue below', model.w, redBlue, 2);
    see(product, 'Weight times ink, pixel by pixel', parts_, redBlue, 2);
    see(gradient, 'The gradient: the image, times the slope of the loss', slopes.w, redBlue, .3);
    see(moved, 'The new weights', next.w, redBlue, 2);
    curve(sigma, 'The sigmoid, and where the image is on it', sigmoid, dots('p'), 1);
    curve(hill, 'The loss, and where the image is on it', z => LOSSES[loss.value].loss([z], [y]), dots('loss'), Math.max(1, Math.ceil(before.loss), Math.ceil(after.loss)), stage > 1 && dz);
    [`Add it all up, and the bias ${signed(model.b)}: the logit is z = ${signed(before.z)}. The sigmoid makes of it p = ${before.p.toFixed(4)}, the probability of a three. The label is y = ${y}, so the loss is ${before.loss.toFixed(4)}.`,
      `The slope of the loss in the logit is ${signed(dz)}. A weight moves the logit by its pixel's ink, so the gradient is that slope times the image; for the bias it is ${signed(slopes.b)}.`,
      `Each weight moves by ${rate.value} times its gradient, against it. The same image now gets z = ${signed(after.z)}, p = ${after.p.toFixed(4)} and the loss ${after.loss.toFixed(4)}.`,
    ].forEach((text, i) => { parts[i].querySelector('p').textContent = text; });
    inspected.textContent = [`Pixel in row ${Math.floor(at/28)}, column ${at % 28}: ink ${x[at].toFixed(4)}`, `weight ${signed(model.w[at])}`, `product ${signed(parts_[at])}`, `gradient ${signed(slopes.w[at])}`, `new weight ${signed(next.w[at])}`].slice(0, stage + 2).join(', ') + '.';
  }

  for (const {canvas} of [image, weights, product, gradient, moved]) {
    const go = (col, row) => { at = 28*Math.min(27, Math.max(0, row)) + Math.min(27, Math.max(0, col)); show(); };
    pointing(canvas, (x, y) => go(Math.floor(28*x), Math.floor(28*y)), (dx, dy) => (dx || dy) && go(at % 28 + Math.sign(dx), Math.floor(at/28) + Math.sign(dy)));
    canvas.setAttribute('aria-description', 'The arrow keys choose a pixel to look into');
  }
  root.append(row(which, loss, rate), row(image, weights), inspected, row(...go, button('Start again', begin)), ...parts, spoken.element);
  begin();
}
